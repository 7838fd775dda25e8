"""Detection: one device's state and one input in, its next state and what changed out. Pure, without a clock."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from device_models.event import Event, Tick
from device_models.profile import DeviceProfile
from rules.evaluator import Evaluator, Fact
from rules.inputs import DeviceContext, Input, acts_at
from rules.override import Choice, Key, Overrides, digest_of
from rules.plan import Plan
from rules.schema import RuleSet
from rules.spatial_index import ShopIndex
from rules.state import DeviceState
from rules.turn import Turn

MAX_CHOICES = 100_000
"""Kinds of devices remembered with what is otherwise for them; a few words each."""


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
        self._overrides = Overrides(ruleset.rules)
        self._is_otherwise = bool(self._overrides)
        self._choices: dict[Key, Choice] = {}
        self._plans: dict[tuple[str, Choice], Plan] = {}
        for profile in profiles.values():
            self.plan(profile)

    def detect(self, device: DeviceContext, state: DeviceState, item: Input) -> tuple[DeviceState, list[Fact]]:
        """Take one input into the state of one device.

        Args:
            device: Who it is, with its profile.
            state: Left as it is.
            item: An event; a ``Tick`` for the timer ``state.due_at``; a sweep, or an answer about a service.
        Returns:
            The next state (the same object if nothing changed) and the facts, in the order in which they came about.
        """
        plan = self.plan_for(device)
        turn = Turn(device, plan, state, item)
        if state.rules_version != plan.version:
            turn.reconcile(plan.version, self._rule_ids)
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
        plan = self.plan_for(device)
        if state.rules_version == plan.version:
            return state, []
        turn = Turn(device, plan, state, Tick(device.device.id, at))
        turn.reconcile(plan.version, self._rule_ids)
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
        """Return what evaluates the rules for devices of a profile where nothing is otherwise, by rule id."""
        return self.plan(profile).evaluators

    def plan(self, profile: DeviceProfile) -> Plan:
        """Return the rules made ready for devices of a profile where no override applies."""
        return self._plan(profile, ())

    def plan_for(self, device: DeviceContext) -> Plan:
        """Return the rules made ready for a device; all to which the same overrides apply share one plan."""
        key = self._overrides.key(device.device) if self._is_otherwise else None
        if key is None:
            return self._plan(device.profile, ())
        choice = self._choices.get(key)
        if choice is None:
            if len(self._choices) >= MAX_CHOICES:
                self._choices.clear()
            choice = self._choices[key] = self._overrides.choice(key)
        return self._plan(device.profile, choice)

    def _plan(self, profile: DeviceProfile, choice: Choice) -> Plan:
        plan = self._plans.get((profile.name, choice))
        if plan is None:
            # Nothing of a choice that chooses nothing is otherwise.
            digest = digest_of(choice)
            version = f"{self.version}-{digest}" if digest else self.version
            plan = Plan(self._overrides.applied(choice), profile, self._shops, version)
            self._plans[profile.name, choice] = plan
        return plan
