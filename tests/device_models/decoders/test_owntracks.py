"""Samples are written from the OwnTracks booklet, "JSON"."""

from datetime import UTC, datetime
from typing import Any

import pytest

from device_models.decoders.dispatch import Dispatcher, Route
from device_models.decoders.owntracks import decoder
from device_models.event import EventKind, Position, TimeSource
from tests.device_models.decoders.reading import ARRIVAL, decoded, only_event, rejected

AT = 1_772_362_800
OBSERVED = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)


def _fix(**more: Any) -> dict[str, Any]:
    return {"_type": "location", "lat": 48.137, "lon": 11.575, "tst": AT, **more}


def test_a_location_has_position_battery_and_the_devices_time() -> None:
    event = only_event(
        "owntracks/mia/pixel",
        _fix(acc=12, alt=520, vel=36, cog=270, vac=4, p=95.1, batt=73, bs=1, conn="m", t="u", tid="mp"),
    )
    assert (event.device_id, event.kind) == ("mia/pixel", EventKind.LOCATION)
    assert (event.observed_at, event.time_source) == (OBSERVED, TimeSource.DEVICE)
    assert event.position == Position(48.137, 11.575, 12.0, 520.0, 10.0, 270.0)
    assert event.values == {"vac": 4, "p": 95.1, "batt": 73, "bs": 1, "conn": "m", "t": "u", "tid": "mp"}
    assert event.units == {"vac": "m", "p": "kPa", "batt": "%"}


def test_minus_one_means_unknown() -> None:
    event = only_event("owntracks/mia/pixel", _fix(batt=-1, vel=-1, cog=-1, vac=-1))
    assert event.values == {}
    assert event.position == Position(48.137, 11.575)


def test_numbers_in_quotes_are_read() -> None:
    event = only_event("owntracks/mia/pixel", _fix(lat="48.137", tst=str(AT)))
    assert event.position == Position(48.137, 11.575)
    assert event.observed_at == OBSERVED


def test_what_tells_where_a_person_is_stays_out_of_the_values() -> None:
    outcome = decoded(
        "owntracks/mia/pixel", _fix(SSID="home-net", BSSID="00:11:22:33:44:55", inregions=["Home"], image="aGk=")
    )
    assert outcome.events[0].values == {}
    assert outcome.note == "not kept, since it tells where a person is: SSID, BSSID, inregions, image"


def test_a_transition_says_where_and_which_region() -> None:
    event = only_event(
        "owntracks/mia/pixel/event",
        {
            "_type": "transition",
            "wtst": 1,
            "lat": 48.1,
            "lon": 11.5,
            "tst": AT,
            "acc": 20,
            "event": "enter",
            "desc": "Shop",
        },
    )
    assert (event.device_id, event.kind, event.observed_at) == ("mia/pixel", EventKind.LOCATION, OBSERVED)
    assert event.values == {"wtst": 1, "event": "enter", "desc": "Shop"}
    assert event.position == Position(48.1, 11.5, 20.0)


def test_a_transition_at_a_beacon_has_no_position() -> None:
    event = only_event("owntracks/mia/pixel/event", {"_type": "transition", "tst": AT, "event": "leave", "t": "b"})
    assert (event.kind, event.position) == (EventKind.STATUS, None)


def test_a_last_will_is_offline_at_its_arrival_and_not_at_the_time_of_connecting() -> None:
    event = only_event("owntracks/mia/pixel", {"_type": "lwt", "tst": AT})
    assert (event.kind, dict(event.values)) == (EventKind.PRESENCE, {"online": False})
    assert (event.observed_at, event.time_source) == (ARRIVAL, TimeSource.ARRIVAL)


