"""Feeds of free dates: CSV and iCalendar as calendars write them, and what is said of those that cannot be read."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from gateway.date_feeds import FeedError, calendar_entry, parse_feed, read_feed

CSV = "id,starts_at,ends_at\na,2026-03-03T09:00,2026-03-03T10:00\nb,2026-07-03T09:00:00Z,2026-07-03T10:00:00Z\n"
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTART;TZID=Europe/Berlin:20260303T090000\r\n"
    'DTEND;TZID="Europe/Berlin":20260303T100000\r\nSUMMARY:free\r\n  indeed\r\nEND:VEVENT\r\n'
    "BEGIN:VEVENT\r\nUID:2@x\r\nDTSTART:20260703T090000Z\r\nDTEND:20260703T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.mark.parametrize("text", [CSV, CALENDAR])
def test_times_are_read_in_their_own_zone(text: str) -> None:
    slots = parse_feed("Berlin", "f", text, "Europe/Berlin")
    starts = [starts for _, starts, _ in slots]
    assert starts == [datetime(2026, 3, 3, 8, tzinfo=UTC), datetime(2026, 7, 3, 9, tzinfo=UTC)]


def test_two_teams_that_number_alike_have_dates_of_their_own() -> None:
    one, other = (parse_feed(team, "f", CALENDAR, "UTC") for team in ("Berlin", "Rome"))
    assert {identity for identity, *_ in one}.isdisjoint({identity for identity, *_ in other})
    assert one == parse_feed("Berlin", "f", CALENDAR, "UTC")


OUTLOOK = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VTIMEZONE\r\nTZID:Customized Time Zone\r\nBEGIN:STANDARD\r\n"
    "DTSTART:16010101T000000\r\nTZOFFSETFROM:+0530\r\nTZOFFSETTO:+0530\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
    "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=W. Europe Standard Time:20260703T090000\r\nDURATION:PT1H\r\n"
    "BEGIN:VALARM\r\nUID:bell\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    "BEGIN:VEVENT\r\nUID:2\r\nDTSTART;TZID=Customized Time Zone:20260703T180000\r\n"
    "DTEND;TZID=Customized Time Zone:20260703T190000\r\n"
    "BEGIN:VALARM\r\nUID:bell\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    "BEGIN:VEVENT\r\nUID:3\r\nSTATUS:CANCELLED\r\nDTSTART:20260704T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_outlooks_zones_and_alarms_are_understood_and_what_is_cancelled_is_not_offered() -> None:
    spans = [(starts, ends) for _, starts, ends in parse_feed("Berlin", "f", OUTLOOK, "UTC")]
    begins = [datetime(2026, 7, 3, 7, tzinfo=UTC), datetime(2026, 7, 3, 12, 30, tzinfo=UTC)]
    assert spans == [(at, at + timedelta(hours=1)) for at in begins]


def test_two_calendars_of_one_team_that_number_alike_have_dates_of_their_own() -> None:
    one, other = (parse_feed("Berlin", feed, CALENDAR, "UTC") for feed in ("a.ics", "b.ics"))
    assert {identity for identity, *_ in one}.isdisjoint({identity for identity, *_ in other})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("when\n1\n", "f:1: needs the columns starts_at and ends_at"),
        ("starts_at,ends_at\nsoon,later\n", "f:2:"),
        ("starts_at,ends_at\n2026-03-03T10:00,2026-03-03T09:00\n", "f:2: ends_at is not after starts_at"),
        (CALENDAR.replace("SUMMARY:free", "RRULE:FREQ=WEEKLY"), "event 1@x: it repeats"),
        (CALENDAR.replace("DTEND:20260703T100000Z", "LOCATION:Berlin"), "event 2@x: it lacks DTSTART, or both"),
        (CALENDAR.replace("Europe/Berlin:2026", "Mars/Base:2026"), "event 1@x: there is no time zone 'Mars/Base'"),
        (CALENDAR.replace("20260703T090000Z", "soon"), "event 2@x: "),
        (CALENDAR.replace("DTSTART:20260703T090000Z", "DTSTART:00010101T000000"), "event 2@x: date value out of range"),
        ("starts_at,ends_at\n0001-01-01T00:00:00+14:00,2026-03-03T10:00\n", "f:2: "),
        (CALENDAR.removesuffix("END:VCALENDAR\r\n"), "it was cut off"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(text: str, words: str) -> None:
    with pytest.raises(FeedError, match=words):
        parse_feed("Berlin", "f", text, "Asia/Tokyo")


@given(st.text(max_size=300))
def test_no_text_raises_anything_else(text: str) -> None:
    for feed in (text, "BEGIN:VCALENDAR\n" + text, "starts_at,ends_at\n" + text):
        try:
            parse_feed("Berlin", "f", feed, "UTC")
        except FeedError:
            continue


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc")), max_size=120))
def test_a_booked_date_is_a_calendar_file_that_reads_back(title: str) -> None:
    begins, ends = datetime(2026, 3, 3, 8, tzinfo=UTC), datetime(2026, 3, 3, 9, tzinfo=UTC)
    text = calendar_entry("b-1@x", title, begins, ends, begins)
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert [slot[1:] for slot in parse_feed("t", "f", text, "UTC")] == [(begins, ends)]


async def test_a_feed_is_a_file_or_an_address(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(CSV, encoding="utf-8-sig")
    assert len(await read_feed("Berlin", str(tmp_path / "f.csv"), "UTC")) == 2
    with pytest.raises(FeedError, match="cannot be read"):
        await read_feed("Berlin", str(tmp_path / "none.csv"), "UTC")

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(text=CALENDAR)

    app = web.Application()
    app.router.add_get("/dates.ics", serve)
    async with TestServer(app) as server:
        assert len(await read_feed("Berlin", str(server.make_url("/dates.ics")), "UTC")) == 2
        with pytest.raises(FeedError, match="answers 404"):
            await read_feed("Berlin", str(server.make_url("/other")), "UTC")
