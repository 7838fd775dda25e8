"""Detection: one device's state and one input in, its next state and what changed out. Pure, without a clock."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from device_models.event import Event, Tick
from device_models.profile import DeviceProfile
from rules.evaluator import Evaluator, Fact
from rules.inputs import DeviceContext, Input, acts_at
from rules.plan import Plan
from rules.schema import RuleSet
from rules.spatial_index import ShopIndex
from rules.state import DeviceState
from rules.turn import Turn


class Detector:
    """A rule set made ready for the profiles there are; holds no state of any device.

    Not for several threads at once: it remembers the shapes of events it met.
    """

    def __init__(self, ruleset: RuleSet, profiles: Mapping[str, DeviceProfile], shops: ShopIndex | None = None) -> None:
        """``profiles`` by name; ``shops`` is what proximity rules look in, None where there are none."""
        self.ruleset = ruleset
        self._shops = shops
        self._rule_ids = frozenset(rule.id for rule in ruleset.rules)
        digest = hashlib.blake2b(ruleset.version.encode(), digest_size=8)
        for name in sorted(profiles):
            digest.update(profiles[name].model_dump_json().encode())
        self.version = digest.hexdigest()
        """Digest of rules and profiles; a state made under another one is reconciled before anything else."""
        self._plans = {name: Plan(ruleset.rules, profile, shops) for name, profile in profiles.items()}

    def detect(self, device: DeviceContext, state: DeviceState, item: Input) -> tuple[DeviceState, list[Fact]]:
        """Take one input into the state of one device.

        Args:
            device: Who it is, with its profile.
            state: Left as it is.
            item: An event; a ``Tick`` for the timer ``state.due_at``; a sweep, or an answer about a service.
        Returns:
            The next state (the same object if nothing changed) and the facts, in the order in which they came about.
        """
        turn = Turn(device, self.plan(device.profile), state, item)
        if state.rules_version != self.version:
            turn.reconcile(self.version, self._rule_ids)
        if isinstance(item, Event):
            turn.hear(item)
        elif isinstance(item, Tick):
            turn.tick(item)
        else:
            turn.sweep(item)
        return turn.finished(), turn.facts

    def reconcile(self, device: DeviceContext, state: DeviceState, at: datetime) -> tuple[DeviceState, list[Fact]]:
        """Bring a state made under other rules or profiles up to these: what is kept, reset or closed.

        ``detect`` does so by itself; call it after putting rules live, for devices that may not be heard for long.
        Kept: what fires, under the same id, kind and mode. Reset: pending alerts of a rule whose meaning changed.
        Closed: alerts of rules that are gone, no longer apply to the profile, or became another kind or mode.
        """
        if state.rules_version == self.version:
            return state, []
        turn = Turn(device, self.plan(device.profile), state, Tick(device.device.id, at))
        turn.reconcile(self.version, self._rule_ids)
        return turn.finished(), turn.facts

    def advance(self, device: DeviceContext, state: DeviceState, until: datetime) -> tuple[DeviceState, list[Fact]]:
        """Hand in the ticks that are due strictly before ``until``, each by the state after the one before."""
        facts: list[Fact] = []
        while (due := state.due_at) is not None and due < until:
            state, made = self.detect(device, state, Tick(device.device.id, due))
            facts += made
        return state, facts

    def run(
        self, device: DeviceContext, state: DeviceState, items: Iterable[Input], until: datetime | None = None
    ) -> tuple[DeviceState, list[Fact]]:
        """Take in several inputs of one device, with the ticks due before each and, at the end, before ``until``.

        A backtest's way; live the scheduler hands in the ticks, and the outcome is the same.
        """
        facts: list[Fact] = []
        for item in items:
            state, made = self.advance(device, state, acts_at(item))
            facts += made
            state, made = self.detect(device, state, item)
            facts += made
        if until is not None:
            state, made = self.advance(device, state, until)
            facts += made
        return state, facts

    def evaluators(self, profile: DeviceProfile) -> Mapping[str, Evaluator]:
        """Return what evaluates the rules for devices of a profile, by rule id."""
        return self.plan(profile).evaluators

    def plan(self, profile: DeviceProfile) -> Plan:
        """Return the rules made ready for devices of a profile."""
        plan = self._plans.get(profile.name)
        if plan is None:
            plan = self._plans[profile.name] = Plan(self.ruleset.rules, profile, self._shops)
        return plan
