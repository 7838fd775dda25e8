"""How rules do in service: which never fire, which staff dismiss, which read what nobody sends, what is in shadow."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from device_models.event import rfc3339
from device_models.profile import GENERIC, DeviceProfile
from device_models.registry import Device
from gateway.store import schema
from gateway.store.rule_sets import rule_sets
from rules.detect import Detector
from rules.evaluator import Evaluator
from rules.state import DeviceState

DISMISSED_SHARE = 0.5
"""A rule most of whose cases staff dismissed is worth a look."""
LEAST_CASES = 3
"""Fewer say nothing about a rule."""
UNSENT_AFTER = timedelta(days=7)
"""A field that no device sent for so long, though they were heard since, is not sent any more."""
_DISMISSED = ("false alarm", "false", "no fault", "not a fault")
"""How a resolution begins that says there was nothing."""


@dataclass(slots=True)
class RuleReview:
    """One rule over the time looked at."""

    rule: str
    mode: str
    known_since: datetime | None
    """When it first went live; None: before that was written down."""
    devices: int = 0
    """Devices it applies to and that were heard."""
    firings: int = 0
    cases: int = 0
    dismissed: int = 0
    """Of those, resolved by staff as nothing."""
    resolved_by_staff: int = 0
    unsent: tuple[str, ...] = ()
    """Fields it reads that no device sends any more, or never did."""
    would_be: list[Mapping[str, Any]] = field(default_factory=list)
    """In shadow: the newest cases there would have been, ``{device_id, customer_id, at, on_arrival}``."""
    would_be_customers: int = 0
    would_be_hours: Mapping[int, int] = field(default_factory=dict)
    """Cases by hour of the day, UTC."""

    @property
    def findings(self) -> list[str]:
        """Sentences about what to think over; empty: nothing."""
        found = []
        if self.unsent:
            verb = "is" if len(self.unsent) == 1 else "are"
            found.append(f"reads {', '.join(self.unsent)}, which {verb} sent by no device (any more)")
        if not self.devices:
            found.append("applies to no device that was heard")
        elif not self.firings:
            found.append("never fired in this time")
        if self.cases >= LEAST_CASES and self.dismissed / self.cases > DISMISSED_SHARE:
            found.append(f"{self.dismissed} of {self.cases} cases were resolved as nothing")
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        told: dict[str, Any] = {
            "rule": self.rule,
            "mode": self.mode,
            "known_since": rfc3339(self.known_since) if self.known_since else None,
            "devices": self.devices,
            "firings": self.firings,
            "cases": self.cases,
            "dismissed": self.dismissed,
            "resolved_by_staff": self.resolved_by_staff,
            "unsent_fields": list(self.unsent),
            "findings": self.findings,
        }
        if self.mode == "shadow":
            told |= {
                "would_be_cases": [{**case, "at": rfc3339(case["at"])} for case in self.would_be],
                "customers": self.would_be_customers,
                "by_hour_utc": {str(hour): self.would_be_hours[hour] for hour in sorted(self.would_be_hours)},
            }
        return told


def review(
    connection: sa.Connection,
    detector: Detector,
    profiles: Mapping[str, DeviceProfile],
    devices: Mapping[str, Device],
    since: datetime,
    now: datetime,
) -> list[RuleReview]:
    """Look at each rule in force from ``since`` to ``now``, in the order of the rule files."""
    first_seen = _first_seen(connection)
    found = {rule.id: RuleReview(rule.id, rule.mode, first_seen.get(rule.id)) for rule in detector.ruleset.rules}
    _count_transitions(connection, found, devices, since)
    _count_cases(connection, found, since)
    _look_at_fields(connection, found, detector, profiles, devices, now)
    return list(found.values())


def _first_seen(connection: sa.Connection) -> dict[str, datetime]:
    seen: dict[str, datetime] = {}
    for rules, at in connection.execute(sa.select(rule_sets.c.rules, rule_sets.c.put_live_at).order_by(rule_sets.c.id)):
        for rule in rules:
            seen.setdefault(rule["id"], at)
    return seen


def _count_transitions(
    connection: sa.Connection, found: Mapping[str, RuleReview], devices: Mapping[str, Device], since: datetime
) -> None:
    t = schema.transitions
    query = (
        sa.select(t.c.rule, t.c.device_id, t.c.at, t.c.on_arrival, t.c.shadow)
        .where(t.c.state == "firing", t.c.at >= since)
        .order_by(t.c.at.desc())
    )
    customers: defaultdict[str, set[str]] = defaultdict(set)
    hours: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for row in connection.execute(query):
        reviewed = found.get(row.rule)
        if reviewed is None:
            continue
        reviewed.firings += not row.on_arrival
        if not row.shadow or reviewed.mode != "shadow":
            continue
        device = devices.get(row.device_id)
        customer_id = device.customer_id if device else None
        case = {"device_id": row.device_id, "customer_id": customer_id, "at": row.at, "on_arrival": row.on_arrival}
        reviewed.would_be.append(case)
        if not row.on_arrival:
            hours[row.rule][row.at.hour] += 1
            customers[row.rule] |= {customer_id} if customer_id else set()
    for rule, reviewed in found.items():
        reviewed.would_be_customers, reviewed.would_be_hours = len(customers[rule]), hours[rule]


def _count_cases(connection: sa.Connection, found: Mapping[str, RuleReview], since: datetime) -> None:
    c = schema.cases
    query = sa.select(c.c.rule, c.c.resolved_by, c.c.resolution).where(
        c.c.opened_at >= since, c.c.on_arrival.is_(False)
    )
    for row in connection.execute(query):
        reviewed = found.get(row.rule)
        if reviewed is None:
            continue
        reviewed.cases += 1
        by_staff = row.resolved_by not in (None, "telemetry")
        reviewed.resolved_by_staff += by_staff
        reviewed.dismissed += by_staff and (row.resolution or "").strip().lower().startswith(_DISMISSED)


def _look_at_fields(
    connection: sa.Connection,
    found: Mapping[str, RuleReview],
    detector: Detector,
    profiles: Mapping[str, DeviceProfile],
    devices: Mapping[str, Device],
    now: datetime,
) -> None:
    """A field counts as sent where one device that the rule applies to sent it lately; if none was heard, none can."""
    sent: defaultdict[str, set[str]] = defaultdict(set)
    heard: Counter[str] = Counter()
    evaluators: dict[str, Mapping[str, Evaluator]] = {}
    for device, state in _states(connection, devices):
        if device.profile not in evaluators:
            evaluators[device.profile] = detector.evaluators(profiles.get(device.profile, GENERIC))
        lately = {name for name, at in state.twin.observed_at.items() if now - at <= UNSENT_AFTER}
        heard_at = state.presence.last_heard_at
        if heard_at is None or now - heard_at > UNSENT_AFTER:
            continue
        for rule_id, evaluator in evaluators[device.profile].items():
            heard[rule_id] += 1
            sent[rule_id] |= lately & evaluator.reads
    for by_rule in evaluators.values():
        for rule_id, evaluator in by_rule.items():
            reviewed = found[rule_id]
            reviewed.devices = heard[rule_id]
            if reviewed.devices and evaluator.expressions:
                reads: Sequence[str] = sorted(name for name in evaluator.reads if name != "online")
                reviewed.unsent = tuple(name for name in reads if name not in sent[rule_id])


def _states(connection: sa.Connection, devices: Mapping[str, Device]) -> Iterator[tuple[Device, DeviceState]]:
    s = schema.device_states
    for device_id, state in connection.execute(sa.select(s.c.device_id, s.c.state)):
        if device := devices.get(device_id):
            yield device, DeviceState.from_json(orjson.loads(state))
