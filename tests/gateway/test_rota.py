"""Rotas: who is on call when, in turn, on holidays and after a swap, and who is told next."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.staff.rota import Duty, Line, Override, duties, in_order, next_to_tell, on_call
from gateway.staff.rota_records import line_of
from gateway.staff.working_hours import WorkingHours, parse_hours

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 2)


def line(hours: str, *people: str, level: int = 1, zone: ZoneInfo = BERLIN) -> Line:
    return Line(level, WorkingHours("", zone, parse_hours(hours)), people, MONDAY)


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=BERLIN)


def said(found: list[Duty]) -> list[tuple[str, str, str]]:
    def shown(at: datetime) -> str:
        return f"{at.astimezone(BERLIN):%m-%d %H:%M}"

    return [(duty.person, shown(duty.begins), shown(duty.ends)) for duty in found]


def test_people_take_turns_week_by_week() -> None:
    found = duties([line("24/7", "mia", "ben")], [], berlin("03-05 12:00"), berlin("03-18 12:00"))
    assert said(found) == [
        ("mia", "03-05 12:00", "03-09 00:00"),
        ("ben", "03-09 00:00", "03-16 00:00"),
        ("mia", "03-16 00:00", "03-18 12:00"),
    ]


def test_a_shift_over_midnight_belongs_to_the_week_in_which_it_begins() -> None:
    found = duties([line("Mo-Su 18:00-08:00", "mia", "ben")], [], berlin("03-08 20:00"), berlin("03-09 20:00"))
    assert said(found) == [("mia", "03-08 20:00", "03-09 08:00"), ("ben", "03-09 18:00", "03-09 20:00")]


def test_a_week_with_a_change_of_clocks_ends_at_midnight_all_the_same() -> None:
    found = duties([line("24/7", "mia", "ben")], [], berlin("03-28 00:00"), berlin("03-31 00:00"))
    assert said(found) == [("ben", "03-28 00:00", "03-30 00:00"), ("mia", "03-30 00:00", "03-31 00:00")]
    assert found[0].ends - found[0].begins == timedelta(hours=47)


def test_on_holidays_a_line_is_off_and_another_may_be_there_for_them_alone() -> None:
    written = {"level": 1, "hours": "24/7", "since": "2026-03-02", "place": "DE"}
    usual = line_of({**written, "people": ["mia"], "holidays": "off"}, "Europe/Berlin")
    feast = line_of({**written, "people": ["ben"], "holidays": "only"}, "Europe/Berlin")
    found = duties([usual, feast], [], berlin("04-30 12:00"), berlin("05-02 12:00"))
    assert said(found) == [
        ("mia", "04-30 12:00", "05-01 00:00"),
        ("ben", "05-01 00:00", "05-02 00:00"),
        ("mia", "05-02 00:00", "05-02 12:00"),
    ]


def test_somebody_stands_in_for_one_person_or_for_whoever_it_is() -> None:
    week = [line("24/7", "mia", "ben")]
    evening = Override(berlin("03-03 18:00"), berlin("03-04 08:00"), "lea", "mia")
    found = duties(week, [evening], berlin("03-03 00:00"), berlin("03-05 00:00"))
    assert said(found) == [
        ("mia", "03-03 00:00", "03-03 18:00"),
        ("lea", "03-03 18:00", "03-04 08:00"),
        ("mia", "03-04 08:00", "03-05 00:00"),
    ]
    assert found[1].instead_of == "mia"
    not_hers = Override(evening.begins, evening.ends, "lea", "ben")
    assert on_call(week, [not_hers], berlin("03-03 20:00")) == ["mia"]
    anybody = Override(evening.begins, evening.ends, "lea")
    assert on_call(week, [anybody], berlin("03-03 20:00")) == ["lea"]


def test_whoever_is_on_call_is_told_first_then_the_second_level_then_the_others() -> None:
    lines = [line("24/7", "mia", "ben"), line("24/7", "lea", "mia", level=2)]
    assert in_order(lines, [], berlin("03-03 12:00")) == ["mia", "lea", "ben"]
    assert in_order(lines, [], berlin("03-10 12:00")) == ["ben", "mia", "lea"]
    assert on_call([line("Mo 09:00-10:00", "mia")], [], berlin("03-03 12:00")) == []
    assert in_order([line("Mo 09:00-10:00", "mia")], [], berlin("03-03 12:00")) == ["mia"]


def test_each_channel_of_a_person_is_tried_before_the_next_person() -> None:
    people = [("mia", ["sms", "email"]), ("ben", []), ("lea", ["email"])]
    told: list[tuple[str, str | None]] = []
    order = []
    while (chosen := next_to_tell(people, told)) is not None:
        order.append(chosen)
        told.append(chosen[:2])
    assert order == [("mia", "sms", 2), ("mia", "email", 2), ("lea", "email", 1)]
    assert next_to_tell(people, [("mia", "sms"), ("mia", None)]) == ("lea", "email", 1)


_PEOPLE = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)
_HOURS = st.sampled_from(["24/7", "Mo-Fr 09:00-17:00", "Mo-Su 18:00-08:00", "Sa,Su 00:00-24:00", "Fr 22:00-23:00"])
_MOMENTS = st.integers(0, 60 * 24 * 60).map(lambda m: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=m))
_SPANS = st.timedeltas(timedelta(minutes=1), timedelta(days=20))
_OVERRIDES = st.lists(
    st.builds(
        lambda begins, span, person, instead: Override(begins, begins + span, person, instead),
        _MOMENTS,
        _SPANS,
        st.sampled_from("abcdx"),
        st.one_of(st.none(), st.sampled_from("abcd")),
    ),
    max_size=4,
)


@given(_PEOPLE, _HOURS, _OVERRIDES, _MOMENTS, _SPANS)
def test_whatever_is_swapped_each_shift_is_somebodys_and_nobody_elses(
    people: list[str], hours: str, overrides: list[Override], since: datetime, span: timedelta
) -> None:
    until, of_line = since + span, line(hours, *people)
    found = duties([of_line], overrides, since, until)
    assert all(a.ends <= b.begins for a, b in pairwise(found))
    assert all(duty.begins < duty.ends for duty in found)
    assert sum((d.ends - d.begins for d in found), timedelta(0)) == of_line.hours.worked(since, until)


@given(_PEOPLE, _HOURS, _OVERRIDES, _MOMENTS)
def test_who_is_on_call_does_not_depend_on_how_much_is_looked_at(
    people: list[str], hours: str, overrides: list[Override], at: datetime
) -> None:
    lines = [line(hours, *people)]
    wide = duties(lines, overrides, at - timedelta(days=9), at + timedelta(days=9))
    assert on_call(lines, overrides, at) == [duty.person for duty in wide if duty.begins <= at < duty.ends]


@pytest.mark.parametrize("wrong", [{"hours": "x"}, {"since": "x"}, {"level": "x"}])
def test_a_line_of_another_form_is_refused(wrong: dict[str, str]) -> None:
    written = {"level": 1, "hours": "24/7", "since": "2026-03-02", "people": ["mia"]}
    with pytest.raises(ValueError, match="x"):
        line_of({**written, **wrong}, "Europe/Berlin")
