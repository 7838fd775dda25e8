"""A device that is silent for longer than its profile allows, or was declared offline and did not come back.

From life: a breaker tripped while the family is on holiday. The freezer's last word is its LWT; after one reporting
interval without a new word the case opens, hours before food thaws. A Wi-Fi hiccup of a minute opens nothing. A weather
station on a roof is late after an hour, silent after six, and after two days somebody has to climb up: one case, told
each time that it got worse.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from device_models.duration import Duration, format_duration
from device_models.event import rfc3339
from device_models.presence import Presence
from device_models.profile import DeviceProfile
from device_models.purpose import Severity
from device_models.sentences import sentence
from rules.alert import Alert
from rules.base import BaseRule
from rules.evaluator import Clock, Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.inputs import DeviceContext
from rules.response.grouping import Grouping
from rules.transition import AlertState

SILENT_INTERVALS = 3
"""Default of ``for`` in reporting intervals: two messages may be lost without anybody being alarmed."""


class Longer(BaseModel):
    """A worse state of the same silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hold: Duration = Field(alias="for")
    """How long nothing was heard."""
    offline_for: Duration | None = None
    """How long after the LWT, nothing having been heard since; None: the LWT makes it no worse, only ``for`` does."""


class AbsentRule(BaseRule):
    """See ``docs/rules.md``, "absent"."""

    kind: Literal["absent"] = "absent"
    hold: Duration | None = Field(default=None, alias="for")
    """How long nothing was heard; None: three of the profile's reporting intervals."""
    offline_for: Duration | None = None
    """How long after the LWT, nothing having been heard since; None: one reporting interval, at most ``for``."""
    severities: dict[Severity, Longer] = Field(default_factory=dict)
    """Longer silences, by their severity: one alert and one case, which gets worse until the device is heard."""
    incident: Grouping = Grouping()
    """When several devices of one site that are silent become one incident; response goes by it."""

    @model_validator(mode="after")
    def _gets_worse_with_time(self) -> Self:
        before: tuple[Severity, timedelta | None, timedelta | None] = (self.severity, self.hold, self.offline_for)
        for severity, longer in sorted(self.severities.items(), key=lambda item: item[0].rank):
            if severity.rank <= self.severity.rank:
                raise ValueError(
                    sentence("severities: {1} is no worse than the rule's own severity, {2}", severity, self.severity)
                )
            milder, hold, offline_for = before
            for name, here, there in (("for", longer.hold, hold), ("offline_for", longer.offline_for, offline_for)):
                if here is not None and there is not None and here <= there:
                    raise ValueError(
                        sentence(
                            "severities: {1}: {2} {3} is no longer than that of {4}, {5}",
                            severity,
                            name,
                            format_duration(here),
                            milder,
                            format_duration(there),
                        )
                    )
            before = (severity, longer.hold, offline_for if longer.offline_for is None else longer.offline_for)
        return self


class _Level(NamedTuple):
    """One severity of the silence."""

    severity: Severity
    silent_for: timedelta
    offline_for: timedelta | None
    """None: the LWT does not shorten the wait for this one."""