def test_steps_status_and_beacons_are_values_of_the_device() -> None:
    steps = only_event(
        "owntracks/mia/pixel/step", {"_type": "steps", "tst": AT, "steps": 900, "from": AT - 60, "to": AT}
    )
    assert steps.values == {"steps": 900, "from": AT - 60, "to": AT}
    status = only_event("owntracks/mia/pixel/status", {"_type": "status", "android": {"wifi": 1, "ps": 0, "bo": 1}})
    assert status.values == {"android.wifi": 1, "android.ps": 0, "android.bo": 1}
    beacon = only_event(
        "owntracks/mia/pixel/beacon",
        {
            "_type": "beacon",
            "desc": "door",
            "uuid": "u",
            "major": 1,
            "minor": 2,
            "tst": AT,
            "acc": 3,
            "rssi": -60,
            "prox": 2,
        },
    )
    assert (beacon.values["distance"], beacon.units["distance"], beacon.position) == (3, "m", None)


def test_steps_that_the_phone_cannot_count_are_no_event() -> None:
    assert decoded("owntracks/mia/pixel/step", {"_type": "steps", "tst": AT, "steps": -1}).events == ()


def test_a_command_keeps_its_action_and_leaves_nested_settings_out() -> None:
    event = only_event(
        "owntracks/mia/pixel/cmd",
        {"_type": "cmd", "action": "setConfiguration", "configuration": {"_type": "configuration", "password": "x"}},
    )
    assert (event.kind, dict(event.values)) == (EventKind.COMMAND, {"action": "setConfiguration"})
    assert event.device_id == "mia/pixel"


@pytest.mark.parametrize(
    ("suffix", "payload"),
    [
        ("", {"_type": "encrypted", "data": "c2VjcmV0"}),
        ("/info", {"_type": "card", "name": "Mia", "face": "aGk="}),
        ("/waypoint", {"_type": "waypoint", "desc": "Home", "lat": 48.1, "lon": 11.5, "rad": 50, "tst": AT}),
        ("/waypoints", {"_type": "waypoints", "waypoints": []}),
        ("/dump", {"_type": "dump", "configuration": {"password": "x"}}),
        ("/dump", {"_type": "configuration", "password": "x"}),
    ],
)
def test_what_says_nothing_of_the_device_is_understood_and_no_event(suffix: str, payload: dict[str, Any]) -> None:
    outcome = decoded(f"owntracks/mia/pixel{suffix}", payload)
    assert outcome.events == ()
    assert outcome.note is not None
    assert payload["_type"] in outcome.note


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("owntracks/mia/pixel", _fix(lat=91), "lat: 91 is not within -90..90 degrees"),
        ("owntracks/mia/pixel", _fix(lat="north"), "lat: 'north' is no number"),
        ("owntracks/mia/pixel", _fix(acc=-1), "acc: -1 says that the fix is not valid"),
        ("owntracks/mia/pixel", {"_type": "location", "tst": AT}, "lat: is missing"),
        ("owntracks/mia/pixel", {"lat": 1, "lon": 2}, "_type: is missing"),
        ("owntracks/mia/pixel", {"_type": "teleport"}, "_type: 'teleport' is no type of OwnTracks"),
        ("owntracks/mia", _fix(), "topic: is not of the form owntracks/<user>/<device>"),
        ("owntracks/mia/", _fix(), "topic: is not of the form owntracks/<user>/<device>"),
        ("owntracks/mia/pixel", "AB,5,t", "payload: is no JSON: "),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(topic: str, payload: Any, reason: str) -> None:
    assert rejected(topic, payload).startswith(reason)


def test_another_base_topic_stays_in_the_device_id() -> None:
    for topic_filter, topic, device_id in (
        ("fleet/#", "fleet/mia/pixel/event", "fleet/mia/pixel"),
        ("+/owntracks/#", "berlin/owntracks/mia/pixel", "berlin/owntracks/mia/pixel"),
        ("owntracks/mia/+", "owntracks/mia/pixel", "mia/pixel"),
    ):
        using = Dispatcher([Route(topic_filter, decoder)])
        payload = {"_type": "status", "android": {"wifi": 1}}
        assert only_event(topic, payload, using).device_id == device_id
