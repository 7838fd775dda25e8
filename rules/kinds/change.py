"""A value that moves too far or too fast, too often, or not at all.

From life: a heating circuit loses water. Its pressure is still in order, but it fell by half a bar within two days; the
case opens before the heat pump stops at 0.5 bar on the first cold night. A compressor that starts ten times an hour, a
controller that restarts again and again and a sensor that says -18.0 for two days are found by the same kind.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from device_models.duration import Duration
from device_models.event import rfc3339
from device_models.profile import DeviceProfile
from device_models.sentences import sentence
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.base import BaseRule
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.expression import Expression, NoSample, compile_expression
from rules.inputs import DeviceContext
from rules.kinds.changing import Judgement, Measure, Memory, Move, Rate, Repeats, Restarts, Stuck
from rules.kinds.condition import STALE_INTERVALS, Cel
from rules.transition import AlertState

_FORMS = ("rise", "fall", "rate_above", "rate_below", "count", "restarts", "stuck_for")
_TAKES: dict[str, frozenset[str]] = {
    "rise": frozenset({"field", "within", "settled_after"}),
    "fall": frozenset({"field", "within", "settled_after"}),
    "rate_above": frozenset({"field", "within", "per"}),
    "rate_below": frozenset({"field", "within", "per"}),
    "count": frozenset({"of", "within"}),
    "restarts": frozenset({"field", "within"}),
    "stuck_for": frozenset({"field", "tolerance"}),
}
"""The settings of each form."""
_OPTIONAL = frozenset({"per", "settled_after", "tolerance"})


class ChangeRule(BaseRule):
    """See ``docs/rules.md``, "change". One of ``rise``, ``fall``, ``rate_above``, ``rate_below``, ``count``,
    ``restarts`` and ``stuck_for`` says which change it is about."""

    kind: Literal["change"] = "change"
    field: str | None = None
    """The profile's field."""
    rise: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """By how much the value rises, in the profile's unit, ``within`` a time."""
    fall: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    rate_above: float | None = Field(default=None, allow_inf_nan=False)
    """Faster than so much ``per`` time; negative rates are falling values."""
    rate_below: float | None = Field(default=None, allow_inf_nan=False)
    per: Duration = timedelta(hours=1)
    count: int | None = Field(default=None, ge=2, le=1000)
    """How often the condition ``of`` becomes true ``within`` a time."""
    of: Cel | None = None
    restarts: int | None = Field(default=None, ge=1, le=1000)
    """How often the uptime ``field`` starts anew ``within`` a time."""
    stuck_for: Duration | None = None
    """How long the value does not change by more than ``tolerance``."""
    tolerance: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    within: Duration | None = None
    """The window that is looked at."""
    unless: Cel | None = None
    """While this holds the change is in order."""
    hold: Duration = Field(default=timedelta(0), alias="for")
    """How long the change must go on being seen."""
    clear_when: Cel | None = None
    """Resolves when this holds; None: as the form has it."""
    clear_for: Duration | None = None
    """How long it must be over; None: ``within`` for rates and counts without ``clear_when``, otherwise at once."""
    settled_after: Duration = timedelta(hours=24)
    """A rise or fall that goes no further for so long has become the normal level."""

    @model_validator(mode="after")
    def _is_one_form(self) -> Self:
        given = [form for form in _FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            forms = ", ".join(_FORMS)
            none = sentence("says no change; it takes one of {1}", forms)
            raise ValueError(sentence("has {1}; it takes one of {2}", " and ".join(given), forms) if given else none)
        takes = _TAKES[given[0]]
        for name in sorted(takes - _OPTIONAL):
            if getattr(self, name) is None:
                raise ValueError(sentence("{1} needs {2}", given[0], name))
        for name in sorted(frozenset[str]().union(*_TAKES.values()) - takes):
            if self.has_set(name):
                raise ValueError(sentence("{1} is no setting of {2}", name, given[0]))
        for name in ("within", "per", "stuck_for", "settled_after"):
            duration = getattr(self, name)
            if duration is not None and duration <= timedelta(0):
                raise ValueError(sentence("{1} must be longer than 0", name))
        return self


class ChangeEvaluator(Evaluator):
    """Evaluates a ``ChangeRule`` for one profile."""

    wakes = frozenset({Wake.VALUES})

    def __init__(self, rule: ChangeRule, profile: DeviceProfile) -> None:
        self._rule = rule
        self._unless = compile_expression(rule.unless, profile) if rule.unless else None
        self._clear = compile_expression(rule.clear_when, profile) if rule.clear_when else None
        stale_after = STALE_INTERVALS * profile.reporting_interval
        self._measure = measure_of(rule, profile, stale_after)
        self._timing = Timing(rule.hold, _clear_for(rule, self._measure), stale_after)
        fields = {field for expression in self.expressions for field in expression.fields} | self._measure.reads
        self._fields = tuple(sorted(fields))
        super().__init__(
            rule,
            profile,
            Fingerprint.of(
                rule, (self._measure.says, rule.unless), (rule.clear_when, rule.settled_after, *self._timing)
            ),
            reads=frozenset(fields),
        )

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What the measure evaluates, ``unless`` and ``clear_when``."""
        given = (e for e in (self._unless, self._clear) if e is not None)
        return (*self._measure.expressions, *given)

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take a sample into the window and judge it; what cannot be told changes no alert."""
        excused = self._unless.evaluate(moment.scope) if self._unless else False
        if isinstance(excused, NoSample):
            return self._no_sample(moment, excused, state)
        memory = self._remembered(state)
        if not self._measure.reads.isdisjoint(moment.values):
            taken = self._measure.take(memory, moment, excused=excused)
            if isinstance(taken, NoSample):
                return self._no_sample(moment, taken, state)
            memory = taken
        if not memory:
            return state, ()
        if excused:
            memory = self._measure.excuse(memory)
        kept = RuleState(self.fingerprint, state.alerts if state else {}, memory, state.due_at if state else None)
        judged = self._measure.judge(memory, moment.at.timestamp())
        if isinstance(judged, NoSample):
            return self._no_sample(moment, judged, kept)
        return self._judged(moment, kept, judged._replace(holds=judged.holds and not excused))

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Complete ``for`` or ``clear_for`` on the last sample, or give up on one that went stale."""
        before = state.alerts[""]
        after, changes = alerts.release(before, moment.at, self._timing)
        judged = self._measure.judge(state.memory, moment.at.timestamp())
        told = {} if isinstance(judged, NoSample) else judged.told
        settled = RuleState(self.fingerprint, {"": after}, state.memory, alerts.due_at(after, self._timing))
        return settled, self._facts(moment, before, changes, told)

    def next_due(self, state: RuleState) -> datetime | None:
        """The alert's timer under this rule's durations."""
        alert = state.alerts.get("")
        return alerts.due_at(alert, self._timing) if alert else None

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """The change it looks for, what its window says now, and its durations."""
        memory = self._remembered(state)
        judged = self._measure.judge(memory, at.timestamp()) if memory else NoSample("nothing was heard yet")
        seen = {"why_not": judged.reason} if isinstance(judged, NoSample) else dict(judged.told)
        return {
            "condition": self._measure.says,
            "unless": self._rule.unless,
            "clear_when": self._rule.clear_when,
            "reads": list(self._fields),
            "window": seen,
            "for_s": self._timing.hold.total_seconds(),
            "clear_for_s": self._timing.clear_for.total_seconds(),
            "stale_after_s": self._timing.stale_after.total_seconds(),
        }

    def _remembered(self, state: RuleState | None) -> Memory:
        """The window, empty where it was made of something else before an edit."""
        memory = state.memory if state else {}
        return memory if memory.get("of") == self._measure.of else {}

    def _no_sample(
        self, moment: Moment, why: NoSample, state: RuleState | None
    ) -> tuple[RuleState | None, Sequence[Fact]]:
        moment.unsampled[self.rule.id] = why.reason
        return state, ()

    def _judged(self, moment: Moment, state: RuleState, judged: Judgement) -> tuple[RuleState, Sequence[Fact]]:
        before = state.alerts.get("")
        clears, reason = self._clears(moment, before, judged)
        if isinstance(clears, NoSample):
            self._no_sample(moment, clears, state)
            return state, ()
        after, changes = alerts.sample(before, judged.holds, clears, moment.at, self._timing)
        if before is None or not before.is_open:
            after = self._opened(after, judged) if after.is_open else after
        elif after.state is AlertState.FIRING:
            if judged.holds and "half_way" in after.facts:
                after = replace(after, facts={**after.facts, "held_at_s": moment.at.timestamp()})
            if clears and self._quiet_clears:
                after, more = self._quiet_since(moment, before, after, state.memory["times"])
                changes += more
        episode = before if before is not None and before.is_open else after
        told = self._facts(moment, episode, changes, judged.told, reason)
        return RuleState(self.fingerprint, {"": after}, state.memory, alerts.due_at(after, self._timing)), told

    def _clears(self, moment: Moment, alert: Alert | None, judged: Judgement) -> tuple[bool | NoSample, str | None]:
        """Tell whether what fires is over, and why where the value itself does not say so."""
        if alert is None or alert.state is not AlertState.FIRING:
            return not judged.holds, None
        if self._clear is not None:
            return self._clear.evaluate(moment.scope), None
        facts = alert.facts
        if self._measure.clears_by != "return" or "half_way" not in facts:
            return not judged.holds, None
        value = judged.told["from"] + judged.told["change"]
        if (value - facts["half_way"]) * facts["sign"] <= 0:
            return not judged.holds, None
        held_at_s = facts.get("held_at_s", alert.since.timestamp())
        settled = moment.at.timestamp() - held_at_s >= self._rule.settled_after.total_seconds()
        return settled and not judged.holds, "settled"

    def _opened(self, alert: Alert, judged: Judgement) -> Alert:
        """Note what the end needs: when the change began, and what half of the way back is."""
        facts: dict[str, Any] = {"began": rfc3339(datetime.fromtimestamp(judged.since_s, UTC))}
        if self._measure.clears_by == "return":
            change = judged.told["change"]
            facts |= {"half_way": judged.told["from"] + change / 2, "sign": 1 if change > 0 else -1}
        return replace(alert, facts=facts)

    @property
    def _quiet_clears(self) -> bool:
        return self._measure.clears_by == "quiet" and self._clear is None

    def _quiet_since(
        self, moment: Moment, before: Alert, after: Alert, times: list[float]
    ) -> tuple[Alert, list[alerts.Change]]:
        """Let the quiet begin with the last occurrence rather than with the message after it, unless in a gap."""
        if before.clear_since is not None or not times or moment.at - before.sampled_at > self._timing.stale_after:
            return after, []
        quiet = replace(after, clear_since=datetime.fromtimestamp(times[-1], UTC))
        return alerts.release(quiet, moment.at, self._timing)

    def _facts(
        self,
        moment: Moment,
        episode: Alert,
        changes: list[alerts.Change],
        told: Memory,
        reason: str | None = None,
    ) -> list[Fact]:
        if not changes:
            return []
        known, specs = moment.twin.values, self.profile.fields
        explained: dict[str, Any] = {
            "since": episode.facts.get("began", rfc3339(episode.since)),
            "condition": self._measure.says,
            "unless": self._rule.unless,
            "clear_when": self._rule.clear_when,
            "for_s": self._timing.hold.total_seconds(),
            "field": self._measure.field,
            "values": {name: known[name] for name in self._fields if name in known},
            "units": {name: specs[name].unit for name in self._fields if name in specs and specs[name].unit},
            **told,
        }
        return [
            self.transition(
                moment,
                change.state,
                episode,
                at=change.at,
                reason=change.reason or (reason if change.state is AlertState.RESOLVED else None),
                **explained,
            )
            for change in changes
        ]


def _clear_for(rule: ChangeRule, measure: Measure) -> timedelta:
    if rule.clear_for is not None:
        return rule.clear_for
    by_itself = measure.clears_by == "return" or rule.clear_when is not None
    return timedelta(0) if by_itself else rule.within or timedelta(0)


def measure_of(rule: ChangeRule, profile: DeviceProfile, longest_gap: timedelta) -> Measure:
    """Return the measure that a rule's form asks for; ``longest_gap``: how long a sample speaks for what follows."""
    field, within_s = rule.field or "", (rule.within or timedelta(0)).total_seconds()
    if rule.rise is not None:
        return Move(field, rule.rise, 1, within_s)
    if rule.fall is not None:
        return Move(field, rule.fall, -1, within_s)
    if rule.rate_above is not None:
        return Rate(field, rule.rate_above, "above", rule.per.total_seconds(), within_s)
    if rule.rate_below is not None:
        return Rate(field, rule.rate_below, "below", rule.per.total_seconds(), within_s)
    if rule.count is not None:
        return Repeats(compile_expression(rule.of or "", profile), rule.count, within_s)
    if rule.restarts is not None:
        spec = profile.fields.get(field)
        return Restarts(field, rule.restarts, within_s, spec.unit if spec else "")
    stuck_s = (rule.stuck_for or timedelta(0)).total_seconds()
    return Stuck(field, rule.tolerance, stuck_s, longest_gap.total_seconds())
