"""Fleet rules over recordings: devices one after another are looked at side by side, and by what they then were."""

from datetime import timedelta

from rules.kinds.fleet import FleetRule
from rules.recordings.fleet_recording import FleetRecording
from rules.recordings.outlook import Outlook
from rules.transition import AlertState
from tests.rules.making import FREEZER
from tests.rules.test_fleet import FIRING, LEAK, RESOLVED, T0, WARM, warm

RULE = FleetRule(id="batch", of=("warm",), alike=("firmware",), at_least=3, share=0.05)
WEEK = timedelta(days=7)


def recording(order: list[int], *, roll_out: bool) -> FleetRecording:
    made = FleetRecording({})
    for number in order:
        name = f"d{number:02}"
        made.look(name, T0 - WEEK, {"firmware": "1"})
        if roll_out and number < 10:
            made.look(name, T0 - timedelta(days=1), {"firmware": 2.0, "temperature": -8})
        if number < 3:
            made.add(warm(number, number))
            made.add(warm(number, 60 + number, RESOLVED))
    return made


def outlook() -> Outlook:
    return Outlook([WARM, LEAK, RULE], FREEZER)


def test_devices_recorded_one_after_another_make_one_incident_that_names_the_roll_out() -> None:
    trial = outlook()
    begun, ended = trial.add_in_order(recording(list(range(30)), roll_out=True))
    assert (begun.rule, begun.state, ended.state) == ("batch", FIRING, RESOLVED)
    assert begun.explanation["alike"] == {"firmware": "2"}
    assert begun.explanation["population"] == 10
    [change] = begun.explanation["changed"]
    assert (change["before"], change["after"], change["failing"], change["devices"]) == ("1", "2", 3, 10)
    told = trial.as_dict()
    assert told["by_rule"]["batch"]["cases"] == 1
    assert told["still_open"] == 0
    # Three owners hear of it, and of its end.
    assert told["messages"] == 6


def test_the_order_of_the_files_changes_nothing() -> None:
    forwards = outlook().add_in_order(recording(list(range(30)), roll_out=True))
    assert outlook().add_in_order(recording(list(range(29, -1, -1)), roll_out=True)) == forwards


def test_before_the_roll_out_they_are_alike_to_all_others() -> None:
    [begun, _] = outlook().add_in_order(recording(list(range(30)), roll_out=False))
    assert begun.explanation["population"] == 30
    assert begun.explanation["changed"] == []
    assert begun.state is AlertState.FIRING
