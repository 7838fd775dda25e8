from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from device_models.decoders.protocol import Decoded
from device_models.event import EventKind, Message, Position, TimeSource
from tests.device_models.decoders.reading import ARRIVAL, EVERY, decoded, dispatcher, message, only_event, rejected


def test_a_status_is_flattened_and_keeps_the_types_of_its_values() -> None:
    event = only_event(
        "devices/f-1/status",
        {"temperature": -18.5, "door": {"open": False, "seconds": 3}, "fans": [1200, None], "mode": "eco", "x": None},
    )
    assert (event.device_id, event.kind, event.ecosystem) == ("f-1", EventKind.STATUS, "native")
    assert event.values == {
        "temperature": -18.5,
        "door.open": False,
        "door.seconds": 3,
        "fans.0": 1200,
        "mode": "eco",
    }
    assert type(event.values["door.open"]) is bool
    assert type(event.values["fans.0"]) is int


@pytest.mark.parametrize(
    "ts",
    [
        "2026-03-01T11:00:00Z",
        "2026-03-01t11:00:00z",
        "2026-03-01T12:00:00.000000000+01:00",
        1772362800,
        1772362800.0,
        1772362800000,
        "1772362800",
    ],
)
def test_a_stamp_may_be_rfc3339_or_epoch_seconds_or_milliseconds(ts: Any) -> None:
    event = only_event("devices/f-1/status", {"ts": ts, "t": 1})
    assert event.observed_at == datetime(2026, 3, 1, 11, 0, tzinfo=UTC)
    assert event.observed_at.tzinfo is UTC
    assert event.time_source is TimeSource.DEVICE
    assert event.values == {"t": 1}


@pytest.mark.parametrize(
    ("ts", "reason"),
    [
        (0, "before the year 2000"),
        ("1970-01-01T00:00:10Z", "before the year 2000"),
        ("2099-01-01T00:00:00Z", "after its arrival"),
        (1e300, "no epoch time"),
        (-1, "before the year 2000"),
        (True, "is a boolean, not a time"),
        ("yesterday", "'yesterday' is no time"),
        ("2026-13-01T00:00:00Z", "no RFC 3339 time"),
        ("2026-03-01T11:00:00", "has no time zone and none is configured"),
        ("0001-01-01T00:00:00+14:00", "no time that a calendar holds"),
        ("nan", "is no epoch time"),
    ],
)
def test_an_unusable_stamp_gives_the_arrival_time_and_says_why(ts: Any, reason: str) -> None:
    outcome = decoded("devices/f-1/status", {"ts": ts, "t": 1})
    (event,) = outcome.events
    assert (event.observed_at, event.time_source) == (ARRIVAL, TimeSource.ARRIVAL)
    assert outcome.note is not None
    assert outcome.note.startswith("ts: ")
    assert reason in outcome.note


def test_a_clock_that_runs_ahead_by_less_than_ten_minutes_is_believed() -> None:
    nearly = ARRIVAL + timedelta(minutes=9, seconds=59)
    event = only_event("devices/f-1/status", {"ts": nearly.isoformat()})
    assert (event.observed_at, event.time_source) == (nearly, TimeSource.DEVICE)


def test_a_stamp_without_a_zone_is_read_in_the_configured_one() -> None:
    event = only_event("devices/f-1/status", {"ts": "2026-02-01T12:30:00"}, dispatcher("Europe/Berlin"))
    assert event.observed_at == datetime(2026, 2, 1, 11, 30, tzinfo=UTC)
    assert event.time_source is TimeSource.DEVICE


def test_the_hour_that_passes_twice_is_told_apart_by_the_arrival_and_no_message_of_it_is_late() -> None:
    # Clocks in Berlin are turned back from 03:00 to 02:00 on 25 October 2026 at 01:00 UTC.
    begin, zone, observed = datetime(2026, 10, 24, 23, tzinfo=UTC), ZoneInfo("Europe/Berlin"), []
    for minutes in range(0, 240, 5):
        arrival = begin + timedelta(minutes=minutes)
        wall = arrival.astimezone(zone).replace(tzinfo=None, fold=0).isoformat()
        said = Message("devices/f-1/status", orjson.dumps({"ts": wall}), arrival + timedelta(seconds=3))
        outcome = dispatcher("Europe/Berlin").decode(said)
        assert isinstance(outcome, Decoded)
        observed.append(outcome.events[0].observed_at)
    assert observed == [begin + timedelta(minutes=minutes) for minutes in range(0, 240, 5)]


def test_an_hour_that_the_clocks_leave_out_is_read_with_the_offset_before_it() -> None:
    event = only_event("devices/f-1/status", {"ts": "2025-03-30T02:30:00"}, dispatcher("Europe/Berlin"))
    assert event.observed_at == datetime(2025, 3, 30, 1, 30, tzinfo=UTC)


def test_an_empty_object_is_a_heartbeat() -> None:
    assert only_event("devices/f-1/status", {}).values == {}


def test_a_single_code_stays_a_value_of_the_status() -> None:
    assert only_event("devices/f-1/status", {"code": "E42", "t": 1}).values == {"code": "E42", "t": 1}


def test_a_list_of_codes_gives_one_error_event_each() -> None:
    status, *errors = decoded("devices/f-1/status", {"code": ["E42", 7, "E42"], "t": 1}).events
    assert status.values == {"t": 1}
    assert [(e.kind, dict(e.values)) for e in errors] == [
        (EventKind.ERROR, {"code": "E42"}),
        (EventKind.ERROR, {"code": 7}),
    ]


