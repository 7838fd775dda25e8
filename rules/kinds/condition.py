"""A CEL condition over the twin that holds for a duration; hysteresis clears it.

From life: a freezer's door was pushed to and stands ajar. ``temperature > -12`` holds for ten minutes, so it fires;
while the compressor fights, -13 °C neither resolves nor reopens it; at -15 °C it is over.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo
from pydantic_core import PydanticCustomError

from device_models.duration import Duration
from device_models.profile import DeviceProfile
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.base import BaseRule
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.expression import Expression, ExpressionError, NoSample, compile_expression
from rules.inputs import DeviceContext
from rules.transition import AlertState

STALE_INTERVALS = 3
"""A sample speaks for this many reporting intervals; after that silence proves nothing."""


def _cel(source: str, info: ValidationInfo) -> str:
    try:
        compile_expression(source)
    except ExpressionError as error:
        # The offset lets the file's error point into the expression.
        raise PydanticCustomError("cel", "{reason}", {"reason": str(error), "offset": error.offset}) from error
    return source


Cel = Annotated[str, AfterValidator(_cel)]


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


class ConditionEvaluator(Evaluator):
    """Evaluates a ``ConditionRule`` for one profile."""

    wakes = frozenset({Wake.VALUES})

    def __init__(self, rule: ConditionRule, profile: DeviceProfile) -> None:
        self._when = compile_expression(rule.when)
        self._clear = compile_expression(rule.clear_when) if rule.clear_when else None
        self._timing = Timing(rule.hold, rule.clear_for, STALE_INTERVALS * profile.reporting_interval)
        self._rule = rule
        self._fields = tuple(dict.fromkeys(field for expression in self.expressions for field in expression.fields))
        self._told = self._always_told(rule, profile)
        super().__init__(
            rule,
            profile,
            Fingerprint.of(rule, (rule.when,), (rule.clear_when, *self._timing)),
            reads=frozenset(self._fields),
        )

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """``when`` and, where given, ``clear_when``."""
        return (self._when,) if self._clear is None else (self._when, self._clear)

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Evaluate the condition over the twin; an error in it is no sample and changes nothing."""
        before = state.alerts.get("") if state else None
        firing = before is not None and before.state is AlertState.FIRING
        holds: bool | NoSample = False
        clears: bool | NoSample = False
        if firing and self._clear is not None:
            clears = self._clear.evaluate(moment.scope)
        else:
            holds = self._when.evaluate(moment.scope)
            clears = holds if isinstance(holds, NoSample) else not holds
        for verdict in (holds, clears):
            if isinstance(verdict, NoSample):
                moment.unsampled[self.rule.id] = verdict.reason
                return state, ()
        after, changes = alerts.sample(
            before, bool(holds), bool(clears), moment.at, self._timing, arriving=moment.arriving
        )
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
        if alert is None or alert.clear_since is not None:
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
            "stale_after_s": self._timing.stale_after.total_seconds(),
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
        known = moment.twin.values
        values = {name: known[name] for name in self._fields if name in known}
        return settled, [
            self.transition(
                moment, change.state, episode, at=change.at, reason=change.reason, values=values, **self._told
            )
            for change in changes
        ]

    def _always_told(self, rule: ConditionRule, profile: DeviceProfile) -> dict[str, Any]:
        """What is the same in every explanation."""
        specs, limits = profile.fields, [limit._asdict() for limit in self._when.limits]
        told: dict[str, Any] = {
            "condition": rule.when,
            "clear_when": rule.clear_when,
            "for_s": self._timing.hold.total_seconds(),
            "units": {name: specs[name].unit for name in self._fields if name in specs and specs[name].unit},
        }
        told |= limits[0] if limits else {"field": self._fields[0]}
        return told | ({"limits": limits} if len(limits) > 1 else {})
