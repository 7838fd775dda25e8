"""What customers ask for on their page: calls, dates that nobody else gets, silence, a rating; and what comes of it."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.contact import Role
from device_models.purpose import Purpose
from gateway.cases.dates import free_slots
from gateway.commands import CommandRefused, HandOver, Resolve, SetConsent, Upsert
from gateway.commands.desk import (
    AnswerSurvey,
    AskForCall,
    CancelBooking,
    ConfirmBooking,
    DeskCommand,
    HoldSlot,
    MuteByCustomer,
    OfferSlots,
    SettleTask,
    UnmuteByCustomer,
    WishDate,
)
from gateway.commands.people import EndContact, SaveContact, TransferDevice
from gateway.outbox.owed import OWED
from gateway.store import schema
from gateway.store.desk import bookings, service_slots, survey_answers, tasks
from gateway.store.store import Store
from notifiers.message import Outgoing
from tests.gateway.making import ANA, T0, Gateway, gateway

BEN = {"id": "ben", "name": "Ben Okri", "email": "ben@example.com"}
HOUR = timedelta(hours=1)
SLOTS = tuple((f"s{n}", T0 + n * HOUR, T0 + (n + 1) * HOUR) for n in range(1, 4))


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as opened:
        opened.submit(Upsert("customers", (BEN,), by="test"))
        opened.submit(OfferSlots("Berlin", SLOTS))
        for minutes, celsius in ((0, -18), (20, -5), (31, -5)):
            opened.temperature(celsius, minutes)
        yield opened


def free(made: Gateway) -> list[str]:
    with made.store.read() as connection:
        return [row["id"] for row in free_slots(connection, None, made.now)]


def test_a_call_is_a_task_in_the_customers_hours_and_its_outcome_stands_in_the_case(made: Gateway) -> None:
    at = T0 + 5 * HOUR
    number = made.submit(AskForCall("ana", 1, "The noise.", at, at + HOUR, "+55 11 91234 5678"))
    row = made.rows(tasks)[0]
    assert (row["kind"], row["wanted_from"], row["number"]) == ("call", at, "+5511912345678")
    assert made.rows(schema.cases)[0]["needs_reply"]
    made.submit(SettleTask(number, "missed", "No answer.", "Mia"))
    assert made.rows(tasks)[0]["settled_by"] == "Mia"
    notes = [entry["body"]["text"] for entry in made.rows(schema.timeline, kind="note")]
    assert notes == ["Asks for a call. The noise.", "Call: missed. No answer."]
    with pytest.raises(CommandRefused, match="missed already"):
        made.submit(SettleTask(number, "done", "", "Mia"))


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (AskForCall("nobody", None, ""), "no customer"),
        (AskForCall("ana", None, "", number="12"), "check.address"),
        (WishDate("ana", 1, T0 - 2 * HOUR, T0 - HOUR), "date.past"),
        (SettleTask(99, "done", "", "Mia"), "no task"),
        (HoldSlot("nothing", "ana", 1), "date.taken"),
        (ConfirmBooking(99, "ana"), "date.taken"),
        (AnswerSurvey("ana", 1), "survey.empty"),
        (AnswerSurvey("ana", 1, satisfaction=6), "survey.range"),
        (AnswerSurvey("ana", 9, satisfaction=5), "no case 9"),
    ],
)
def test_what_cannot_be_is_refused(made: Gateway, command: DeskCommand, why: str) -> None:
    with pytest.raises(CommandRefused, match=why):
        made.submit(command)


def test_one_customer_asks_for_five_things_at_most(made: Gateway) -> None:
    for _ in range(5):
        made.submit(AskForCall("ana", 1, ""))
    with pytest.raises(CommandRefused, match=r"task\.too_many"):
        made.submit(AskForCall("ana", 1, ""))


def test_a_held_date_is_free_again_after_five_minutes(made: Gateway) -> None:
    made.submit(HoldSlot("s1", "ana", 1))
    assert free(made) == ["s2", "s3"]
    with pytest.raises(CommandRefused, match=r"date\.taken"):
        made.submit(HoldSlot("s1", "ben", None))
    made.now += timedelta(minutes=5)
    assert free(made) == ["s1", "s2", "s3"]
    made.submit(HoldSlot("s1", "ben", None))


def test_who_confirms_late_has_it_unless_somebody_else_took_it(made: Gateway) -> None:
    late = made.submit(HoldSlot("s1", "ana", 1))
    made.now += timedelta(minutes=6)
    made.submit(ConfirmBooking(late, "ana"))
    lost = made.submit(HoldSlot("s2", "ana", 1))
    made.now += timedelta(minutes=6)
    made.submit(HoldSlot("s2", "ben", None))
    with pytest.raises(CommandRefused, match=r"date\.taken"):
        made.submit(ConfirmBooking(lost, "ana"))


def test_only_whose_date_it_is_confirms_or_cancels_it(made: Gateway) -> None:
    booking = made.submit(HoldSlot("s1", "ana", 1))
    for command in (ConfirmBooking(booking, "ben"), CancelBooking(booking, "customer", "ben")):
        with pytest.raises(CommandRefused):
            made.submit(command)
    made.submit(ConfirmBooking(booking, "ana"))
    made.submit(CancelBooking(booking, "Mia"))
    assert free(made) == ["s1", "s2", "s3"]


def booked(made: Gateway, slot: str = "s2") -> int:
    number: int = made.submit(HoldSlot(slot, "ana", 1))
    made.submit(ConfirmBooking(number, "ana"))
    return number


def told(made: Gateway) -> list[tuple[str, str, str]]:
    """(template, customer, state) of each message about a date."""
    rows = [row for row in made.rows(schema.notifications) if row["template"] in OWED]
    return [(row["template"], row["customer_id"], row["state"]) for row in rows]


def handed_over(made: Gateway) -> Outgoing:
    row = made.rows(schema.notifications)[-1]
    out: Outgoing = made.submit(HandOver(row["id"]))
    assert out is not None, row["state"]
    return out


def test_a_booked_date_is_confirmed_with_a_calendar_file_whatever_they_stopped(made: Gateway) -> None:
    made.submit(SetConsent("ana", tuple(Purpose), granted=False, source="test"))
    booked(made)
    out = handed_over(made)
    assert "Sua visita técnica está marcada: segunda-feira, 2 de março de 2026, 12:00–13:00." in out.rendered.text
    assert "Berlin" in (out.rendered.html or "")
    assert out.links.stop_url is None
    [file] = out.files
    assert (file.name, file.kind) == ("service.ics", "text/calendar")
    assert b"DTSTART:20260302T120000Z" in file.content


def test_a_date_that_staff_cancel_is_told_and_leaves_the_calendar_and_their_own_is_not(made: Gateway) -> None:
    number = booked(made)
    made.submit(CancelBooking(number, "Mia"))
    out = handed_over(made)
    assert "Precisamos cancelar sua visita técnica" in out.rendered.text
    assert b"METHOD:CANCEL" in out.files[0].content
    assert f"UID:booking-{number}@".encode() in out.files[0].content
    made.submit(HandOver(made.rows(schema.notifications, template="date_booked")[0]["id"]))
    mine = booked(made, "s3")
    made.submit(CancelBooking(mine, "customer", "ana"))
    states = [("date_booked", "ana", "cancelled"), ("date_cancelled", "ana", "handed_over")]
    assert told(made) == [*states, ("date_booked", "ana", "queued")]
    made.submit(HandOver(made.rows(schema.notifications)[-1]["id"]))
    assert told(made)[-1] == ("date_booked", "ana", "cancelled"), "a confirmation that waited is true no more"


def test_a_confirmation_waits_for_the_morning_and_a_date_cancelled_at_short_notice_does_not(made: Gateway) -> None:
    made.submit(Upsert("customers", (ANA | {"quiet_hours": "07:00-11:00", "timezone": "America/Sao_Paulo"},), by="t"))
    number = booked(made)
    made.submit(CancelBooking(number, "Mia"))
    waits = {row["template"]: row["not_before"] for row in made.rows(schema.notifications) if row["template"] in OWED}
    assert waits == {"date_booked": T0 + 4 * HOUR, "date_cancelled": None}


def test_a_case_that_is_over_withdraws_no_word_about_a_date(made: Gateway) -> None:
    booked(made)
    made.submit(Resolve(1, "Mia"))
    assert told(made) == [("date_booked", "ana", "queued")]


def test_a_feed_that_names_a_date_no_more_takes_no_booking_away(made: Gateway) -> None:
    made.submit(ConfirmBooking(made.submit(HoldSlot("s1", "ana", 1)), "ana"))
    made.submit(OfferSlots("Berlin", SLOTS[1:]))
    assert [row["state"] for row in made.rows(bookings)] == ["booked"]
    made.submit(OfferSlots("Berlin", SLOTS))
    assert free(made) == ["s2", "s3"]


def test_two_calendars_of_one_team_keep_their_dates_and_one_that_is_gone_takes_its_own(made: Gateway) -> None:
    made.submit(OfferSlots("Berlin", (("t1", T0 + 9 * HOUR, T0 + 10 * HOUR),), feed="b.ics"))
    assert free(made) == ["s1", "s2", "s3", "t1"]
    made.submit(OfferSlots("Berlin", (), feed=""))
    assert free(made) == ["t1"]


@pytest.mark.parametrize("shift", [timedelta(0), timedelta(minutes=30), timedelta(minutes=-30)])
def test_a_calendar_exported_anew_frees_no_hour_that_is_booked(made: Gateway, shift: timedelta) -> None:
    made.submit(ConfirmBooking(made.submit(HoldSlot("s2", "ana", 1)), "ana"))
    made.submit(OfferSlots("Berlin", (("new", T0 + 2 * HOUR + shift, T0 + 3 * HOUR + shift),)))
    assert free(made) == []
    with pytest.raises(CommandRefused, match=r"date\.taken"):
        made.submit(HoldSlot("new", "ben", None))
    made.submit(OfferSlots("Rome", (("rome", T0 + 2 * HOUR, T0 + 3 * HOUR),)))
    made.submit(HoldSlot("rome", "ben", None))


def test_two_people_of_a_team_have_two_dates_at_one_hour(made: Gateway) -> None:
    made.submit(OfferSlots("Berlin", (("t1", *SLOTS[0][1:]),), feed="b.ics"))
    assert free(made) == ["s1", "s2", "s3"]
    made.submit(ConfirmBooking(made.submit(HoldSlot("s1", "ana", 1)), "ana"))
    assert free(made) == ["t1", "s2", "s3"]
    made.submit(HoldSlot("t1", "ben", None))
    assert free(made) == ["s2", "s3"]


def test_an_id_that_a_calendar_gives_to_another_hour_is_another_date(made: Gateway) -> None:
    made.submit(ConfirmBooking(made.submit(HoldSlot("s1", "ana", 1)), "ana"))
    made.submit(OfferSlots("Berlin", (("s1", T0 + 9 * HOUR, T0 + 10 * HOUR),)))
    made.submit(ConfirmBooking(made.submit(HoldSlot("s1", "ben", None)), "ben"))
    assert [row["customer_id"] for row in made.rows(bookings, state="booked")] == ["ana", "ben"]


def test_the_store_itself_refuses_a_second_customer(made: Gateway) -> None:
    made.submit(ConfirmBooking(made.submit(HoldSlot("s1", "ana", 1)), "ana"))
    row = dict(made.rows(bookings)[0]) | {"customer_id": "ben"}
    del row["id"]
    with pytest.raises(sa.exc.IntegrityError), made.store.write() as connection:
        connection.execute(sa.insert(bookings).values(**row))


def test_two_writers_at_once_book_a_date_once(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        made.submit(OfferSlots("Berlin", SLOTS))
        slot = made.rows(service_slots)[0]
        values = {"slot_id": slot["id"], "team": "Berlin", "state": "booked", "created_at": T0}
        span = {"starts_at": slot["starts_at"], "ends_at": slot["ends_at"]}
        outcomes: list[str] = []
        begin = threading.Barrier(4)

        def book(who: str, store: Store) -> None:
            begin.wait(timeout=30)
            try:
                with store.write() as connection:
                    connection.execute(sa.insert(bookings).values(customer_id=who, **values, **span))
                outcomes.append("booked")
            except sa.exc.IntegrityError:
                outcomes.append("taken")

        # Migrations are looked at one process at a time; the race is for the row.
        stores = [Store(store_url) for _ in range(4)]
        threads = [threading.Thread(target=book, args=(f"c{n}", store)) for n, store in enumerate(stores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        for store in stores:
            store.close()
        assert sorted(outcomes) == ["booked", "taken", "taken", "taken"]


DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "confirm", "cancel", "wait", "export"]),
        st.sampled_from(["ana", "ben"]),
        st.sampled_from(["s1", "s2", "s3"]),
        st.integers(0, 7),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(deeds=DEEDS)
def test_no_course_of_deeds_gives_one_date_to_two_customers(
    tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, str, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("dates")
    with gateway(f"sqlite:///{folder / 'g.sqlite'}", folder) as made:
        made.submit(Upsert("customers", (BEN,), by="test"))
        made.submit(OfferSlots("Berlin", SLOTS))
        held: dict[str, int] = {}
        export = ""
        for deed, who, slot, minutes in deeds:
            try:
                if deed == "hold":
                    held[who] = made.submit(HoldSlot(slot + export, who, None))
                elif deed == "confirm" and who in held:
                    made.submit(ConfirmBooking(held[who], who))
                elif deed == "cancel" and who in held:
                    made.submit(CancelBooking(held[who], "customer", who))
                elif deed == "export":
                    export = f"-{minutes}"
                    made.submit(OfferSlots("Berlin", [(name + export, begins, ends) for name, begins, ends in SLOTS]))
                elif deed == "wait":
                    made.now += timedelta(minutes=minutes)
            except CommandRefused:
                continue
            live = [row["starts_at"] for row in made.rows(bookings) if row["state"] != "cancelled"]
            assert len(live) == len(set(live))


def test_away_mutes_the_device_in_their_name_until_then(made: Gateway) -> None:
    until = T0 + timedelta(days=2)
    made.submit(MuteByCustomer("ana", 1, until, known=False))
    silence = made.rows(schema.silences)[0]
    assert (silence["author"], silence["device_id"], silence["rule"]) == ("Ana Souza", "f1", None)
    assert made.rows(schema.notifications)[0]["state"] == "cancelled"
    made.temperature(-18, 60)
    made.temperature(-5, 3000 - 1500)
    made.temperature(-5, 3000 - 1400)
    assert len(made.rows(schema.cases, state="open")) == 0
    made.submit(UnmuteByCustomer("ana", 1))
    made.tick(3000 - 1390)
    assert len(made.rows(schema.cases, state="open")) == 1


def break_down_again(made: Gateway, minutes: int) -> None:
    made.temperature(-18, minutes)
    made.temperature(-5, minutes + 30)
    made.temperature(-5, minutes + 45)


def opened_for(made: Gateway) -> list[tuple[str, str, str | None]]:
    """(customer, state, reason) of each message about a new fault."""
    rows = made.rows(schema.notifications, template="fault_opened")
    return [(row["customer_id"], row["state"], row["reason"]) for row in rows]


def test_who_looks_after_it_is_silent_for_themselves_alone(made: Gateway) -> None:
    made.submit(SaveContact("f1", "ben", Role.CARETAKER, "Mia"))
    made.submit(Resolve(1, "Mia"))
    break_down_again(made, 2000)
    number = made.rows(schema.cases, state="open")[0]["id"]
    first = opened_for(made)
    made.submit(MuteByCustomer("ben", number, made.now + timedelta(days=30), known=False))
    assert opened_for(made) == [*first[:-1], ("ben", "cancelled", "the customer away or switched off")]
    assert first[-2][:2] == ("ana", "queued")
    made.submit(Resolve(number, "Mia"))
    break_down_again(made, 6000)
    assert opened_for(made)[-2:] == [("ana", "queued", None), ("ben", "withheld", "silence.own")]
    assert made.submit(UnmuteByCustomer("ana", number)) == 0, "one person's silence is not another's to end"
    made.submit(EndContact("f1", "ben", "Mia"))
    assert [row["ended_by"] for row in made.rows(schema.silences)] == ["Mia"]


def test_namesakes_end_no_silence_of_each_other(made: Gateway) -> None:
    made.submit(Upsert("customers", (BEN | {"name": "Ana Souza"},), by="test"))
    made.submit(SaveContact("f1", "ben", Role.CARETAKER, "Mia"))
    made.submit(MuteByCustomer("ana", 1, T0 + timedelta(days=2), known=False))
    assert made.submit(UnmuteByCustomer("ben", 1)) == 0
    assert made.submit(UnmuteByCustomer("ana", 1)) == 1


def test_a_holiday_is_told_ahead_of_any_fault_for_all_that_is_theirs(made: Gateway) -> None:
    made.submit(Resolve(1, "Mia"))
    made.submit(MuteByCustomer("ana", None, T0 + timedelta(days=14), known=False))
    break_down_again(made, 2000)
    assert made.rows(schema.cases, state="open") == []
    made.submit(UnmuteByCustomer("ana", None))
    made.tick(2100)
    assert len(made.rows(schema.cases, state="open")) == 1


def test_i_know_mutes_this_fault_alone_and_a_new_owner_hears_of_it(made: Gateway) -> None:
    made.submit(MuteByCustomer("ana", 1, T0 + timedelta(days=1), known=True))
    assert made.rows(schema.silences)[0]["rule"] == "freezer-too-warm"
    made.submit(TransferDevice("f1", "ben", by="Mia"))
    made.tick(40)
    assert made.rows(schema.silences)[0]["ended_at"] is not None
    assert [case["customer_id"] for case in made.rows(schema.cases, state="open")] == ["ben"]


def test_a_later_rating_replaces_an_earlier_one(made: Gateway) -> None:
    made.submit(AnswerSurvey("ana", 1, 2, 3, "other", "My neighbour", "Be faster."))
    made.submit(AnswerSurvey("ana", 1, 5, 4, "person"))
    [row] = made.rows(survey_answers)
    assert (row["satisfaction"], row["effort"], row["helped"], row["better"]) == (5, 4, "person", None)
