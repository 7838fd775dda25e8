"""What every rule says, whatever its kind."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from device_models.duration import Duration
from device_models.localized import Localized
from device_models.purpose import Purpose, Severity


def _names(value: Any) -> Any:
    """A single profile may be written without brackets."""
    return (value,) if isinstance(value, str) else value


class BaseRule(BaseModel):
    """The fields that all kinds share; a kind derives from it and adds ``kind: Literal["…"]`` and its own.

    pydantic raises ``ValidationError`` for unknown or wrong fields; ``rules.schema.parse_rules`` turns that into
    ``FileError`` with file, line and column.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    id: str = Field(min_length=1, max_length=100, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    """Stands in dedupe keys and cases: renaming a rule closes its alerts and starts afresh."""
    kind: str
    profile: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Names of the device profiles it is for; empty: all."""
    title: Localized = Field(default_factory=dict)
    """What is wrong, in the customer's words; empty: the id."""
    advice: Localized = Field(default_factory=dict)
    """What the customer can do now."""
    severity: Severity = Severity.MAJOR
    purpose: Purpose = Purpose.FAULT
    mode: Literal["live", "shadow"] = "live"
    """``shadow``: on trial, its transitions are recorded and nobody is told."""
    notify: Literal["off", "approve", "auto"] | None = None
    """Whether a message goes out by itself; None: the company's default for the purpose."""
    reopen_within: Duration = timedelta(hours=24)
    """A fault that comes back within this time of resolving reopens its case; later a new one opens."""

    inhibited_by: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Ids of rules that explain this one: while one of them fires, this fault opens no case and tells nobody."""
    inhibited_scope: Literal["device", "site", "hub"] = "device"
    """Where a rule of ``inhibited_by`` has to fire: on the same device, besides on the hub that it speaks through, or
    anywhere at its site."""
    inhibited_after: Duration = timedelta(0)
    """How long what explained it still does once it is over: a cabinet needs hours to get cold again."""

    @field_validator("profile")
    @classmethod
    def _no_profile_twice(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("names a profile twice")
        return names

    @property
    def shadow(self) -> bool:
        """Whether the rule is on trial."""
        return self.mode == "shadow"

    def applies_to(self, profile: str) -> bool:
        """Tell whether devices of ``profile`` are watched by this rule."""
        return not self.profile or profile in self.profile
