"""Services that come due by the calendar, running hours, cycles or distance, whichever is first.

From life: a heat pump's filter wants changing every 2,000 running hours. At the rate of the last weeks that is on 14
March, so the customer is told two weeks before and answers "done" or "later".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from pydantic import Field

from device_models.event import Event, rfc3339
from device_models.profile import DeviceProfile, ServicePlan
from device_models.purpose import Purpose, Severity
from device_models.twin import Twin
from rules.alert import Alert
from rules.base import BaseRule
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.inputs import DeviceContext, Serviced, Snoozed
from rules.transition import AlertState

RATE_AFTER = timedelta(days=1)
"""Usage is extrapolated only once this much of it was seen: a morning says little about a month."""
RATE_OVER = timedelta(days=28)
"""…and over at most this long, so that a heating season ends."""
NOTICE_SHARE = 0.05
"""Where no date can be predicted yet, notice is given when this share of the interval is left."""

_NEVER = datetime.max.replace(tzinfo=UTC)


class MaintenanceRule(BaseRule):
    """See ``docs/rules.md``, "maintenance". Title and advice are the plan's."""

    kind: Literal["maintenance"] = "maintenance"
    purpose: Purpose = Purpose.MAINTENANCE
    severity: Severity = Severity.INFO
    overdue_severity: Severity = Severity.MINOR
    """From the day it is due."""
    plans: tuple[str, ...] = Field(default=())
    """Only these of the profile's plans; empty: all."""


class _Use(NamedTuple):
    """How far one limit of a plan is used up."""

    name: str
    field: str | None
    """The counter; None for the calendar."""
    every: float
    """In the counter's unit; days for the calendar."""
    used: float
    due_at: datetime | None
    """Predicted; None where nothing can be predicted yet."""

    @property
    def reached(self) -> bool:
        return self.used >= self.every

    @property
    def is_near(self) -> bool:
        return self.every - self.used <= NOTICE_SHARE * self.every


