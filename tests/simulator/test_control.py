"""``simulator/control.py``: levers on the physics, and what they show."""

import json
from datetime import datetime, timedelta

import pytest

from device_models.event import rfc3339
from simulator.control import COMMANDS, CommandError, Control, NotRunningError
from simulator.fleet import Fleet
from simulator.machines.freezer import FreezerMachine
from tests.simulator.making import after, fleet


def attached() -> tuple[Control, Fleet]:
    control, play = Control(), fleet()
    control.attach(play)
    play.advance(after(minutes=5))
    return control, play


def freezer(play: Fleet) -> FreezerMachine:
    machine = play.machine("freezer-01")
    assert isinstance(machine, FreezerMachine)
    return machine


async def test_before_the_fleet_runs_every_lever_says_so() -> None:
    with pytest.raises(NotRunningError):
        await Control().unplug("freezer-01")


async def test_a_door_left_open_warms_the_air_and_closed_again_it_cools() -> None:
    control, play = attached()
    done = await control.leave_door_open("freezer-01")
    assert done.harm == "food spoiled"
    assert done.harm_at is not None
    assert done.harm_at > play.now + timedelta(minutes=30)
    play.advance(after(minutes=20))
    assert freezer(play).physics.air_c > -10
    await control.close_door("freezer-01")
    play.advance(after(minutes=60))
    assert freezer(play).physics.air_c < -15
    assert [fault.by for fault in play.truth.faults] == ["panel"]
    assert play.open_faults == []


async def test_a_worn_seal_brings_the_harm_within_a_visitors_patience() -> None:
    control, play = attached()
    done = await control.wear_seal("freezer-01")
    assert done.harm_at is not None
    assert done.harm_at < play.now + timedelta(hours=5)
    await control.mend("freezer-01")
    assert freezer(play).physics.seal_leak_w_k == 0


async def test_plug_and_power_go_and_come() -> None:
    control, play = attached()
    await control.unplug("freezer-01")
    await control.cut_power("lena-home")
    assert not freezer(play).mains_ok
    await control.plug("freezer-01")
    assert not freezer(play).mains_ok
    await control.restore_power("lena-home")
    assert freezer(play).mains_ok


async def test_a_customer_sent_past_a_shop_is_there_when_it_was_said() -> None:
    control, play = attached()
    done = await control.walk_past_shop("lena", "nord")
    assert done.arrives_at is not None
    play.advance(done.arrives_at + timedelta(seconds=60))
    shop = play.shop_places["nord"]
    phone = play.machine("lena/phone")
    place = getattr(phone, "place")  # noqa: B009 - of PhoneMachine, which this lever alone moves
    assert abs(place[0] - shop[0]) < 30
    assert abs(place[1] - shop[1]) < 30
    again = await control.drive_past_shop("lena", "nord")
    assert again.arrives_at is None


async def test_every_command_of_the_topic_is_a_lever() -> None:
    control, play = attached()
    arguments = {"device": "freezer-02", "site": "jonas-home", "customer": "jonas", "shop": "nord"}
    for name, needed in COMMANDS.items():
        done = await control.apply({"command": name, **{argument: arguments[argument] for argument in needed}})
        assert done.command == name
    assert {fault.cause for fault in play.truth.faults} == {"unplugged", "door-left-open", "seal-leak", "mains-cut"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ({}, "command"),
        ({"command": "explode"}, "none of unplug"),
        ({"command": ["unplug"]}, "command"),
        ({"command": "attach", "device": "freezer-01"}, "none of"),
        ({"command": "unplug"}, "device: is missing"),
        ({"command": "unplug", "device": 7}, "device"),
        ({"command": "unplug", "device": "freezer-99"}, "freezer-99"),
        ({"command": "wear_seal", "device": "heatpump-01"}, "cannot fail by seal-leak"),
        ({"command": "cut_power", "site": "nowhere"}, "nowhere"),
        ({"command": "walk_past_shop", "customer": "nobody", "shop": "nord"}, "nobody"),
        ({"command": "walk_past_shop", "customer": "lena", "shop": "none"}, "none"),
    ],
)
async def test_a_command_that_cannot_be_carried_out_says_why(command: dict[str, object], words: str) -> None:
    control, play = attached()
    with pytest.raises(CommandError, match=words):
        await control.apply(command)
    assert play.truth.faults == []


async def test_the_panel_sees_what_can_be_broken_and_what_will_come_of_it() -> None:
    control, play = attached()
    before = {device["id"]: device for device in control.describe()["devices"]}
    assert before["freezer-01"]["commands"] == ["unplug", "leave_door_open", "wear_seal"]
    assert before["freezer-01"]["harm_at"] is None
    assert before["bike-01"]["commands"] == []
    await control.leave_door_open("freezer-01")
    shown = control.describe()
    json.dumps(shown)
    after_it = {device["id"]: device for device in shown["devices"]}
    assert after_it["freezer-01"]["faults"] == ["door-left-open"]
    assert datetime.fromisoformat(after_it["freezer-01"]["harm_at"]) > play.now
    assert [person["customer_id"] for person in shown["people"]] == ["lena", "jonas"]
    assert [shop["id"] for shop in shown["shops"]] == ["nord", "markt"]
    assert shown["now"] == rfc3339(play.now)
    assert [fault["cause"] for fault in shown["faults"]] == ["door-left-open"]


async def test_the_forecast_follows_the_physics_as_they_go() -> None:
    control, play = attached()
    await control.leave_door_open("freezer-01")
    first = _harm_at(control)
    await control.close_door("freezer-01")
    await control.unplug("freezer-01")
    assert _harm_at(control) > first
    play.advance(after(minutes=30))
    assert _harm_at(control) > play.now


def _harm_at(control: Control) -> datetime:
    shown = {device["id"]: device for device in control.describe()["devices"]}
    return datetime.fromisoformat(shown["freezer-01"]["harm_at"])