def test_an_empty_list_of_codes_says_that_no_code_is_active() -> None:
    assert only_event("devices/f-1/status", {"code": []}).values == {"code": ""}


def test_a_location_has_a_position_and_keeps_other_fields_as_values() -> None:
    event = only_event(
        "devices/bike/location",
        {"lat": 52.5, "lon": 13.4, "acc": 8, "alt": 40, "speed": 5.5, "course": 90, "battery": 80},
    )
    assert event.kind is EventKind.LOCATION
    assert event.position == Position(52.5, 13.4, 8.0, 40.0, 5.5, 90.0)
    assert event.values == {"battery": 80}


@pytest.mark.parametrize(
    ("fix", "reason"),
    [
        ({"lat": 91, "lon": 0}, "lat: 91 is not within -90..90 degrees"),
        ({"lat": 1, "lon": -180.5}, "lon: -180.5 is not within -180..180 degrees"),
        ({"lon": 0}, "lat: is missing"),
        ({"lat": None, "lon": 0}, "lat: is missing"),
        ({"lat": "52", "lon": 0}, "lat: is text, not a number"),
        ({"lat": True, "lon": 0}, "lat: is a boolean, not a number"),
        ({"lat": 1, "lon": 2, "acc": -1}, "acc: -1 is below 0 metres"),
        ({"lat": 1, "lon": 2, "acc": [5]}, "acc: is an array, not a number"),
        (b'{"lat": 1e999, "lon": 2}', "lat: is beyond the range of a number"),
    ],
)
def test_a_wrong_fix_is_refused_with_the_field_that_is_wrong(fix: Any, reason: str) -> None:
    assert rejected("devices/bike/location", fix) == reason


@pytest.mark.parametrize(("payload", "online"), [("online", True), ("offline", False), (" Offline\n", False)])
def test_a_last_will_is_presence(payload: str, online: bool) -> None:
    event = only_event("devices/f-1/lwt", payload)
    assert (event.kind, dict(event.values)) == (EventKind.PRESENCE, {"online": online})


def test_a_command_is_text_or_an_object() -> None:
    event = only_event("devices/f-1/commands", "defrost")
    assert (event.kind, dict(event.values)) == (EventKind.COMMAND, {"command": "defrost"})
    assert only_event("devices/f-1/commands", {"set": {"target": -20}}).values == {"set.target": -20}


def test_an_empty_payload_removes_a_retained_message_and_is_no_event() -> None:
    for topic in ("status", "location", "lwt", "commands"):
        outcome = decoded(f"devices/f-1/{topic}", b"")
        assert outcome.events == ()
        assert outcome.note == "an empty payload removes the retained message of its topic"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\xff\xfe", "payload: is not UTF-8 (byte 1)"),
        (b'{"t": 1,}', "payload: is no JSON: "),
        (b"[1]", "payload: is an array, not a JSON object"),
        (b"5", "payload: is a number, not a JSON object"),
        (b"null", "payload: is null, not a JSON object"),
        (b'{"a": {"b": [1, NaN]}}', "a.b.1: NaN is no JSON number"),
        (b'{"a": -Infinity}', "a: -Infinity is no JSON number"),
        (b"[" * 100_000, "payload: is no JSON: "),
        (b'{"a":' * 200 + b"NaN" + b"}" * 200, "payload: NaN is no JSON number"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "is nested deeper than 32 levels"),
        (b'{"a": 1} {}', "payload: is no JSON: "),
        (b'{"a": "\\ud800"}', "payload: is no JSON: "),
        (b'{"a": NaN, "b": "\\ud800"}', "payload: is no JSON: "),
        (b'{"a": "' + b"x" * (1 << 20) + b'"}', "bytes are more than 1048576"),
        (b"{" + b",".join(b'"v%d":1' % n for n in range(20_000)) + b"}", "20000 values are more than 2000"),
    ],
)
def test_a_payload_that_cannot_be_used_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    assert reason in rejected("devices/f-1/status", payload)


def test_a_value_that_cannot_be_kept_is_left_out_and_the_rest_stays() -> None:
    outcome = decoded("devices/f-1/status", b'{"big": 1e999, "long": "' + b"x" * (256 << 10) + b'", "t": 1}')
    assert outcome.events[0].values == {"t": 1}
    assert outcome.note is not None
    assert "'big': is beyond the range" in outcome.note
    assert "'long': is left out" in outcome.note


def test_an_integer_beyond_64_bits_becomes_a_double() -> None:
    values = only_event("devices/f-1/status", b'{"a": 123456789012345678901234567890}').values
    assert values == {"a": 1.2345678901234568e29}


def test_of_a_duplicate_key_the_last_one_counts() -> None:
    assert only_event("devices/f-1/status", b'{"t": 1, "t": 2}').values == {"t": 2}


@pytest.mark.parametrize("device_id", ["", " x", "x" * 201, "a\x01b", "a\nb"])
def test_a_device_id_that_cannot_be_one_is_refused(device_id: str) -> None:
    assert rejected(f"devices/{device_id}/status", {}).startswith("topic: ")


def test_a_retained_message_gives_retained_events() -> None:
    outcome = EVERY.decode(replace(message("devices/f-1/status", {"code": ["E1"]}), retained=True))
    assert isinstance(outcome, Decoded)
    assert [event.retained for event in outcome.events] == [True, True]
