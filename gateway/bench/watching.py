"""A fleet watched by the decoders, profiles and rules that are shipped, without broker, store or wall clock."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from device_models.event import Message, Rejection
from device_models.purpose import Purpose
from gateway.config import Config
from gateway.decoders import build_dispatcher
from gateway.rulebook.files import load_profiles, make_detector
from rules.evaluator import Fact
from rules.inputs import DeviceContext, Sweep, acts_at
from rules.state import DeviceState
from rules.transition import AlertState, Transition, Visit
from simulator.fleet import Fleet
from simulator.scenario import Scenario
from simulator.score import Score, score
from simulator.truth import TruthLog

_LOOK = timedelta(seconds=30)
_SWEEP = timedelta(minutes=10)
_SENDING = timedelta(seconds=30)


class Watch:
    """Plays a scenario, opens one case a fault as response would, and tells the customer half a minute later."""

    def __init__(self, name: str, seed: int, rules: Sequence[Path] = ()) -> None:
        """``rules``: files beside the shipped ones."""
        play = Scenario.load(name)
        registry = play.registry()
        config = Config.model_validate({"rules": {"paths": list(rules)}})
        self.begins: datetime = play.begins(date(2026, 11, 24)).astimezone(UTC)
        self.truth = TruthLog()
        self.fleet = Fleet(play, seed, self.begins, self.truth)
        self.cases: list[dict[str, Any]] = []
        self.visits: list[Visit] = []
        profiles = load_profiles(config)
        customers = {customer.id: customer for customer in registry.customers}
        self._dispatcher = build_dispatcher({})
        self._detector = make_detector(config, profiles, registry.shops)
        self.devices = len(registry.devices)
        self._devices = {
            device.id: DeviceContext(
                device, profiles[device.profile], customers[device.customer_id or ""].allows(Purpose.OFFER)
            )
            for device in registry.devices
        }
        self._states = {name: DeviceState() for name in self._devices}
        self._open: dict[str, dict[str, Any]] = {}
        self._links = self.fleet.links()
        self._up: set[str] = set()

    def run(self, hours: float) -> Score:
        """Watch for some hours and score what was found."""
        now, swept = self.begins, self.begins
        while now < self.begins + timedelta(hours=hours):
            now += _LOOK
            said = [(m.topic, m.payload) for m in self.fleet.advance(now)]
            up = self.fleet.links_up()
            for name in up - self._up:
                said += [(topic, payload) for topic, payload, _ in self._links[name].birth]
            for name in self._up - up:
                said.append((self._links[name].will_topic or "", self._links[name].will))
            self._up = up
            for topic, payload in said:
                self._hear(Message(topic, payload, now))
            sweeps, swept = (True, now) if now - swept >= _SWEEP else (False, swept)
            for name, context in self._devices.items():
                self._states[name], facts = self._detector.advance(context, self._states[name], now)
                self._note(facts)
                if sweeps:
                    self._states[name], facts = self._detector.detect(context, self._states[name], Sweep(name, now))
                    self._note(facts)
        return score(self.truth.faults, self.cases, [])

    def _hear(self, message: Message) -> None:
        decoded = self._dispatcher.decode(message)
        if isinstance(decoded, Rejection):
            raise RuntimeError(f"{message.topic}: {decoded.reason}")
        for event in decoded.events:
            context = self._devices.get(event.device_id)
            if context is None:
                continue
            state, due = self._detector.advance(context, self._states[event.device_id], acts_at(event))
            self._states[event.device_id], facts = self._detector.detect(context, state, event)
            self._note([*due, *facts])

    def _note(self, facts: list[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, Visit):
                self.visits.append(fact)
            elif isinstance(fact, Transition) and fact.state is AlertState.FIRING:
                self._opened(fact)
            elif isinstance(fact, Transition) and fact.state is AlertState.RESOLVED and fact.dedupe_key in self._open:
                self._open.pop(fact.dedupe_key)["resolved_at"] = fact.at

    def _opened(self, fired: Transition) -> None:
        if fired.dedupe_key in self._open or fired.on_arrival:
            return
        kind = str(fired.explanation["kind"])
        told_at = max(fired.at, self.fleet.now) + _SENDING
        case = {
            "id": len(self.cases),
            "device_id": fired.device_id,
            "rule": fired.rule,
            "kind": kind,
            "opened_at": fired.at,
            "told_at": told_at,
            "resolved_at": None,
        }
        self.cases.append(case)
        self._open[fired.dedupe_key] = case
        owner = self._devices[fired.device_id].device.customer_id
        self.fleet.customer_told(owner or "", fired.device_id, told_at, kind)
