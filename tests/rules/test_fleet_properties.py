"""What holds for a fleet rule, whatever its devices say and in whatever pieces: as for kinds that see one device.

Detection and response run together, as in the gateway: samples make faults, and faults incidents.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_models.event import Event
from device_models.registry import Customer, Device
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.recordings.fleet_recording import FleetRecording
from rules.recordings.outlook import Outlook
from rules.respond import (
    AddToCase,
    JoinIncident,
    Notify,
    OpenCase,
    Record,
    RecoverCase,
    ReopenCase,
    World,
    absorb,
    respond,
)
from rules.response.alike import Census
from rules.response.crowd import Crowd
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, MINUTE, at, ruleset, temperature
from tests.rules.test_inhibition import pass_time

WARM = "{id: warm, kind: condition, profile: freezer, when: temperature > -12, for: 3m, clear_when: temperature < -15}"
FLEET = """
{id: batch, kind: fleet, of: [warm], alike: [firmware], at_least: 3, share: 0.3, within: 20m, significance: 0.5}"""
NUMBERS = range(7)
END = 400.0
ALIKE = {f"f{n}": Device(id=f"f{n}", profile="freezer", firmware="2", customer_id=f"c{n % 3}") for n in NUMBERS}
OTHERS = {f"g{n}": Device(id=f"g{n}", profile="freezer", firmware="3", customer_id="c9") for n in NUMBERS}
DEVICES = ALIKE | OTHERS
CUSTOMERS = {name: Customer(id=name, name=name) for name in ("c0", "c1", "c2", "c9")}
Course = list[tuple[object, ...]]
quick = settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@cache
def detector_of(*rules: str) -> Detector:
    return Detector(ruleset(*rules), {"freezer": FREEZER})


@dataclass
class Gateway:
    """Detection of each device and the response to all of them."""

    rules: tuple[str, ...] = (WARM, FLEET)
    states: dict[str, DeviceState] = field(default_factory=dict)
    course: Course = field(default_factory=list)
    facts: list[Transition] = field(default_factory=list)

    def __post_init__(self) -> None:
        rules = {rule.id: rule for rule in detector_of(*self.rules).ruleset.rules}
        since = dict.fromkeys(rules, at(-10_000))
        self.world = World(rules, {}, DEVICES, CUSTOMERS, census=Census(DEVICES), watched_since=since)

    def edit(self, *rules: str) -> None:
        """Put other rules live."""
        self.rules = rules
        self.world = replace(self.world, rules={rule.id: rule for rule in detector_of(*rules).ruleset.rules})

    def take(self, batch: Sequence[Event]) -> None:
        """Detect all of a batch, then respond to what came of it, in the order of time."""
        found: list[Transition] = []
        for event in batch:
            name = event.device_id
            state = self.states.get(name, DeviceState())
            self.states[name], facts = detector_of(*self.rules).run(self._context(name), state, [event])
            found += [fact for fact in facts if isinstance(fact, Transition)]
        found += self._advance(batch[-1].received_at)
        self._respond(found)

    def finish(self) -> Course:
        """Let all timers act; return what happened."""
        self._respond(self._advance(at(END)))
        self._note(pass_time(self.world, at(END)))
        return self.course

    def restart(self) -> None:
        """Forget all but what is stored."""
        self.states = {
            name: DeviceState.from_json(json.loads(json.dumps(state.to_json()))) for name, state in self.states.items()
        }
        for key, crowd in self.world.crowds.items():
            stored = json.loads(json.dumps(crowd.to_json()))
            self.world.crowds[key] = Crowd.from_json(key, crowd.rule, dict(crowd.alike), stored)

    def _advance(self, until: datetime) -> list[Transition]:
        found: list[Transition] = []
        for name, state in self.states.items():
            self.states[name], facts = detector_of(*self.rules).advance(self._context(name), state, until)
            found += [fact for fact in facts if isinstance(fact, Transition)]
        return found

    def _context(self, name: str) -> DeviceContext:
        return DeviceContext(DEVICES[name], FREEZER)

    def _respond(self, facts: Sequence[Transition]) -> None:
        self.facts += facts
        for fact in sorted(facts, key=lambda fact: (fact.at, fact.device_id)):
            self._note(pass_time(self.world, fact.at))
            made = respond(self.world, fact)
            absorb(self.world, made)
            self._note(made)

    def _note(self, actions: Sequence[object]) -> None:
        for action in actions:
            match action:
                case OpenCase() | ReopenCase() | AddToCase() | RecoverCase():
                    self.course.append((type(action).__name__, action.case.dedupe_key, action.transition.at))
                case JoinIncident():
                    self.course.append(("JoinIncident", action.case.dedupe_key))
                case Notify():
                    # Cases are numbered in the order in which they open; what they are of is the point.
                    of = next(case.dedupe_key for case in self.world.cases.values() if case.id == action.case_id)
                    self.course.append(("Notify", action.customer_id, action.template, of))
                case Record():
                    self.course.append(("Record", action.transition.state, action.transition.at))
                case _:
                    pass


@st.composite
def said(draw: st.DrawFn, names: Sequence[str] = sorted(ALIKE)) -> list[Event]:
    """Samples of several devices in the order of time, no two at once; in the end each of them is cold."""
    count = draw(st.integers(0, 30))
    minute, events = 0.0, [temperature(n / 100, -18, device_id=name) for n, name in enumerate(names)]
    for _ in range(count):
        # No sum of these is a duration of the rules, so that no timer is due just when somebody speaks.
        minute += draw(st.sampled_from([0.7, 0.7, 1.3, 2.9, 7.1]))
        value = draw(st.sampled_from([-18.0, -14.0, -5.0, -5.0, -5.0]))
        events.append(temperature(minute, value, device_id=draw(st.sampled_from(names))))
    return events + [temperature(minute + 60 + n / 10, -18, device_id=name) for n, name in enumerate(names)]


def one_by_one(events: Sequence[Event]) -> Gateway:
    made = Gateway()
    for event in events:
        made.take([event])
    return made


@quick
@given(events=said(), cuts=st.lists(st.integers(1, 40), max_size=6), data=st.data())
def test_any_size_of_batch_and_a_restart_anywhere_change_nothing(
    events: list[Event], cuts: list[int], data: st.DataObject
) -> None:
    made, rest = Gateway(), list(events)
    for cut in [*cuts, len(events)]:
        batch, rest = rest[:cut], rest[cut:]
        if batch:
            made.take(batch)
        if data.draw(st.booleans()):
            made.restart()
    assert made.finish() == one_by_one(events).finish()


@quick
@given(events=said(), data=st.data())
def test_what_is_redelivered_and_what_is_late_change_nothing(events: list[Event], data: st.DataObject) -> None:
    more: list[Event] = []
    for event in events:
        more += [event] * data.draw(st.integers(1, 2))
        if data.draw(st.booleans()):
            late = temperature(0, -5, device_id=event.device_id)
            more.append(replace(late, observed_at=event.observed_at - MINUTE / 2, received_at=event.received_at))
    assert one_by_one(more).finish() == one_by_one(events).finish()


@quick
@given(events=said(), others=said(sorted(OTHERS)))
def test_devices_that_are_not_alike_in_between_change_nothing(events: list[Event], others: list[Event]) -> None:
    shifted = [
        replace(event, observed_at=event.observed_at + MINUTE / 7, received_at=event.received_at + MINUTE / 7)
        for event in others
    ]
    together = one_by_one(sorted([*events, *shifted], key=lambda event: event.received_at)).finish()
    of_these = [step for step in together if not any("firmware=3" in str(s) or str(s)[:1] == "g" for s in step)]
    alone = one_by_one(events).finish()
    assert [s for s in of_these if s[0] != "Record" and "c9" not in s] == [s for s in alone if s[0] != "Record"]


@quick
@given(events=said())
def test_a_backtest_of_one_device_after_another_finds_the_same_incidents(events: list[Event]) -> None:
    live = one_by_one(events)
    live.finish()
    recording = FleetRecording(ALIKE)
    for event in events:
        recording.look(event.device_id, at(-10_000), {})
    for fact in sorted(live.facts, key=lambda fact: fact.device_id):
        recording.add(fact)
    outlook = Outlook(live.world.rules.values(), FREEZER, devices=ALIKE, customers=CUSTOMERS)
    incidents = [("Record", fact.state, fact.at) for fact in outlook.add_in_order(recording)]
    assert incidents == [step for step in live.course if step[0] == "Record"]


@quick
@given(events=said(), cut=st.integers(1, 30))
def test_other_words_change_no_course_and_another_meaning_leaves_nothing_open(events: list[Event], cut: int) -> None:
    expected = one_by_one(events).finish()
    reworded = FLEET.replace("kind: fleet", "kind: fleet, title: {en: Other words}, notify: off")
    counted_anew = FLEET.replace("within: 20m", "within: 40m, share: 0.5").replace("share: 0.3, ", "")
    for fleet in (reworded, counted_anew):
        made = one_by_one(events[:cut])
        made.edit(WARM, fleet)
        for event in events[cut:]:
            made.take([event])
        course = made.finish()
        assert fleet != reworded or course == expected
        # Each device is well again, so nothing of theirs may last, whatever was counted under which meaning.
        assert not [case for case in made.world.cases.values() if case.open]
        assert all(crowd.failing == 0 for crowd in made.world.crowds.values())
        opened = [step for step in course if step[0] in ("OpenCase", "ReopenCase")]
        ended = [step for step in course if step[0] in ("RecoverCase", "JoinIncident")]
        assert len(opened) == len(ended)
