"""Proximity as detection asks for it: fixes, the lock and timers handed to ``rules.kinds.proximity``."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from device_models.event import Tick
from device_models.profile import DeviceProfile
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.inputs import DeviceContext
from rules.kinds.proximity import ProximityRule, advance, tick
from rules.kinds.proximity_state import ProximityState, due_at
from rules.spatial_index import ShopIndex
from rules.transition import Visit


class ProximityEvaluator(Evaluator):
    """Evaluates a ``ProximityRule`` for one profile."""

    wakes = frozenset({Wake.FIX, Wake.VALUES})

    def __init__(self, rule: ProximityRule, profile: DeviceProfile, shops: ShopIndex) -> None:
        self._rule = rule
        self._shops = shops
        # Nothing an edit could change makes a fix that was taken in wrong, so all is kept.
        super().__init__(rule, profile, Fingerprint.of(rule, ()), reads=frozenset({rule.lock_field}))

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take in a fix, or that the thing was locked or unlocked."""
        event = moment.event
        if event is None:
            return state, ()
        before = _remembered(state)
        after, visits = advance(
            self._rule,
            before,
            event,
            self._shops,
            self.profile,
            moment.twin.values,
            moment.context.location_consent,
        )
        return self._next(state, before, after), visits

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Complete a dwell on the last fix, or forget somebody whose fixes stopped."""
        due = Tick(moment.context.device.id, moment.at)
        visits: list[Visit]
        after, visits = tick(self._rule, _remembered(state), due, moment.context.location_consent)
        return RuleState(self.fingerprint, memory=after.as_dict(), due_at=due_at(after)), visits

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """Whether there is consent, and the shops that are near; never the position itself."""
        approaches = _remembered(state).approaches
        return {"location_consent": context.location_consent, "near": sorted(approaches)}

    def _next(self, state: RuleState | None, before: ProximityState, after: ProximityState) -> RuleState | None:
        if after is before and state is not None:
            return state
        return RuleState(self.fingerprint, memory=after.as_dict(), due_at=due_at(after))


def _remembered(state: RuleState | None) -> ProximityState:
    return ProximityState.from_dict(state.memory) if state is not None else ProximityState()
