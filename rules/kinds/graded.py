"""Conditions that time alone can move, that have several severities, or that must be met several times.

From life: a door stands open and says so once; ten minutes later ``door_open && age("door_open") > duration("10m")``
is true although nobody spoke. A freezer at -11 °C is a fault, at -7 °C the food is at stake: one case, told twice. A
compressor that trips once restarts; one that trips three times within an hour does not get better by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from device_models.event import rfc3339
from device_models.profile import DeviceProfile
from device_models.purpose import Severity
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.conditions.called import JUST_AFTER_S
from rules.evaluator import Fact, Fingerprint, Moment, RuleState, Wake
from rules.expression import Expression, NoSample, Scope, compile_expression
from rules.inputs import DeviceContext
from rules.kinds.condition import FOREVER, ConditionEvaluator, ConditionRule, judged
from rules.transition import AlertState
from rules.windows import Times


@dataclass(frozen=True, slots=True)
class _Level:
    """One severity of the fault."""

    severity: Severity
    when: Expression
    clear: Expression | None
    timing: Timing
    told: dict[str, Any]
    """What is the same in its every explanation."""


@dataclass(slots=True)
class _Course:
    """A rule's state on its way through one step."""

    alert: Alert | None
    """What the rule as a whole says."""
    levels: dict[Severity, Alert]
    occurred: Alert | None = None
    """With ``times``: the single occurrence that is under way."""
    times: list[float] = field(default_factory=list)
    """When it occurred, in seconds since 1970."""
    looks_at: datetime | None = None
    """When the answer may become another by time alone."""
    missed: bool = False
    """That time came while the device was silent: the next sign of life is to look."""
    reason: str | None = None
    """Why without a sample."""
    missing: str | None = None