class MaintenanceEvaluator(Evaluator):
    """Evaluates a ``MaintenanceRule`` for one profile: counters as they are reported, calendar and trend in sweeps."""

    wakes = frozenset({Wake.SWEEP, Wake.VALUES})

    def __init__(self, rule: MaintenanceRule, profile: DeviceProfile) -> None:
        self._rule = rule
        self._plans = {name: plan for name, plan in profile.maintenance.items() if not rule.plans or name in rule.plans}
        plans = [plan.model_dump_json(exclude={"title", "advice"}) for plan in self._plans.values()]
        self._counters = {name: _counters(plan) for name, plan in self._plans.items()}
        super().__init__(
            rule,
            profile,
            Fingerprint.of(rule, ("plans",), (*self._plans, *plans)),
            reads=frozenset(field for counters in self._counters.values() for field, _ in counters),
        )

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take in a counter, a sweep, or somebody's answer."""
        item = moment.item
        if isinstance(item, Event):
            return self._heard(moment, state)
        if isinstance(item, Serviced):
            return self._serviced(moment, state, item) if item.plan in self._plans else (state, ())
        if isinstance(item, Snoozed):
            return self._snoozed(state, item) if item.plan in self._plans else (state, ())
        if moment.first_seen_at is None:
            return state, ()
        current = RuleState(self.fingerprint) if state is None else state
        facts: list[Fact] = []
        for name in self._plans:
            current, made = self._swept(moment, current, name)
            facts += made
        return current, facts

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Sweeps are its only timer."""
        return replace(state, due_at=None), ()

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """Each plan: what was last known of its use."""
        return {"plans": dict(state.memory) if state else {}}

    def _heard(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Look closer where a counter was never seen, was set back or reaches a limit; a sweep sees to the rest."""
        facts: list[Fact] = []
        for name, counters in self._counters.items():
            if any(field in moment.values and _is_news(moment, state, name, field, every) for field, every in counters):
                state, made = self._swept(moment, state or RuleState(self.fingerprint), name)
                facts += made
        return state, facts

    def _swept(self, moment: Moment, state: RuleState, name: str) -> tuple[RuleState, Sequence[Fact]]:
        plan, at = self._plans[name], moment.at
        memory = _observed(plan, state.memory.get(name) or _met(plan, moment), moment.twin, at)
        if memory != state.memory.get(name):
            state = replace(state, memory={**state.memory, name: memory})
        uses = _uses(plan, memory, moment.twin, at)
        if not uses:
            return state, ()
        alert = state.alerts.get(name)
        phase = _phase(plan, uses, at)
        if phase is None:
            # A counter corrected downwards, or a longer interval in an edited profile.
            return self._closed(moment, state, name, reason="not_due") if alert else (state, ())
        snoozed_until = datetime.fromisoformat(memory["snoozed_until"]) if "snoozed_until" in memory else None
        if snoozed_until is not None:
            if at < snoozed_until:
                return state, ()
            memory = {key: value for key, value in memory.items() if key != "snoozed_until"}
            state = replace(state, memory={**state.memory, name: memory})
        if alert is not None and alert.facts["phase"] == phase and snoozed_until is None:
            return state, ()
        severity = self._rule.overdue_severity if phase == "due" else self._rule.severity
        fired = Alert(
            AlertState.FIRING,
            alert.since if alert else at,
            at,
            fired_at=alert.fired_at if alert else at,
            facts={
                "phase": phase,
                "severity": severity.value,
                "title": dict(plan.title),
                "advice": dict(plan.advice) or dict(self._rule.advice),
            },
        )
        fact = self.transition(
            moment,
            AlertState.FIRING,
            fired,
            fault=name,
            reminder=True if alert is not None else None,
            **_explained(name, phase, uses, moment.twin),
        )
        return replace(state, alerts={**state.alerts, name: fired}), [fact]

    def _serviced(
        self, moment: Moment, state: RuleState | None, done: Serviced
    ) -> tuple[RuleState | None, Sequence[Fact]]:
        state = state or RuleState(self.fingerprint)
        plan = self._plans[done.plan]
        counters = {field: value for field, _ in _counters(plan) if (value := _count(moment.twin, field)) is not None}
        memory = {"since": rfc3339(done.at), "counters": counters, "usage": {}}
        state = replace(state, memory={**state.memory, done.plan: memory})
        return self._closed(moment, state, done.plan, reason="serviced") if done.plan in state.alerts else (state, ())

    def _snoozed(self, state: RuleState | None, asked: Snoozed) -> tuple[RuleState | None, Sequence[Fact]]:
        if state is None or asked.plan not in state.memory:
            return state, ()
        memory = {**state.memory[asked.plan], "snoozed_until": rfc3339(asked.until)}
        return replace(state, memory={**state.memory, asked.plan: memory}), ()

    def _closed(self, moment: Moment, state: RuleState, name: str, *, reason: str) -> tuple[RuleState, Sequence[Fact]]:
        alert = state.alerts[name]
        left = {plan: other for plan, other in state.alerts.items() if plan != name}
        fact = self.transition(moment, AlertState.RESOLVED, alert, fault=name, plan=name, reason=reason)
        return replace(state, alerts=left), [fact]


def _is_news(moment: Moment, state: RuleState | None, plan: str, field: str, every: float) -> bool:
    count = _count(moment.twin, field)
    memory = state.memory.get(plan) if state else None
    if count is None:
        return False
    if state is None or memory is None or field not in memory["usage"]:
        # Never seen, or not since the last service.
        return True
    if field in memory.get("set_back", {}) and count != memory["usage"][field][-1][1]:
        return True
    left = every - (count - memory["counters"][field])
    alert = state.alerts.get(plan)
    if alert is not None:
        return bool(left <= 0 and alert.facts["phase"] != "due")
    return bool(left <= NOTICE_SHARE * every or count < memory["usage"][field][-1][1])


def _counters(plan: ServicePlan) -> list[tuple[str, float]]:
    limits = (
        (plan.hours_field, plan.every_hours),
        (plan.cycles_field, plan.every_cycles),
        (plan.km_field, plan.every_km),
    )
    return [(field, every) for field, every in limits if every is not None]


def _count(twin: Twin, field: str) -> float | None:
    value = twin.values.get(field)
    return None if value is None or isinstance(value, str | bool) else float(value)


