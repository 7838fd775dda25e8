"""Facts that detection emits: what a rule found on one device, when in event time, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from device_models.purpose import Purpose, Severity


class AlertState(StrEnum):
    """Alertmanager's words. ``inactive`` after ``pending`` means it never held long enough."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Transition:
    """This rule on this device changed its state at this event time, and why."""

    rule: str
    device_id: str
    state: AlertState
    at: datetime
    """Event time: when the state changed, not when we saw it."""
    severity: Severity
    purpose: Purpose
    explanation: Mapping[str, Any] = field(default_factory=dict)
    """Why, as JSON-ready data; the agent's evidence and the customer's sentence are rendered from it.

    Keys that every kind sets: ``kind``, ``title`` and ``advice`` (text by language), ``since`` (RFC 3339).
    Where they apply: ``condition`` (the CEL text), ``values`` ({name: value}), ``units`` ({name: UCUM}),
    ``field``, ``limit``, ``direction`` ("above"|"below") for the chart's dashed line, ``held_s``, ``code``, ``plan``,
    ``due_at``, ``last_heard_at``.
    """
    fault: str = ""
    """What tells faults of one rule apart in the dedupe key: an error code, a service plan; empty for most kinds."""
    on_arrival: bool = False
    """It was already so when the gateway first met the device: a list, never messages."""
    shadow: bool = False
    """The rule is on trial: recorded, no case, no message."""

    @property
    def dedupe_key(self) -> str:
        """Device and fault; never a start time, so that one fault has one case."""
        return f"{self.device_id}|{self.rule}" + (f"|{self.fault}" if self.fault else "")


@dataclass(frozen=True, slots=True)
class Visit:
    """A consenting person (or their thing, ridden plausibly) is near a shop: a question to response, not yet an offer.

    Detection emits one on reaching the shop's radius for long enough, and one ``withheld`` where a fix would
    have counted but for the reason named. Positions stay out: the shop and the distance are what is kept.
    """

    rule: str
    device_id: str
    shop_id: str
    at: datetime
    withheld: str | None = None
    """None: the visit counts. Otherwise a reason's name: ``accuracy``, ``speed``, ``no_consent``, ``closed``, …"""
    explanation: Mapping[str, Any] = field(default_factory=dict)
    """``distance_m`` (geodesic where it decided), ``method`` ("haversine"|"geodesic"), ``radius_m``, ``accuracy_m``…"""
