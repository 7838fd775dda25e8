"""Devices that are alike and fail alike: one incident, not a thousand cases. Response goes by it, not detection.

From life: a new firmware goes out on Tuesday. On Wednesday morning eleven freezers of one model, each in another
kitchen, get too warm within an hour, where one a week is usual. One case says so and names the firmware; each owner
gets one message, and engineering hears of it before the second thousand is updated.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from device_models.duration import Duration
from device_models.sentences import sentence
from rules.base import BaseRule
from rules.response.alike import Likeness


def _names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _share(value: Any) -> Any:
    """Read ``5%`` as well as 0.05."""
    if isinstance(value, str) and value.strip().endswith("%"):
        try:
            return float(value.strip().removesuffix("%")) / 100
        except ValueError as error:
            raise ValueError(sentence("'{1}' is no share; write it like 5% or 0.05", value)) from error
    return value


class FleetRule(BaseRule):
    """See ``docs/rules.md``, "fleet"."""

    kind: Literal["fleet"] = "fleet"
    of: Annotated[tuple[str, ...], BeforeValidator(_names)] = Field(min_length=1)
    """Ids of the rules whose faults are counted."""
    alike: Annotated[tuple[Likeness, ...], BeforeValidator(_names)] = Field(default=("model", "firmware"), min_length=1)
    """What devices must have in common to be counted together: all of these."""
    share: Annotated[float, BeforeValidator(_share)] = Field(default=0.05, gt=0, le=1)
    """So many of the alike devices, …"""
    at_least: int = Field(default=5, ge=2)
    """… and so many, must begin to fail …"""
    within: Duration = timedelta(hours=1)
    """… within this time …"""
    significance: float = Field(default=1e-4, gt=0, le=1)
    """… where chance alone would do so at most this rarely, by the rate at which they failed before."""
    wait: Duration = timedelta(seconds=60)
    """How long a fault waits for others before it is a case of its own; Alertmanager's ``group_wait``. Faults about
    safety never wait."""
    changed_within: Duration = timedelta(days=7)
    """How far back to look for what changed before it began."""

    @field_validator("of", "alike")
    @classmethod
    def _nothing_twice(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(sentence("names something twice"))
        return names

    @field_validator("within")
    @classmethod
    def _lasts(cls, within: timedelta) -> timedelta:
        if within <= timedelta(0):
            raise ValueError(sentence("must be longer than 0"))
        return within
