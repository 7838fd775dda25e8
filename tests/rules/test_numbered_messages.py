"""Devices that number their messages: what was lost on the way is told from what was never said."""

import json
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from device_models.event import Event
from device_models.profile import SequenceSpec
from rules.authoring.check import check_rules
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, T0, at, context, detector, ruleset, status

PROFILE = FREEZER.model_copy(update={"sequence": SequenceSpec()})
LOSSY = '{id: lossy, kind: condition, when: \'delta("sequence_missed", "1h") >= 5\'}'
RESTARTS = "{id: restarts, kind: change, field: sequence_restarts, rise: 3, within: 1h}"
SILENT = "{id: silent, kind: absent}"


def said(minute: float, number: int) -> Event:
    return status(minute, {"temperature": -18.0, "seq": number})


def told(rule: str, items: list[Event], until: float) -> list[tuple[str, str, float]]:
    facts = detector(rule, profile=PROFILE).run(context(profile=PROFILE), DeviceState(), items, at(until))[1]
    return [(f.rule, f.state.value, (f.at - T0) / timedelta(minutes=1)) for f in facts if isinstance(f, Transition)]


def test_a_link_that_loses_messages_is_a_fault_though_the_device_is_heard_all_the_time() -> None:
    numbers = [0, 1, 2, 4, 5, 8, 9, 12, 13]
    fired = told(LOSSY, [said(4 * i, number) for i, number in enumerate(numbers)], 40)
    assert fired == [("lossy", "firing", 28)]
    assert told(LOSSY, [said(4 * i, i) for i in range(9)], 40) == []


def test_a_restart_loop_is_seen_in_the_counter() -> None:
    numbers = [50, 51, 0, 1, 2, 0, 1, 0, 1, 2]
    assert ("restarts", "firing", 28) in told(RESTARTS, [said(4 * i, number) for i, number in enumerate(numbers)], 40)


def test_the_end_of_a_silence_says_whether_the_device_spoke_on_or_restarted() -> None:
    def end(number: int) -> dict[str, object]:
        facts = detector(SILENT, profile=PROFILE).run(
            context(profile=PROFILE), DeviceState(), [said(0, 100), said(4, 101), said(60, number)]
        )[1]
        last = facts[-1]
        assert isinstance(last, Transition)
        return {n: v for n, v in last.explanation.items() if n.endswith("_meanwhile")}

    assert end(112) == {"missed_meanwhile": 10, "restarted_meanwhile": False}
    assert end(0) == {"missed_meanwhile": 0, "restarted_meanwhile": True}


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.data())
def test_stopping_and_starting_again_loses_no_count(numbers: list[int], data: st.DataObject) -> None:
    made, where = detector(LOSSY, RESTARTS, SILENT, profile=PROFILE), context(profile=PROFILE)
    items = [said(4 * i, number) for i, number in enumerate(numbers)]
    cut = data.draw(st.integers(0, len(items)))
    straight, facts = made.run(where, DeviceState(), items)
    half, first = made.run(where, DeviceState(), items[:cut])
    stored = DeviceState.from_json(json.loads(json.dumps(half.to_json())))
    resumed, second = made.run(where, stored, items[cut:])
    assert (resumed, first + second) == (straight, facts)


def test_rules_may_read_the_counts_only_where_the_profile_says_how_messages_are_numbered() -> None:
    rules = ruleset("{id: lossy, kind: condition, profile: freezer, when: sequence_missed > 5}")
    assert check_rules(rules, {"freezer": PROFILE}) == []
    assert "sequence_missed" in str(check_rules(rules, {"freezer": FREEZER})[0])
