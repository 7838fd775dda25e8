"""A CEL condition over the twin that holds for a duration; hysteresis clears it.

From life: a freezer's door was pushed to and stands ajar. ``temperature > -12`` holds for ten minutes, so it fires;
while the compressor fights, -13 °C neither resolves nor reopens it; at -15 °C it is over.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from device_models.duration import Duration
from device_models.profile import DeviceProfile
from device_models.purpose import Severity
from device_models.sentences import sentence, words_of
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.base import BaseRule
from rules.conditions.functions import AGES, FUNCTIONS
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.expression import Expression, ExpressionError, NoSample, Scope, compile_expression
from rules.inputs import DeviceContext
from rules.transition import AlertState

STALE_INTERVALS = 3
"""A sample speaks for this many reporting intervals; after that silence proves nothing."""
FOREVER = timedelta(days=36_500)


def _cel(source: str, info: ValidationInfo) -> str:
    try:
        compile_expression(source)
    except ExpressionError as error:
        # The offset lets the file's error point into the expression.
        raise PydanticCustomError("cel", "{reason}", {"reason": words_of(error), "offset": error.offset}) from error
    return source


Cel = Annotated[
    str,
    AfterValidator(_cel),
    Field(
        description="A condition in CEL over the profile's fields. Beside CEL's own functions: "
        + "; ".join(f"{signature.example}: {signature.says}" for signature in FUNCTIONS.values()),
        examples=["temperature > -12 && !door_open", 'door_open && age("door_open") > duration("10m")'],
    ),
]


class Rise(BaseModel):
    """A worse state of the same fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    when: Cel
    """CEL over the profile's fields."""
    hold: Duration | None = Field(default=None, alias="for")
    """How long it must hold; None: the rule's ``for``."""
    clear_when: Cel | None = None
    """It is this bad until this holds; None: until ``when`` does not."""


class ConditionRule(BaseRule):
    """See ``docs/rules.md``, "condition"."""

    kind: Literal["condition"] = "condition"
    when: Cel
    """CEL over the profile's fields."""
    hold: Duration = Field(default=timedelta(0), alias="for")
    """How long ``when`` must hold, in the device's time."""
    clear_when: Cel | None = None
    """Resolves when this holds; None: when ``when`` does not."""
    clear_for: Duration = timedelta(0)
    severities: dict[Severity, Rise] = Field(default_factory=dict)
    """Worse states of the same fault, by their severity: one alert and one case, whose severity rises and falls."""
    times: int | None = Field(default=None, ge=2, le=100)
    """Fires when ``when`` came to hold (for ``for``) so often ``within`` a time; None: the first time."""
    within: Duration | None = None

    @property
    def is_plain(self) -> bool:
        """Whether there is one severity, and once is enough."""
        return not self.severities and self.times is None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for severity in self.severities:
            if severity.rank <= self.severity.rank:
                raise ValueError(
                    sentence("severities: {1} is no worse than the rule's own severity, {2}", severity, self.severity)
                )
        if (self.times is None) != (self.within is None):
            raise ValueError(sentence("times and within belong together"))
        if self.times is not None and self.within is not None and self.within <= self.times * self.hold:
            raise ValueError(sentence("within must be longer than so many times 'for'"))
        return self


