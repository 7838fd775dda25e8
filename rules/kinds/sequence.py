"""One thing after another, or one thing without the other that should have followed it.

From life: a freezer's door was closed after the shopping was put away, and half an hour later its compressor has not
run: it should have started at once. No single value is wrong yet. The other form is a pump that reports low pressure
and then, within ten minutes, high temperature, without having been switched off in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from device_models.duration import Duration, format_duration
from device_models.event import rfc3339
from device_models.profile import DeviceProfile
from device_models.sentences import sentence
from rules.alert import Alert
from rules.base import BaseRule
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.expression import Expression, NoSample, compile_expression
from rules.inputs import DeviceContext
from rules.kinds.condition import STALE_INTERVALS, Cel
from rules.transition import AlertState

CLEAR_AFTER = timedelta(hours=24)
"""Default of ``clear_for`` where the rule is about what should not follow: perhaps nothing ever proves it is over."""


class SequenceRule(BaseRule):
    """See ``docs/rules.md``, "sequence". Either ``then`` or ``then_not``."""

    kind: Literal["sequence"] = "sequence"
    first: Cel
    """What begins it, at the moment when it becomes true."""
    then: Cel | None = None
    """What must not follow: fires when it becomes true within the time."""
    then_not: Cel | None = None
    """What must follow: fires at the end of the time if it was never true in it."""
    within: Duration
    without: Cel | None = None
    """What breaks the sequence when it is true in between."""
    clear_when: Cel | None = None
    """Resolves when this holds; None: when a sequence goes as it should, or after ``clear_for``."""
    clear_for: Duration | None = Field(default=None)
    """Resolves so long after it happened last; None: 24 hours for ``then``, never for ``then_not``."""

    @model_validator(mode="after")
    def _says_what_follows(self) -> Self:
        if (self.then is None) == (self.then_not is None):
            raise ValueError(sentence("takes either then or then_not"))
        for name in ("within", "clear_for"):
            duration = getattr(self, name)
            if duration is not None and duration <= timedelta(0):
                raise ValueError(sentence("{1} must be longer than 0", name))
        if self.clear_when is not None and self.clear_for is not None:
            raise ValueError(sentence("clear_when and clear_for do not go together"))
        return self


@dataclass(frozen=True, slots=True)
class _Memory:
    """What a rule remembers between two samples."""

    first: bool | None = None
    """What the expressions said last; None: not known, so that what is true at first is no becoming true."""
    second: bool | None = None
    armed_at: datetime | None = None
    """When ``first`` became true, while it is open what follows."""
    heard_at: datetime | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        armed, heard = data.get("armed_at"), data.get("heard_at")
        return cls(
            data.get("first"),
            data.get("second"),
            datetime.fromisoformat(armed) if armed else None,
            datetime.fromisoformat(heard) if heard else None,
        )

    def to_json(self, of: str) -> dict[str, Any]:
        """Return the JSON-ready form."""
        data: dict[str, Any] = {"of": of, "first": self.first, "second": self.second}
        if self.armed_at is not None:
            data["armed_at"] = rfc3339(self.armed_at)
        if self.heard_at is not None:
            data["heard_at"] = rfc3339(self.heard_at)
        return data


@dataclass(slots=True)
class _Course:
    """A draft of one step: where the alert and the memory go, and what is told of it."""

    memory: _Memory
    alert: Alert | None
    facts: list[Fact] = field(default_factory=list)


class SequenceEvaluator(Evaluator):
    """Evaluates a ``SequenceRule`` for one profile."""

    wakes = frozenset({Wake.VALUES, Wake.HEARD})

    def __init__(self, rule: SequenceRule, profile: DeviceProfile) -> None:
        self._rule = rule
        self._first = compile_expression(rule.first, profile)
        self._second = compile_expression(rule.then or rule.then_not or "", profile)
        self._without = compile_expression(rule.without, profile) if rule.without else None
        self._clear = compile_expression(rule.clear_when, profile) if rule.clear_when else None
        self._must_follow = rule.then_not is not None
        self._of = f"{rule.first} > {'!' if self._must_follow else ''}{self._second.source}"
        self._stale_after = STALE_INTERVALS * profile.reporting_interval
        clears_by_time = rule.clear_when is None and not self._must_follow
        self._clear_for = rule.clear_for or (CLEAR_AFTER if clears_by_time else None)
        self._fields = tuple(dict.fromkeys(name for expression in self.expressions for name in expression.fields))
        super().__init__(
            rule,
            profile,
            Fingerprint.of(rule, (self._of, rule.without), (rule.within, rule.clear_when, self._clear_for)),
            reads=frozenset(self._fields),
        )

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All that it evaluates."""
        return tuple(e for e in (self._first, self._second, self._without, self._clear) if e is not None)

    def wants_heard(self, state: RuleState | None) -> bool:
        """While a timer runs: what did not follow did so only if the device would have said otherwise."""
        return state is not None and state.due_at is not None

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Follow the sequence one sample further."""
        memory = self._remembered(state)
        if moment.presence.online is not False:
            # The will is the broker's word, not the device's.
            memory = replace(memory, heard_at=moment.at)
        course = _Course(memory, state.alerts.get("") if state else None)
        if self.reads.isdisjoint(moment.values):
            return self._state(course), ()
        first, broken = self._so(self._first, moment), self._so(self._without, moment)
        # What must follow has to be known not to have; otherwise a device without that field would never be in order.
        second = self._second.evaluate(moment.scope) if self._must_follow else self._so(self._second, moment)
        for verdict in (first, second, broken):
            if isinstance(verdict, NoSample):
                moment.unsampled[self.rule.id] = verdict.reason
                return self._state(course), ()
        if self._must_follow:
            self._follow_up(moment, course, bool(first), bool(second), bool(broken))
        else:
            self._follow(moment, course, bool(first), bool(second), bool(broken))
        course.memory = replace(
            course.memory,
            first=self._known(self._first, moment, bool(first)),
            second=self._known(self._second, moment, bool(second)),
        )
        self._clear_by_sample(moment, course)
        return self._state(course), course.facts

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """End the time in which it had to follow, or the time after which it is over."""
        course = _Course(self._remembered(state), state.alerts.get(""))
        armed_at, heard_at = course.memory.armed_at, course.memory.heard_at
        fresh = heard_at is not None and heard_at + self._stale_after >= moment.at
        if armed_at is not None and armed_at + self._rule.within <= moment.at:
            course.memory = replace(course.memory, armed_at=None)
            # Of a device that was silent nobody knows what followed.
            if fresh and self._must_follow:
                self._happened(moment, course, armed_at)
            elif fresh:
                self._as_it_should(moment, course)
        elif fresh and self._is_over(course.alert, moment.at):
            self._resolve(moment, course)
        settled = self._state(course)
        # A timer that could not act for want of samples is not set again: the next sample looks.
        stuck = settled.due_at is not None and settled.due_at <= moment.at
        return (replace(settled, due_at=None) if stuck else settled), course.facts

    def next_due(self, state: RuleState) -> datetime | None:
        """The end of the time in which it may follow, or when the alert is over."""
        armed_at, alert = self._remembered(state).armed_at, state.alerts.get("")
        dues = [] if armed_at is None else [armed_at + self._rule.within]
        if self._clear_for is not None and alert is not None and alert.state is AlertState.FIRING:
            dues.append(alert.sampled_at + self._clear_for)
        return min(dues, default=None)

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """The sequence, and how far it has come."""
        armed_at = self._remembered(state).armed_at
        return {
            "condition": self._says,
            "clear_when": self._rule.clear_when,
            "reads": list(self._fields),
            "within_s": self._rule.within.total_seconds(),
            "clear_for_s": self._clear_for.total_seconds() if self._clear_for else None,
            "first_at": rfc3339(armed_at) if armed_at else None,
        }

    @property
    def _says(self) -> str:
        rule = self._rule
        follows = f"and then not {rule.then_not}" if self._must_follow else f"and then {rule.then}"
        without = f", without {rule.without}" if rule.without else ""
        return f"{rule.first}, {follows} within {format_duration(rule.within)}{without}"

    def _follow(self, moment: Moment, course: _Course, first: bool, second: bool, broken: bool) -> None:
        """``then``: it must not follow. What one message says has no order, so it is no sequence."""
        memory = course.memory
        armed_at = None if broken else memory.armed_at
        if armed_at is not None and second and memory.second is False:
            self._happened(moment, course, armed_at)
            armed_at = None
        if first and memory.first is False and not broken:
            armed_at = moment.at
        course.memory = replace(memory, armed_at=armed_at)

    def _follow_up(self, moment: Moment, course: _Course, first: bool, second: bool, broken: bool) -> None:
        """``then_not``: it must follow. The first time it did not counts, however often ``first`` comes again."""
        memory = course.memory
        armed_at = None if broken or second else memory.armed_at
        if second:
            self._as_it_should(moment, course)
        elif armed_at is None and first and memory.first is False and not broken:
            armed_at = moment.at
        course.memory = replace(memory, armed_at=armed_at)

    def _happened(self, moment: Moment, course: _Course, first_at: datetime) -> None:
        firing = course.alert
        if firing is not None and firing.state is AlertState.FIRING:
            # It goes on: one episode, however often it happens.
            facts = {**firing.facts, "times": firing.facts.get("times", 1) + 1}
            course.alert = replace(firing, sampled_at=moment.at, clear_since=None, facts=facts)
            return
        course.alert = Alert(AlertState.FIRING, first_at, moment.at, fired_at=moment.at, facts={"times": 1})
        course.facts.append(self._fact(moment, AlertState.FIRING, course.alert))

    def _as_it_should(self, moment: Moment, course: _Course) -> None:
        if self._clear is None:
            self._resolve(moment, course)

    def _clear_by_sample(self, moment: Moment, course: _Course) -> None:
        if course.alert is None or course.alert.state is not AlertState.FIRING or course.alert.fired_at == moment.at:
            return
        if self._clear is not None:
            clears = self._clear.evaluate(moment.scope)
            if isinstance(clears, NoSample):
                moment.unsampled[self.rule.id] = clears.reason
            elif clears:
                self._resolve(moment, course)
        elif self._is_over(course.alert, moment.at):
            self._resolve(moment, course)

    def _is_over(self, alert: Alert | None, at: datetime) -> bool:
        if alert is None or alert.state is not AlertState.FIRING or self._clear_for is None:
            return False
        return at - alert.sampled_at >= self._clear_for

    def _resolve(self, moment: Moment, course: _Course) -> None:
        alert = course.alert
        if alert is None or alert.state is not AlertState.FIRING:
            return
        course.facts.append(self._fact(moment, AlertState.RESOLVED, alert))
        course.alert = Alert(AlertState.RESOLVED, moment.at, moment.at)

    def _so(self, expression: Expression | None, moment: Moment) -> bool | NoSample:
        """Tell whether it is so; what was never said, such as a code that never came, is not."""
        if expression is None:
            return False
        verdict = expression.evaluate(moment.scope)
        return False if isinstance(verdict, NoSample) and _misses(expression, moment) else verdict

    def _known(self, expression: Expression, moment: Moment, verdict: bool) -> bool | None:
        """What is remembered of a verdict: nothing while the gateway has yet to hear all of a new device."""
        return None if moment.arriving and _misses(expression, moment) else verdict

    def _remembered(self, state: RuleState | None) -> _Memory:
        memory = state.memory if state else {}
        return _Memory.of(memory) if memory.get("of") == self._of else _Memory()

    def _state(self, course: _Course) -> RuleState:
        by_fault = {} if course.alert is None else {"": course.alert}
        state = RuleState(self.fingerprint, by_fault, course.memory.to_json(self._of))
        return replace(state, due_at=self.next_due(state))

    def _fact(self, moment: Moment, state: AlertState, alert: Alert) -> Fact:
        known, specs = moment.twin.values, self.profile.fields
        return self.transition(
            moment,
            state,
            alert,
            condition=self._says,
            first=self._rule.first,
            then=self._rule.then,
            then_not=self._rule.then_not,
            without=self._rule.without,
            within_s=self._rule.within.total_seconds(),
            first_at=rfc3339(alert.since),
            times=alert.facts.get("times"),
            values={name: known[name] for name in self._fields if name in known},
            units={name: specs[name].unit for name in self._fields if name in specs and specs[name].unit},
        )


def _misses(expression: Expression, moment: Moment) -> bool:
    return any(name not in moment.twin.values for name in expression.fields)