def _met(plan: ServicePlan, moment: Moment) -> dict[str, Any]:
    """Assume the service book of a device that the gateway just met was kept: counters from the last multiple of the
    interval, the calendar from the day of meeting."""
    return {"since": rfc3339(moment.first_seen_at or moment.at), "counters": {}, "usage": {}}


def _observed(plan: ServicePlan, memory: Mapping[str, Any], twin: Twin, at: datetime) -> dict[str, Any]:
    """Take note of the counters: where they began, how fast they run."""
    counters, usage, before = dict(memory["counters"]), dict(memory["usage"]), dict(memory.get("set_back", {}))
    for field, every in _counters(plan):
        count = _count(twin, field)
        if count is None:
            continue
        points = usage.get(field, [])
        if field not in counters:
            counters[field] = count // every * every
        if field in before and count != points[-1][1]:
            earlier = before.pop(field)
            if count >= earlier[-1][1]:
                # It was never set back: a device that says 0 once, before it has read its memory after a restart.
                counters[field] += earlier[-1][1] - points[-1][1]
                points = earlier
        if points and count < points[-1][1]:
            # The counter was set back, say with a new controller: what was used stays used.
            counters[field] -= points[-1][1] - count
            before[field], points = points, []
        if not points or at - datetime.fromisoformat(points[-1][0]) >= RATE_AFTER:
            points = [p for p in points if at - datetime.fromisoformat(p[0]) <= RATE_OVER]
            points = [*points, [rfc3339(at), count]]
        usage[field] = points
    others = {name: known for name, known in memory.items() if name != "set_back"}
    return {**others, "counters": counters, "usage": usage, **({"set_back": before} if before else {})}


def _uses(plan: ServicePlan, memory: Mapping[str, Any], twin: Twin, at: datetime) -> list[_Use]:
    uses = []
    if plan.every is not None:
        since = datetime.fromisoformat(memory["since"])
        days = timedelta(days=1)
        uses.append(_Use("calendar", None, plan.every / days, (at - since) / days, since + plan.every))
    for field, every in _counters(plan):
        count = _count(twin, field)
        if count is not None:
            used = count - memory["counters"][field]
            uses.append(_Use(field, field, every, used, _predicted(memory["usage"][field], count, every - used, at)))
    return uses


def _predicted(points: Sequence[Sequence[Any]], count: float, left: float, at: datetime) -> datetime | None:
    if left <= 0:
        return at
    since = datetime.fromisoformat(points[0][0])
    if at - since < RATE_AFTER or count <= points[0][1]:
        return None
    per_second = (count - points[0][1]) / (at - since).total_seconds()
    # Beyond ten years a date says nothing, and the arithmetic of dates ends.
    return (
        at + timedelta(seconds=left / per_second) if left / per_second < timedelta(days=3650).total_seconds() else None
    )


def _phase(plan: ServicePlan, uses: Sequence[_Use], at: datetime) -> str | None:
    if any(use.reached for use in uses):
        return "due"
    for use in uses:
        if use.due_at - plan.notice <= at if use.due_at is not None else use.is_near:
            return "upcoming"
    return None


def _explained(name: str, phase: str, uses: Sequence[_Use], twin: Twin) -> dict[str, Any]:
    # The limit that is reached first: by its date, or where there is none by the share that is used.
    first = min(uses, key=lambda use: (not use.reached, use.due_at or _NEVER, -use.used / use.every))
    explanation: dict[str, Any] = {
        "plan": name,
        "phase": phase,
        "limits": [
            {
                "limit": use.name,
                "every": use.every,
                "used": round(use.used, 1),
                "left": round(max(use.every - use.used, 0), 1),
                "due_at": rfc3339(use.due_at) if use.due_at else None,
            }
            for use in uses
        ],
        "values": {use.field: twin.values[use.field] for use in uses if use.field},
        "due_at": rfc3339(first.due_at) if first.due_at else None,
    }
    if first.field is not None:
        count = _count(twin, first.field) or 0.0
        explanation |= {"field": first.field, "limit": count - first.used + first.every, "direction": "above"}
    return explanation