class ConditionEvaluator(Evaluator):
    """Evaluates a ``ConditionRule`` that only what a device says can move; see ``graded`` for the others."""

    wakes = frozenset({Wake.VALUES})

    def __init__(self, rule: ConditionRule, profile: DeviceProfile) -> None:
        self._when = compile_expression(rule.when, profile)
        self._clear = compile_expression(rule.clear_when, profile) if rule.clear_when else None
        self._rule = rule
        self._timing = Timing(rule.hold, rule.clear_for, stale_after(self.expressions, profile))
        self._fields = tuple(dict.fromkeys(field for expression in self.expressions for field in expression.fields))
        self._told = self._always_told(profile, self._when, rule.when, rule.clear_when, rule.hold)
        super().__init__(rule, profile, self._fingerprint(), reads=frozenset(self._fields))

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """``when`` and, where given, ``clear_when``."""
        return (self._when,) if self._clear is None else (self._when, self._clear)

    def _fingerprint(self) -> Fingerprint:
        rule = self._rule
        return Fingerprint.of(rule, (rule.when,), (rule.clear_when, *self._timing))

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Evaluate the condition over the twin; an error in it is no sample and changes nothing."""
        before = state.alerts.get("") if state else None
        verdict = judged(self._when, self._clear, before, moment.scope)
        if isinstance(verdict, NoSample):
            moment.unsampled[self.rule.id] = verdict.reason
            return state, ()
        after, changes = alerts.sample(before, *verdict, moment.at, self._timing, arriving=moment.arriving)
        return self._settled(moment, state, before, after, changes)

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Complete ``for`` or ``clear_for`` on the last sample, or give up on one that went stale."""
        before = state.alerts[""]
        after, changes = alerts.release(before, moment.at, self._timing)
        settled, facts = self._settled(moment, state, before, after, changes)
        return settled or state, facts

    def steady(self, state: RuleState) -> tuple[Expression, bool] | None:
        """Stays while the condition goes on to hold, or not to hold."""
        alert = state.alerts.get("")
        if alert is None or alert.clear_since is not None or any(e.calls for e in self.expressions):
            return None
        if alert.state is AlertState.FIRING and self._clear is not None:
            return self._clear, False
        return self._when, alert.is_open

    def next_due(self, state: RuleState) -> datetime | None:
        """The alert's timer under this rule's durations."""
        alert = state.alerts.get("")
        return alerts.due_at(alert, self._timing) if alert else None

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """The condition, its limits and its durations."""
        return {
            "condition": self._rule.when,
            "clear_when": self._rule.clear_when,
            "reads": sorted(self.reads),
            "limits": [limit._asdict() for limit in self._when.limits],
            "for_s": self._timing.hold.total_seconds(),
            "clear_for_s": self._timing.clear_for.total_seconds(),
            "stale_after_s": None if self._timing.stale_after == FOREVER else self._timing.stale_after.total_seconds(),
        }

    def _settled(
        self, moment: Moment, state: RuleState | None, before: Alert | None, after: Alert, changes: list[alerts.Change]
    ) -> tuple[RuleState | None, Sequence[Fact]]:
        if after is before:
            return state, ()
        settled = RuleState(self.fingerprint, {"": after}, due_at=alerts.due_at(after, self._timing))
        if not changes:
            return settled, ()
        # An episode that ended is told with the start it had.
        episode = before if before is not None and before.is_open else after
        told = self._told | self._values(moment, moment.scope)
        return settled, [
            self.transition(moment, change.state, episode, at=change.at, reason=change.reason, **told)
            for change in changes
        ]

    def _values(self, moment: Moment, scope: Scope) -> dict[str, Any]:
        """What the conditions read and called, as it was."""
        known = moment.twin.values
        told: dict[str, Any] = {"values": {name: known[name] for name in self._fields if name in known}}
        calls = [call for expression in self.expressions for call in expression.calls]
        return told | ({"called": scope.told(calls)} if calls else {})

    def _always_told(
        self, profile: DeviceProfile, when: Expression, source: str, clear_when: str | None, hold: timedelta
    ) -> dict[str, Any]:
        """What is the same in every explanation."""
        specs, limits = profile.fields, [limit._asdict() for limit in when.limits]
        told: dict[str, Any] = {
            "condition": source,
            "clear_when": clear_when,
            "for_s": hold.total_seconds(),
            "units": {name: specs[name].unit for name in self._fields if name in specs and specs[name].unit},
        }
        told |= limits[0] if limits else {"field": when.fields[0]}
        return told | ({"limits": limits} if len(limits) > 1 else {})


def judged(
    when: Expression, clear: Expression | None, alert: Alert | None, scope: Scope
) -> tuple[bool, bool] | NoSample:
    """Return whether an alert's condition holds and whether it clears; one that fires is asked for its end alone."""
    if alert is not None and alert.state is AlertState.FIRING and clear is not None:
        clears = clear.evaluate(scope)
        return clears if isinstance(clears, NoSample) else (False, clears)
    holds = when.evaluate(scope)
    return holds if isinstance(holds, NoSample) else (holds, not holds)


def stale_after(expressions: Sequence[Expression], profile: DeviceProfile) -> timedelta:
    """Return how long a sample speaks for the time after it: for ever where the author asks for its age themselves."""
    if any(call.name in AGES for expression in expressions for call in expression.calls):
        return FOREVER
    return STALE_INTERVALS * profile.reporting_interval