class AbsentEvaluator(Evaluator):
    """Evaluates an ``AbsentRule`` for one profile, in arrival time."""

    wakes = frozenset({Wake.HEARD})
    clock = Clock.ARRIVAL

    def __init__(self, rule: AbsentRule, profile: DeviceProfile) -> None:
        interval = profile.reporting_interval
        silent_for = SILENT_INTERVALS * interval if rule.hold is None else rule.hold
        offline_for = min(interval, silent_for) if rule.offline_for is None else rule.offline_for
        worse = sorted(rule.severities.items(), key=lambda item: item[0].rank)
        self._levels = [
            _Level(rule.severity, silent_for, offline_for),
            *(_Level(severity, longer.hold, longer.offline_for) for severity, longer in worse),
        ]
        durations = (silent_for, offline_for, *((str(s), longer.hold, longer.offline_for) for s, longer in worse))
        super().__init__(rule, profile, Fingerprint.of(rule, (), durations))

    def wants_heard(self, state: RuleState | None) -> bool:
        """Only to arm the first timer and to resolve: the timer itself looks up when the device was heard last."""
        return state is None or state.due_at is None or _firing(state) is not None

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Arm the timer; resolve an alert when the device is heard again."""
        alert = _firing(state)
        if alert is not None and moment.presence.online is True and moment.presence.last_heard_at != alert.since:
            resolved = Alert(AlertState.RESOLVED, moment.at, moment.at)
            fact = self._fact(moment, AlertState.RESOLVED, alert, **_meanwhile(moment.presence, alert))
            return RuleState(self.fingerprint, {"": resolved}, due_at=self._next(moment, None)), [fact]
        due = self._next(moment, alert)
        if due is None or (state is not None and state.due_at is not None and state.due_at <= due):
            return state, ()
        return RuleState(self.fingerprint, state.alerts if state else {}, due_at=due), ()

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Fire, or get worse, unless the device was heard since the timer was armed: then arm it anew."""
        before = _firing(state)
        reached = [
            (level, reason)
            for level in self._worse_than(before)
            for due, reason in [self._deadline(level, moment)]
            if due is not None and due <= moment.at
        ]
        if not reached:
            return replace(state, due_at=self._next(moment, before)), ()
        level, reason = reached[-1]
        heard = moment.presence.last_heard_at or moment.at
        count = moment.presence.count
        counted = {} if count is None else {"missed": count.missed, "restarts": count.restarts}
        facts = {"reason": reason, "for_s": level.silent_for.total_seconds(), **counted}
        more: dict[str, Any] = {}
        if level is not self._levels[0]:
            facts["severity"] = level.severity.value
        if before is not None:
            more["severity_before"] = before.facts.get("severity", self.rule.severity.value)
        alert = Alert(AlertState.FIRING, heard, heard, fired_at=before.fired_at if before else moment.at, facts=facts)
        fired = RuleState(self.fingerprint, {"": alert}, due_at=self._next(moment, alert))
        return fired, [self._fact(moment, AlertState.FIRING, alert, **more)]

    def adopt(self, state: RuleState, moment: Moment) -> tuple[RuleState, Sequence[Fact]]:
        """Keep what fires; otherwise the silence so far counts under the new durations."""
        return RuleState(self.fingerprint, state.alerts, due_at=self._next(moment, _firing(state))), ()

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """How long it waits."""
        told = [_told(level) for level in self._levels]
        if len(told) == 1:
            return told[0]
        alert = _firing(state)
        now = {"severity_now": self._severity_of(alert).value} if alert else {}
        return {
            **told[0],
            "severities": dict(zip((level.severity.value for level in self._levels), told, strict=True)),
            **now,
        }

    def _severity_of(self, alert: Alert) -> Severity:
        return Severity(alert.facts.get("severity", self.rule.severity))

    def _worse_than(self, alert: Alert | None) -> Sequence[_Level]:
        """What the silence may still become, the mildest first."""
        if alert is None:
            return self._levels
        rank = self._severity_of(alert).rank
        return [level for level in self._levels[1:] if level.severity.rank > rank]

    def _next(self, moment: Moment, alert: Alert | None) -> datetime | None:
        """When the silence becomes a fault, or a worse one than ``alert``; None: it does not."""
        dues = [due for level in self._worse_than(alert) if (due := self._deadline(level, moment)[0]) is not None]
        return min(dues, default=None)

    def _deadline(self, level: _Level, moment: Moment) -> tuple[datetime | None, str]:
        """Return when silence is so bad and why: ``late``, ``silent`` or ``offline``; None for a device never heard."""
        presence = moment.presence
        heard = presence.last_heard_at
        if heard is None:
            return None, ""
        # While nobody listened, nobody could be heard: an outage of ours is not the devices' silence.
        listening = moment.context.listening_since
        floor = heard if listening is None else max(heard, listening)
        deadline = floor + level.silent_for
        if presence.offline_since is not None and level.offline_for is not None:
            offline = max(presence.offline_since, floor) + level.offline_for
            if offline <= deadline:
                return offline, "offline"
        return deadline, "silent" if level is self._levels[-1] else "late"

    def _fact(self, moment: Moment, state: AlertState, alert: Alert, **more: Any) -> Fact:
        return self.transition(
            moment,
            state,
            alert,
            last_heard_at=rfc3339(alert.since),
            missed_at=rfc3339(alert.fired_at) if alert.fired_at else None,
            reason=alert.facts.get("reason"),
            for_s=alert.facts.get("for_s", self._levels[0].silent_for.total_seconds()),
            offline_since=rfc3339(since) if (since := moment.presence.offline_since) else None,
            **more,
        )


def _firing(state: RuleState | None) -> Alert | None:
    alert = state.alerts.get("") if state else None
    return alert if alert is not None and alert.state is AlertState.FIRING else None


def _told(level: _Level) -> dict[str, Any]:
    offline_for_s = None if level.offline_for is None else level.offline_for.total_seconds()
    return {"for_s": level.silent_for.total_seconds(), "offline_for_s": offline_for_s}


def _meanwhile(presence: Presence, alert: Alert) -> dict[str, Any]:
    """What a device that numbers its messages did while nobody heard it: it spoke on, or it restarted."""
    count, facts = presence.count, alert.facts
    if count is None or "missed" not in facts:
        return {}
    restarted = count.restarts > facts["restarts"]
    return {"missed_meanwhile": count.missed - facts["missed"], "restarted_meanwhile": restarted}