class GradedEvaluator(ConditionEvaluator):
    """Evaluates any ``ConditionRule`` for one profile."""

    wakes = frozenset({Wake.VALUES, Wake.HEARD})

    def __init__(self, rule: ConditionRule, profile: DeviceProfile) -> None:
        self._profile = profile
        self._more = [
            expression
            for rise in rule.severities.values()
            for source in (rise.when, rise.clear_when)
            if source is not None and (expression := compile_expression(source, profile))
        ]
        super().__init__(rule, profile)
        base_timing = self._timing if rule.times is None else self._timing._replace(hold=timedelta(0))
        self._levels = [_Level(rule.severity, self._when, self._clear, base_timing, self._told)]
        for severity, rise in sorted(rule.severities.items(), key=lambda item: item[0].rank):
            when = compile_expression(rise.when, profile)
            clear = compile_expression(rise.clear_when, profile) if rise.clear_when else None
            hold = rule.hold if rise.hold is None else rise.hold
            told = self._always_told(profile, when, rise.when, rise.clear_when, hold)
            self._levels.append(_Level(severity, when, clear, self._timing._replace(hold=hold), told))
        self._every = self.expressions
        self._calls = tuple({c.variable: c for e in self.expressions for c in e.calls}.values())
        self._variables = tuple({pair: None for e in self.expressions for pair in e.variables})

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Those of all severities."""
        return (*super().expressions, *self._more)

    def _fingerprint(self) -> Fingerprint:
        rule = self._rule
        rises = [(severity.value, rise) for severity, rise in rule.severities.items()]
        again = (rule.times, rule.within) if rule.times else ()
        return Fingerprint.of(
            rule,
            (rule.when, *again, *((severity, rise.when) for severity, rise in rises)),
            (rule.clear_when, *self._timing, *((severity, rise.hold, rise.clear_when) for severity, rise in rises)),
        )

    def wants_heard(self, state: RuleState | None) -> bool:
        """Whether time changed the answer while the device was silent."""
        return state is not None and "missed" in state.memory

    def steady(self, state: RuleState) -> None:
        """Each sample counts."""
        return

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Evaluate every severity's condition."""
        scope = moment.scope
        if self.reads.isdisjoint(moment.values):
            if moment.presence.online is False:
                # The will is the broker's word: no sign of life.
                return state, ()
            scope = Scope(moment.twin.values, self._variables, self._calls, moment.scope.around)
        course = self._course(state)
        course.missed = False
        self._sample(course, scope, moment)
        if course.missing is not None:
            moment.unsampled[self.rule.id] = course.missing
            if not course.levels:
                return state, ()
        return self._settle(moment, course, scope)

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Look at what time has changed, and let the timers of each severity act."""
        course, at = self._course(state), moment.at
        if course.looks_at is not None and course.looks_at <= at:
            course.looks_at = None
            if self._is_heard(moment):
                self._sample(course, moment.scope, moment)
            else:
                course.missed = True
        self._release_occurrence(course, moment)
        for level in self._levels:
            before = course.levels.get(level.severity)
            if before is not None:
                course.levels[level.severity], changes = alerts.release(before, at, level.timing)
                course.reason = next((change.reason for change in changes if change.reason), course.reason)
        return self._settle(moment, course, moment.scope)

    def adopt(self, state: RuleState, moment: Moment) -> tuple[RuleState, Sequence[Fact]]:
        """Take over a state made under other settings; look again at once, since time may be read otherwise now."""
        adopted, facts = super().adopt(state, moment)
        course = self._course(adopted)
        if state.fingerprint.meaning != self.fingerprint.meaning:
            firing = {s: alert for s, alert in course.levels.items() if alert.state is AlertState.FIRING}
            course.levels, course.occurred, course.times = firing, None, []
        course.looks_at = moment.at if self._turns else None
        return self._kept(course), facts

    def next_due(self, state: RuleState) -> datetime | None:
        """The earliest timer of any severity, or when time may change an answer."""
        return self._due(self._course(state))

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """Each severity with where it stands, and how often it occurred."""
        told = super().explain(context, state, at)
        course = self._course(state)
        if len(self._levels) > 1:
            told["severities"] = {
                level.severity.value: {
                    "condition": level.told["condition"],
                    "clear_when": level.told["clear_when"],
                    "for_s": level.timing.hold.total_seconds(),
                    "limits": [limit._asdict() for limit in level.when.limits],
                    "state": alert.state.value if (alert := course.levels.get(level.severity)) else "inactive",
                    "since": rfc3339(alert.since) if alert else None,
                }
                for level in self._levels
            }
        if self._rule.times is not None:
            told |= {"times": self._rule.times, "occurred": [rfc3339(_at(t)) for t in self._lately(course, at)]}
        return told | {"looks_at": rfc3339(course.looks_at) if course.looks_at else None}

    def _course(self, state: RuleState | None) -> _Course:
        if state is None:
            return _Course(None, {})
        memory, alert = state.memory, state.alerts.get("")
        levels = {
            level.severity: Alert.from_json(kept)
            for level in self._levels
            if (kept := memory.get("levels", {}).get(level.severity.value))
        }
        open_levels = any(known.is_open for known in levels.values())
        if alert is not None and (len(self._levels) == 1 or (alert.is_open and not open_levels)):
            # The only severity, or what an edit found open under other settings.
            levels[self._levels[0].severity] = alert
        return _Course(
            alert,
            levels,
            Alert.from_json(memory["occurred"]) if "occurred" in memory else None,
            memory.get("times", []),
            datetime.fromisoformat(memory["looks_at"]) if "looks_at" in memory else None,
            "missed" in memory,
        )

    def _kept(self, course: _Course) -> RuleState:
        memory: dict[str, Any] = {}
        if len(self._levels) > 1 and course.levels:
            memory["levels"] = {severity.value: alert.to_json() for severity, alert in course.levels.items()}
        if course.occurred is not None:
            memory["occurred"] = course.occurred.to_json()
        if course.times:
            memory["times"] = course.times
        if course.looks_at is not None:
            memory["looks_at"] = rfc3339(course.looks_at)
        if course.missed:
            memory["missed"] = True
        by_fault = {} if course.alert is None else {"": course.alert}
        return RuleState(self.fingerprint, by_fault, memory, self._due(course))

    def _due(self, course: _Course) -> datetime | None:
        dues = [course.looks_at]
        dues += [alerts.due_at(a, level.timing) for level in self._levels if (a := course.levels.get(level.severity))]
        if course.occurred is not None:
            dues.append(alerts.due_at(course.occurred, self._timing))
        return min((due for due in dues if due is not None), default=None)

    def _sample(self, course: _Course, scope: Scope, moment: Moment) -> None:
        for level in self._levels:
            before = course.levels.get(level.severity)
            repeats = self._rule.times is not None and level is self._levels[0]
            verdict = judged(level.when, level.clear, course.occurred if repeats else before, scope)
            if isinstance(verdict, NoSample):
                course.missing = verdict.reason
                continue
            if repeats:
                verdict = self._occurring(course, *verdict, moment)
                before = course.levels.get(level.severity)
            course.levels[level.severity], _ = alerts.sample(
                before, *verdict, moment.at, level.timing, arriving=moment.arriving
            )

    def _occurring(self, course: _Course, holds: bool, clears: bool, moment: Moment) -> tuple[bool, bool]:
        """Follow the single occurrence; return whether there were enough of them, and whether it is over."""
        timing = Timing(self._timing.hold, timedelta(0), self._timing.stale_after)
        course.occurred, changes = alerts.sample(
            course.occurred, holds, clears, moment.at, timing, arriving=moment.arriving
        )
        if any(change.state is AlertState.FIRING for change in changes):
            self._note_occurrence(course, moment.at)
        enough = self._has_enough(course, moment.at)
        return enough and course.occurred.is_open, not enough and not course.occurred.is_open

    def _release_occurrence(self, course: _Course, moment: Moment) -> None:
        if course.occurred is None:
            return
        timing = Timing(self._timing.hold, timedelta(0), self._timing.stale_after)
        course.occurred, changes = alerts.release(course.occurred, moment.at, timing)
        if any(change.state is AlertState.FIRING for change in changes):
            self._note_occurrence(course, moment.at)
            base = self._levels[0]
            if self._has_enough(course, moment.at):
                course.levels[base.severity], _ = alerts.sample(
                    course.levels.get(base.severity), True, False, moment.at, base.timing
                )

    def _note_occurrence(self, course: _Course, at: datetime) -> None:
        course.times = Times(course.times).after(at.timestamp(), self._rule.times or 1).times

    def _lately(self, course: _Course, at: datetime) -> list[float]:
        return Times(course.times).within(at.timestamp() + JUST_AFTER_S, self._within_s)

    def _has_enough(self, course: _Course, at: datetime) -> bool:
        return self._rule.times is not None and len(self._lately(course, at)) >= self._rule.times

    def _settle(self, moment: Moment, course: _Course, scope: Scope) -> tuple[RuleState, Sequence[Fact]]:
        """Put the severities together, and work out when time may change an answer."""
        before = course.alert
        course.alert, states, speaks = self._together(course, moment.at)
        course.looks_at = self._looks_at(course, moment.at, scope)
        if not states:
            return self._kept(course), ()
        # An episode that ended is told with the start and the severity it had.
        ended = not course.alert.is_open
        episode = before if ended and before is not None else course.alert
        told = speaks.told | self._values(moment, scope)
        if course.times:
            told |= {"count": len(self._lately(course, moment.at)), "within_s": self._within_s}
        if not ended and before is not None and before.state is AlertState.FIRING:
            told["severity_before"] = self._severity_of(before)
        facts = [self.transition(moment, state, episode, reason=course.reason, **told) for state in states]
        return self._kept(course), facts

    def _imply(self, course: _Course, at: datetime) -> None:
        """What is so bad is at least as bad as the milder severities whose conditions hold: they wait no longer.

        So the end is theirs: a freezer that was critical is not in order again before the rule's own ``clear_when``.
        """
        fires = False
        for level in reversed(self._levels):
            alert = course.levels.get(level.severity)
            if alert is not None and alert.state is AlertState.FIRING:
                fires = True
            elif alert is not None and fires and alert.state is AlertState.PENDING:
                course.levels[level.severity] = replace(alert, state=AlertState.FIRING, fired_at=at)

    def _together(self, course: _Course, at: datetime) -> tuple[Alert, list[AlertState], _Level]:
        """Return what the rule says as a whole, what of it is news, and the severity it speaks of."""
        before, base = course.alert, self._levels[0]
        self._imply(course, at)
        firing = [level for level in self._levels if _is(course, level, AlertState.FIRING)]
        pending = [level for level in self._levels if _is(course, level, AlertState.PENDING)]
        was_firing = before is not None and before.state is AlertState.FIRING
        worst = (firing or pending or [base])[-1]
        if len(self._levels) == 1:
            now = course.levels[base.severity]
            # ``since`` may begin anew within one sample, from pending to inactive to pending: no such sample exists.
            return now, [now.state] if _differs(before, now) else [], base
        facts = {"severity": worst.severity.value}
        if firing or pending:
            state = AlertState.FIRING if firing else AlertState.PENDING
            if was_firing and not firing:
                return Alert(AlertState.RESOLVED, at, at), [AlertState.RESOLVED], base
            known = [course.levels[level.severity] for level in (*firing, *pending)]
            carried = before if before is not None and before.is_open else None
            now = Alert(
                state,
                carried.since if carried else min(alert.since for alert in known),
                max(alert.sampled_at for alert in known),
                (carried.fired_at if carried else None) or (at if firing else None),
                None,
                carried.on_arrival if carried else known[0].on_arrival,
                facts,
            )
            same = carried is not None and carried.state is state
            known_so = same and (not firing or self._severity_of(now) == self._severity_of(carried or now))
            return now, [] if known_so else [state], worst
        if before is None or not before.is_open:
            return before or Alert(AlertState.INACTIVE, at, at), [], base
        if was_firing:
            return Alert(AlertState.RESOLVED, at, at, on_arrival=before.on_arrival), [AlertState.RESOLVED], base
        return Alert(AlertState.INACTIVE, at, at), [AlertState.INACTIVE], base

    def _looks_at(self, course: _Course, at: datetime, scope: Scope) -> datetime | None:
        turns = [e.turns_at(scope.around) for e in self._every] if scope.around is not None else []
        if self._rule.times is not None and course.alert is not None and course.alert.state is AlertState.FIRING:
            lately = self._lately(course, at)
            if len(lately) >= self._rule.times:
                turns.append(_at(lately[-self._rule.times]) + timedelta(seconds=self._within_s))
        found = min((turn for turn in turns if turn is not None and turn > at), default=None)
        waiting = course.looks_at
        # A timer that waits already is not moved with every message; it finds nothing changed and waits again.
        return waiting if waiting is not None and found is not None and at < waiting < found else found

    def _severity_of(self, alert: Alert) -> str:
        return str(alert.facts.get("severity", self.rule.severity.value))

    @property
    def _turns(self) -> bool:
        return bool(self._calls) or self._rule.times is not None

    @property
    def _within_s(self) -> float:
        return (self._rule.within or timedelta(0)).total_seconds()

    def _is_heard(self, moment: Moment) -> bool:
        """Whether the device said anything lately, be it of other fields: what it did not say then did not happen."""
        if self._timing.stale_after == FOREVER:
            return True
        heard_at = max(moment.twin.observed_at.values(), default=None)
        return heard_at is not None and heard_at + self._timing.stale_after >= moment.at


def _is(course: _Course, level: _Level, state: AlertState) -> bool:
    alert = course.levels.get(level.severity)
    return alert is not None and alert.state is state


def _differs(before: Alert | None, now: Alert) -> bool:
    if before is None:
        return now.is_open
    return before.state is not now.state and (before.is_open or now.is_open)


def _at(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


def condition_evaluator(rule: ConditionRule, profile: DeviceProfile) -> ConditionEvaluator:
    """Make a condition ready for the devices of one profile, as simply as it allows."""
    plain = ConditionEvaluator(rule, profile)
    if rule.is_plain and not any(expression.moves_by_time for expression in plain.expressions):
        return plain
    return GradedEvaluator(rule, profile)
