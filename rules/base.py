"""What every rule says, whatever its kind."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from device_models.duration import Duration
from device_models.localized import Localized
from device_models.purpose import Purpose, Severity
from device_models.sentences import sentence
from rules.runbook import Cause, Step, wrong_in


def _names(value: Any) -> Any:
    """A single name may be written without brackets, and a firmware such as 1.3 without quotes."""
    if isinstance(value, list):
        return tuple(str(one) if _is_number(one) else one for one in value)
    return (str(value),) if isinstance(value, str) or _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


SELECTORS = ("device", "customer", "site", "model", "firmware")
"""What of a device an override may go by, in the order of ``rules.override.Key``."""
NOT_OVERRIDDEN = frozenset(
    {
        *("id", "kind", "profile", "mode", "notify", "reopen_within", "overrides", "incident"),
        *("inhibited_by", "inhibited_scope", "inhibited_after"),
    }
)
"""What is the same for every device: identity, and what is decided where more than one device is looked at."""


class Override(BaseModel):
    """Other settings, or none of the rule at all, for the devices that fit every selector given."""

    model_config = ConfigDict(frozen=True, extra="allow", str_strip_whitespace=True)

    device: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Ids."""
    customer: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    site: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    model: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    firmware: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    off: bool = False
    """Whether the rule does not apply to these."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that are otherwise, as files write them."""
        return self.model_extra or {}

    def names(self, selector: str) -> tuple[str, ...]:
        """Return the values of one of ``SELECTORS``; empty: any."""
        values: tuple[str, ...] = getattr(self, selector)
        return values

    def fits(self, values: Sequence[str | None]) -> bool:
        """Tell whether a device with these values, in the order of ``SELECTORS``, is meant."""
        return all(not names or value in names for value, names in zip(values, map(self.names, SELECTORS), strict=True))

    @model_validator(mode="after")
    def _says_for_whom_and_what(self) -> Self:
        if not any(self.names(selector) for selector in SELECTORS):
            raise ValueError(sentence("says for whom by one of {1}", ", ".join(SELECTORS)))
        if self.off == bool(self.settings):
            raise ValueError(sentence("is either off or has other settings"))
        wrong = next((name for name in self.settings if name in NOT_OVERRIDDEN), None)
        if wrong is not None:
            raise ValueError(sentence("{1} is the same for every device; make a rule of its own", wrong))
        return self


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

    causes: tuple[Cause, ...] = ()
    """What the fault may turn out to be; see ``docs/console.md``, "Resolving"."""
    runbook: tuple[Step, ...] = ()
    """The standard procedure, as a checklist on the case."""

    inhibited_by: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Ids of rules that explain this one: while one of them fires, this fault opens no case and tells nobody."""
    inhibited_scope: Literal["device", "site", "hub"] = "device"
    """Where a rule of ``inhibited_by`` has to fire: on the same device, besides on the hub that it speaks through, or
    anywhere at its site."""
    inhibited_after: Duration = timedelta(0)
    """How long what explained it still does once it is over: a cabinet needs hours to get cold again."""

    overrides: tuple[Override, ...] = ()
    """Where it is otherwise; of several that fit the later ones win."""

    @field_validator("profile")
    @classmethod
    def _no_profile_twice(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(sentence("names a profile twice"))
        return names

    @model_validator(mode="after")
    def _procedure_fits_its_causes(self) -> Self:
        if wrong := wrong_in(self.causes, self.runbook):
            raise ValueError(wrong)
        return self

    @property
    def shadow(self) -> bool:
        """Whether the rule is on trial."""
        return self.mode == "shadow"

    def has_set(self, name: str) -> bool:
        """Tell whether a setting was given another value than its default.

        What was only written out, as a rule set that went live is kept, has not been given one.
        """
        return name in self.model_fields_set and getattr(self, name) != type(self).model_fields[name].default

    def applies_to(self, profile: str) -> bool:
        """Tell whether devices of ``profile`` are watched by this rule."""
        return not self.profile or profile in self.profile
