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
from device_models.sentences import Sentence, sentence
from gateway.cases.verdicts import count_by_rule
from gateway.rulebook.shadow import Trial, trials
from gateway.store import schema
from gateway.store.rule_sets import rule_sets
from gateway.store.verdicts import verdicts
from rules.authoring.precision import Verdict, Verdicts
from rules.detect import Detector
from rules.evaluator import Evaluator
from rules.kinds.fleet import FleetRule
from rules.state import DeviceState

DISMISSED_SHARE = 0.5
"""A rule most of whose cases were dismissed, or most of whose alerts were silenced, is worth a look."""
LEAST_CASES = 3
"""Fewer say nothing about a rule."""
UNSENT_AFTER = timedelta(days=7)
"""A field that no device sent for so long, though they were heard since, is not sent any more."""
_DISMISSED = ("false alarm", "false", "no fault", "not a fault")
"""How a resolution begins that says there was nothing, where nobody gave a verdict."""


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
    """Of those, a false alarm by verdict, or resolved by staff as nothing."""
    resolved_by_staff: int = 0
    silenced: int = 0
    """Firings that a silence withheld."""
    verdicts: Verdicts = field(default_factory=Verdicts)
    """On its cases; of a rule in shadow, on those there would have been."""
    unsent: tuple[str, ...] = ()
    """Fields it reads that no device sends any more, or never did."""
    trial: Trial | None = None
    """In shadow: the cases there would have been."""

    @property
    def findings(self) -> list[Sentence]:
        """About what to think over; empty: nothing."""
        found: list[Sentence] = []
        if self.unsent:
            one = len(self.unsent) == 1
            names = ", ".join(self.unsent)
            is_not_sent = sentence("reads {1}, which is sent by no device (any more)", names)
            found.append(is_not_sent if one else sentence("reads {1}, which are sent by no device (any more)", names))
        if not self.devices:
            found.append(sentence("applies to no device that was heard"))
        elif not self.firings:
            found.append(sentence("never fired in this time"))
        if self.cases >= LEAST_CASES and self.dismissed / self.cases > DISMISSED_SHARE:
            found.append(sentence("{1} of {2} cases were dismissed as nothing", self.dismissed, self.cases))
        if self.firings >= LEAST_CASES and self.silenced / self.firings > DISMISSED_SHARE:
            found.append(sentence("{1} of {2} firings were silenced", self.silenced, self.firings))
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
            "silenced": self.silenced,
            **self.verdicts.as_dict(),
            "unsent_fields": list(self.unsent),
            "findings": self.findings,
        }
        if self.trial is not None:
            counts = self.trial.as_dict()
            told |= {
                "would_be_cases": [case.as_dict() for case in self.trial.cases],
                "customers": counts["customers"],
                "by_hour_utc": counts["by_hour_utc"],
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
    _count_transitions(connection, found, since)
    _count_cases(connection, found, since)
    _look_at_shadow(connection, found, detector, devices, since)
    _look_at_fields(connection, found, detector, profiles, devices, now)
    for rule in detector.ruleset.rules:
        if isinstance(rule, FleetRule):
            # It looks at what other rules found, so it applies where one of them does.
            found[rule.id].devices = max((found[name].devices for name in rule.of if name in found), default=0)
    return list(found.values())


def _first_seen(connection: sa.Connection) -> dict[str, datetime]:
    seen: dict[str, datetime] = {}
    for rules, at in connection.execute(sa.select(rule_sets.c.rules, rule_sets.c.put_live_at).order_by(rule_sets.c.id)):
        for rule in rules:
            seen.setdefault(rule["id"], at)
    return seen


def _count_transitions(connection: sa.Connection, found: Mapping[str, RuleReview], since: datetime) -> None:
    t = schema.transitions
    withheld_by = t.c.explanation[("withheld", "by")].as_string()
    query = (
        sa.select(t.c.rule, withheld_by, sa.func.count())
        .where(t.c.state == "firing", t.c.at >= since, t.c.on_arrival.is_(False))
        .group_by(t.c.rule, withheld_by)
    )
    for rule, by, count in connection.execute(query):
        if reviewed := found.get(rule):
            reviewed.firings += count
            reviewed.silenced += count if by == "silence" else 0


def _count_cases(connection: sa.Connection, found: Mapping[str, RuleReview], since: datetime) -> None:
    c = schema.cases
    query = (
        sa.select(c.c.rule, c.c.resolved_by, c.c.resolution, verdicts.c.verdict)
        .select_from(c.outerjoin(verdicts, verdicts.c.case_id == c.c.id))
        .where(c.c.opened_at >= since, c.c.on_arrival.is_(False))
    )
    for row in connection.execute(query):
        reviewed = found.get(row.rule)
        if reviewed is None:
            continue
        reviewed.cases += 1
        by_staff = row.resolved_by not in (None, "telemetry", "incident", "customer")
        reviewed.resolved_by_staff += by_staff
        said_so = by_staff and (row.resolution or "").strip().lower().startswith(_DISMISSED)
        reviewed.dismissed += said_so if row.verdict is None else row.verdict == Verdict.FALSE_ALARM.value
    for rule, counted in count_by_rule(connection, since).items():
        if reviewed := found.get(rule):
            reviewed.verdicts = counted


def _look_at_shadow(
    connection: sa.Connection,
    found: Mapping[str, RuleReview],
    detector: Detector,
    devices: Mapping[str, Device],
    since: datetime,
) -> None:
    on_trial = {rule.id: rule.reopen_within for rule in detector.ruleset.rules if rule.shadow}
    for rule_id, trial in trials(connection, on_trial, devices, since).items() if on_trial else ():
        found[rule_id].trial, found[rule_id].verdicts = trial, trial.verdicts


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
