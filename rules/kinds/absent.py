"""A device that is silent for longer than its profile allows, or was declared offline and did not come back.

From life: a breaker tripped while the family is on holiday. The freezer's last word is its LWT; after one reporting
interval without a new word the case opens, hours before food thaws. A Wi-Fi hiccup of a minute opens nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from device_models.duration import Duration
from device_models.event import rfc3339
from device_models.presence import Presence
from device_models.profile import DeviceProfile
from rules.alert import Alert
from rules.base import BaseRule
from rules.evaluator import Clock, Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.inputs import DeviceContext
from rules.response.grouping import Grouping
from rules.transition import AlertState

SILENT_INTERVALS = 3
"""Default of ``for`` in reporting intervals: two messages may be lost without anybody being alarmed."""


class AbsentRule(BaseRule):
    """See ``docs/rules.md``, "absent"."""

    kind: Literal["absent"] = "absent"
    hold: Duration | None = Field(default=None, alias="for")
    """How long nothing was heard; None: three of the profile's reporting intervals."""
    offline_for: Duration | None = None
    """How long after the LWT, nothing having been heard since; None: one reporting interval, at most ``for``."""
    incident: Grouping = Grouping()
    """When several devices of one site that are silent become one incident; response goes by it."""


class AbsentEvaluator(Evaluator):
    """Evaluates an ``AbsentRule`` for one profile, in arrival time."""

    wakes = frozenset({Wake.HEARD})
    clock = Clock.ARRIVAL

    def __init__(self, rule: AbsentRule, profile: DeviceProfile) -> None:
        interval = profile.reporting_interval
        self._silent_for = SILENT_INTERVALS * interval if rule.hold is None else rule.hold
        self._offline_for = min(interval, self._silent_for) if rule.offline_for is None else rule.offline_for
        super().__init__(rule, profile, Fingerprint.of(rule, (), (self._silent_for, self._offline_for)))

    def wants_heard(self, state: RuleState | None) -> bool:
        """Only to arm the first timer and to resolve: the timer itself looks up when the device was heard last."""
        return state is None or state.due_at is None

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Arm the timer; resolve an alert when the device is heard again."""
        deadline, _ = self._deadline(moment.presence, moment.context)
        alert = state.alerts.get("") if state else None
        if alert is not None and alert.state is AlertState.FIRING:
            if moment.presence.online is not True or moment.presence.last_heard_at == alert.since:
                return state, ()
            resolved = Alert(AlertState.RESOLVED, moment.at, moment.at)
            fact = self._fact(moment, AlertState.RESOLVED, alert, moment.at, **_meanwhile(moment.presence, alert))
            return RuleState(self.fingerprint, {"": resolved}, due_at=deadline), [fact]
        if deadline is None or (state is not None and state.due_at is not None and state.due_at <= deadline):
            return state, ()
        return RuleState(self.fingerprint, state.alerts if state else {}, due_at=deadline), ()

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Fire, unless the device was heard since the timer was armed: then arm it anew."""
        deadline, reason = self._deadline(moment.presence, moment.context)
        if deadline is None or deadline > moment.at:
            return replace(state, due_at=deadline), ()
        heard = moment.presence.last_heard_at or moment.at
        count = moment.presence.count
        counted = {} if count is None else {"missed": count.missed, "restarts": count.restarts}
        alert = Alert(AlertState.FIRING, heard, heard, fired_at=moment.at, facts={"reason": reason, **counted})
        fired = RuleState(self.fingerprint, {"": alert})
        return fired, [self._fact(moment, AlertState.FIRING, alert, moment.at)]

    def adopt(self, state: RuleState, moment: Moment) -> tuple[RuleState, Sequence[Fact]]:
        """Keep what fires; otherwise the silence so far counts under the new durations."""
        deadline, _ = self._deadline(moment.presence, moment.context)
        alert = state.alerts.get("")
        firing = alert is not None and alert.state is AlertState.FIRING
        return RuleState(self.fingerprint, state.alerts, due_at=None if firing else deadline), ()

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """How long it waits."""
        return {"for_s": self._silent_for.total_seconds(), "offline_for_s": self._offline_for.total_seconds()}

    def _deadline(self, presence: Presence, context: DeviceContext) -> tuple[datetime | None, str]:
        """Return when silence becomes a fault and why: ``silent`` or ``offline``; None for a device never heard."""
        heard = presence.last_heard_at
        if heard is None:
            return None, ""
        # While nobody listened, nobody could be heard: an outage of ours is not the devices' silence.
        listening = context.listening_since
        floor = heard if listening is None else max(heard, listening)
        deadline = floor + self._silent_for
        if presence.offline_since is not None:
            offline = max(presence.offline_since, floor) + self._offline_for
            if offline <= deadline:
                return offline, "offline"
        return deadline, "silent"

    def _fact(self, moment: Moment, state: AlertState, alert: Alert, at: datetime, **more: Any) -> Fact:
        return self.transition(
            moment,
            state,
            alert,
            at=at,
            last_heard_at=rfc3339(alert.since),
            reason=alert.facts.get("reason"),
            for_s=self._silent_for.total_seconds(),
            offline_since=rfc3339(since) if (since := moment.presence.offline_since) else None,
            **more,
        )


def _meanwhile(presence: Presence, alert: Alert) -> dict[str, Any]:
    """What a device that numbers its messages did while nobody heard it: it spoke on, or it restarted."""
    count, facts = presence.count, alert.facts
    if count is None or "missed" not in facts:
        return {}
    restarted = count.restarts > facts["restarts"]
    return {"missed_meanwhile": count.missed - facts["missed"], "restarted_meanwhile": restarted}
