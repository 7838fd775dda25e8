"""Runs of samples that change nothing but the latest values: the last of a run stands for all of it.

Nearly all of what devices say is of this kind. Detection would take in each of them, find that no alert moves, and
keep a state that the next sample overwrites. Over a month of recorded samples that is most of the work, so a backtest
asks here first and hands in the last sample of each run only. A property test holds it to what one by one gives.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self

from device_models.event import Event, Value
from device_models.reading import FieldReader
from rules import event_time
from rules.expression import Expression, Scope
from rules.inputs import DeviceContext
from rules.plan import Plan
from rules.state import DeviceState


class QuietRun:
    """What samples that follow one another may say without any rule caring."""

    __slots__ = ("_after", "_deciding", "_due", "_known", "_names", "_reader", "_variables")

    def __init__(
        self,
        reader: FieldReader,
        names: frozenset[str],
        known: Mapping[str, Value],
        variables: tuple[tuple[str, str], ...],
        deciding: tuple[tuple[Expression, bool], ...],
        after: datetime,
        due: datetime | None,
    ) -> None:
        self._reader = reader
        self._names = names
        self._known = known
        self._variables = variables
        self._deciding = deciding
        self._after = after
        self._due = due

    @classmethod
    def behind(cls, plan: Plan, context: DeviceContext, state: DeviceState, event: Event) -> Self | None:
        """Return what may follow ``event``, which made ``state``; None where the next sample may matter in other ways.

        Only samples with the device's own stamp that arrive at once are quiet: others have clocks to be reconciled.
        """
        at = event.observed_at
        if context.profile.lateness or state.wait != timedelta(0) or not state.presence.online:
            return None
        if state.watermarks.get(event_time.DEVICE) != at or state.rule_time is None or state.rule_time > at:
            return None
        reading = plan.reader.read(event)
        woken = plan.woken(event, reading.values)
        twin = state.twin
        # What looks back wants each sample.
        if woken.windows or reading.implausible or any(twin.observed_at.get(name) != at for name in reading.values):
            return None
        listening = (*plan.on_arrival, *woken.hearing)
        if any(evaluator.wants_heard(state.rules.get(evaluator.rule.id)) for evaluator in listening):
            return None
        deciding: list[tuple[Expression, bool]] = []
        for evaluator in woken.evaluators:
            rule_id = evaluator.rule.id
            rule_state = state.rules.get(rule_id)
            steady = evaluator.steady(rule_state) if rule_state is not None and rule_id not in state.unsampled else None
            if steady is None:
                return None
            deciding.append(steady)
        names = frozenset(reading.values)
        others = {} if all(field in names for field, _ in woken.variables) else twin.values
        return cls(plan.reader, names, others, woken.variables, tuple(deciding), at, state.due_at)

    def takes(self, at: datetime, values: Mapping[str, Value]) -> bool:
        """Tell whether a sample belongs to the run. It then need only be handed in if it is the last one."""
        if at <= self._after or (self._due is not None and at >= self._due):
            return False
        read = self._reader.plausible(values)
        if read is None or read.keys() != self._names:
            return False
        if self._known:
            read = {**self._known, **read}
        scope: Scope | None = None
        for expression, answer in self._deciding:
            said: object = expression.plain(read) if expression.plain is not None else None
            if said is None:
                scope = scope or Scope(read, self._variables)
                said = expression.evaluate(scope)
            if said is not answer:
                return False
        self._after = at
        return True
