"""Staff alerts: told on their own channels, person after person until somebody takes it, and never a storm."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from device_models.purpose import Severity
from gateway import commands as c
from gateway.commands import cases as w
from gateway.commands.accounts import SetLanguage
from gateway.commands.staff import (
    AnswerAlert,
    DropOverride,
    DropRota,
    GatewayAlarm,
    SaveContacts,
    SaveOverride,
    SavePolicy,
    SaveRota,
    SendTestAlert,
    SetAway,
    TellStaff,
    WatchSla,
)
from gateway.staff.alerts import title_of
from gateway.staff.sla import Policy, Target
from gateway.store import schema
from gateway.store.staff import staff_alerts
from gateway.web.language import speaking
from notifiers.errors import NotifierError, Undeliverable
from notifiers.message import Outgoing
from tests.gateway.making import T0, Gateway, gateway
from tests.gateway.sending import Provider, Running
from tests.gateway.web_fleet import Town
from tests.gateway.web_visit import visit

NIGHT = {"level": 1, "hours": "24/7", "people": ["mia", "ben"], "since": "2026-03-02"}
TWILIO = {"account": "AC1", "token": "t", "sender": "+4930123456"}
MAIL = {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}
MINUTE = timedelta(minutes=1)


def rota(**more: object) -> SaveRota:
    values = {"severities": ("critical", "major"), "alarms": True, **more}
    return SaveRota("Night", "Europe/Berlin", (NIGHT,), "lea", **values)  # type: ignore[arg-type]


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """Mia is on call, Ben is next. Mia has SMS and mail, Ben has mail."""
    with gateway(store_url, tmp_path, notifiers={"mode": "approve", "email": MAIL, "twilio": TWILIO}) as made:
        for name in ("mia", "ben", "lea"):
            made.submit(c.SaveUser(name, "hash", "agent", by="test"))
        contacts = (("sms", "+491511234567"), ("email", "Mia@acme.example"))
        made.submit(SaveContacts("mia", contacts, "mia"))
        made.submit(SaveContacts("ben", (("email", "ben@acme.example"),), "ben"))
        made.submit(rota())
        yield made


def opened(running: Gateway, severity: Severity = Severity.CRITICAL) -> int:
    """A case that nobody has taken yet."""
    number: int = running.submit(w.OpenCase("It hums", "lea", "f1", severity=severity))
    with running.store.write() as connection:
        change = sa.update(schema.cases).where(schema.cases.c.id == number)
        connection.execute(change.values(acknowledged_at=None, assignee=None))
    running.submit(c.AddNote(number, "still there", "lea"))
    return number


def told(running: Gateway) -> list[tuple[str, str]]:
    """(person, channel) of each message to staff, in order."""
    rows = running.rows(schema.notifications, template="staff_alert")
    return [(row["customer_id"].removeprefix("staff:"), row["channel"]) for row in rows]


def alert(running: Gateway) -> sa.RowMapping:
    return running.rows(staff_alerts)[-1]


def kinds(running: Gateway, number: int) -> list[str]:
    rows = running.rows(schema.timeline, case_id=number)
    return [row["kind"] for row in rows if row["kind"].startswith("staff_")]


def after(running: Gateway, minutes: float) -> int:
    running.now += timedelta(minutes=minutes)
    sent: int = running.submit(TellStaff())
    return sent


def wrote(running: Gateway, text: str, channel: str = "sms", address: str = "+491511234567") -> None:
    key = f"{channel}-{text}-{running.now}"
    running.submit(c.CustomerWrote("twilio", key, channel, address, text))


def test_a_critical_case_is_told_to_whoever_is_on_call_by_their_first_channel(running: Gateway) -> None:
    number = opened(running)
    assert after(running, 0) == 1
    assert told(running) == [("mia", "sms")]
    row = running.rows(schema.notifications, template="staff_alert")[0]
    assert (row["state"], row["address"], row["case_id"]) == ("queued", "+491511234567", None)
    assert f"It hums (Garage freezer), critical, #{number}" in row["text"]
    assert re.search(r"http://127\.0\.0\.1:8080/a/\S+$", row["text"])
    assert "Ana" not in row["text"]
    assert kinds(running, number) == ["staff_alerted"]
    assert after(running, 0) == 0


def test_a_minor_case_and_one_that_somebody_has_taken_call_nobody(running: Gateway) -> None:
    opened(running, Severity.MINOR)
    running.submit(w.OpenCase("It hums", "lea", "f1", severity=Severity.CRITICAL))
    assert after(running, 0) == 0
    assert running.rows(staff_alerts) == []


def test_nobody_answers_so_the_next_channel_and_then_the_next_person_are_told(running: Gateway) -> None:
    number = opened(running)
    assert [after(running, minutes) for minutes in (0, 4.9, 0.1, 4.9, 0.1, 9.9, 0.1)] == [1, 0, 1, 0, 1, 0, 0]
    assert told(running) == [("mia", "sms"), ("mia", "email"), ("ben", "email")]
    # Everybody was told; it stays open, and its case says so.
    assert (alert(running)["state"], alert(running)["next_at"]) == ("open", None)
    assert kinds(running, number)[-1] == "staff_unreached"
    assert after(running, 600) == 0


def test_an_answer_takes_it_and_nobody_else_is_told(running: Gateway) -> None:
    number = opened(running)
    after(running, 0)
    wrote(running, "OK, on my way")
    assert (alert(running)["state"], alert(running)["acknowledged_by"]) == ("acknowledged", "mia")
    assert after(running, 60) == 0
    assert kinds(running, number) == ["staff_alerted", "staff_acknowledged"]
    # The queue says so too.
    [case] = running.rows(schema.cases, id=number)
    assert (case["assignee"], case["acknowledged_at"]) == ("mia", running.now - timedelta(minutes=60))
    # It was no customer's word.
    assert running.rows(schema.inbound) == []


def test_taking_an_alert_takes_no_case_from_whom_a_person_gave_it_to(running: Gateway) -> None:
    number = opened(running)
    running.submit(c.Assign(number, "ben", "lea"))
    after(running, 0)
    wrote(running, "OK")
    [case] = running.rows(schema.cases, id=number)
    assert (alert(running)["state"], case["assignee"], case["acknowledged_at"]) == ("acknowledged", "ben", None)


def test_no_passes_it_on_at_once(running: Gateway) -> None:
    number = opened(running)
    after(running, 0)
    wrote(running, "no, sick")
    assert after(running, 0) == 1
    assert told(running) == [("mia", "sms"), ("ben", "email")]
    assert kinds(running, number) == ["staff_alerted", "staff_passed_on", "staff_alerted"]


def test_a_mail_takes_it_only_where_its_sender_is_proven(running: Gateway) -> None:
    opened(running)
    after(running, 0)
    for verified in (False, True):
        mail = c.MailArrived(f"<{verified}@x>", "mia@acme.example", verified, "OK", "", ())
        running.submit(mail)
        assert (alert(running)["state"] == "acknowledged") is verified


def test_other_words_of_theirs_are_taken_as_any_message(running: Gateway) -> None:
    opened(running)
    after(running, 0)
    wrote(running, "What is this number?")
    assert alert(running)["state"] == "open"
    assert len(running.rows(schema.inbound)) == 1


def test_an_alert_speaks_the_language_of_whom_it_is_for(running: Gateway) -> None:
    running.submit(SetLanguage("mia", "de"))
    first, second = opened(running), opened(running)
    after(running, 0)
    running.submit(AnswerAlert(alert(running)["id"], "mia", takes=False))
    after(running, 1)
    to_mia, to_ben = (row["text"] for row in running.rows(schema.notifications, template="staff_alert"))
    assert "2 Alarme" in to_mia
    assert f"kritisch, #{first}" in to_mia
    assert "Antworten Sie OK" in to_mia
    assert f"critical, #{second}" in to_ben
    assert "Answer OK to take it" in to_ben


async def test_a_mail_to_somebody_on_call_is_marked_with_the_language_and_direction_it_is_written_in(
    running: Gateway,
) -> None:
    mail = Provider("smtp", frozenset({"email"}))
    life = Running(running, [mail])
    running.submit(SaveContacts("mia", (("email", "mia@acme.example"),), "mia"))
    running.submit(SetLanguage("mia", "ar"))
    opened(running)
    after(running, 0)
    await life.until_idle()
    (sent,) = mail.taken
    assert (sent.rendered.language, sent.rendered.direction) == ("ar", "rtl")


def test_an_alert_is_named_after_what_it_is_about(running: Gateway) -> None:
    number = opened(running)
    opened(running)
    items = alert(running)["items"]
    with speaking("de"):
        one = title_of(items[:1])
        assert one.startswith("It hums")
        assert one.endswith(f"kritisch, #{number}")
        assert title_of(items) == f"{one}, und 1 weitere"


def test_a_storm_is_one_message_that_counts_and_one_more_every_five_minutes(running: Gateway) -> None:
    for _ in range(12):
        opened(running)
    assert after(running, 0) == 1
    text = running.rows(schema.notifications, template="staff_alert")[0]["text"]
    assert "12 alerts" in text
    assert "and 7 more" in text
    for _ in range(8):
        opened(running)
        after(running, 0.5)
    assert len(told(running)) == 1
    # Five minutes after the first: Mia's next channel tells of all that has come since.
    assert after(running, 1) == 1
    assert told(running) == [("mia", "sms"), ("mia", "email")]
    assert "8 more" in running.rows(schema.notifications, template="staff_alert")[-1]["text"]
    assert len(running.rows(staff_alerts)) == 1


def test_after_an_answer_the_next_case_waits_until_five_minutes_have_passed(running: Gateway) -> None:
    opened(running)
    after(running, 0)
    wrote(running, "ok")
    opened(running)
    assert after(running, 1) == 0
    assert after(running, 4) == 1
    assert [row["state"] for row in running.rows(staff_alerts)] == ["acknowledged", "open"]


def test_a_case_that_somebody_claims_in_the_console_calls_nobody_any_more(running: Gateway) -> None:
    number = opened(running)
    after(running, 0)
    running.submit(c.Acknowledge(number, "lea"))
    assert alert(running)["state"] == "over"
    assert after(running, 60) == 0


def test_whoever_is_away_is_passed_over_and_whoever_stands_in_is_told(running: Gateway) -> None:
    running.submit(SetAway("mia", T0 + timedelta(days=1), "mia"))
    opened(running)
    after(running, 0)
    assert told(running) == [("ben", "email")]
    running.submit(SaveContacts("lea", (("email", "lea@acme.example"),), "lea"))
    running.submit(SaveOverride("Night", T0, T0 + timedelta(days=1), "lea", "lea"))
    wrote(running, "ok", "sms", "ben@acme.example")
    running.submit(AnswerAlert(alert(running)["id"], "ben"))
    opened(running)
    after(running, 5)
    assert told(running)[-1] == ("lea", "email")


def test_breaches_and_alarms_of_the_gateway_are_told_once(running: Gateway) -> None:
    number = opened(running, Severity.MINOR)
    running.submit(SavePolicy(Policy("all", {Target.RESOLVE: timedelta(hours=2)}), 1, "lea"))
    running.now = T0 + timedelta(hours=1, minutes=45)
    running.submit(WatchSla())
    running.submit(GatewayAlarm("broker", "it ended and is being started again"))
    running.submit(GatewayAlarm("broker", "it ended and is being started again"))
    assert after(running, 0) == 1
    text = running.rows(schema.notifications, template="staff_alert")[0]["text"]
    assert f"#{number}: solution is due soon" in text
    assert text.count("The gateway's broker: it ended") == 1
    running.submit(c.Acknowledge(number, "lea"))
    assert alert(running)["state"] == "open"
    running.submit(GatewayAlarm("broker", None))
    assert alert(running)["state"] == "over"


async def test_alerts_go_out_while_customers_messages_are_held_and_a_dead_number_is_not_waited_for(
    running: Gateway,
) -> None:
    def behaves(_: Outgoing) -> NotifierError | None:
        return Undeliverable("twilio", "21211", "no such number")

    sms = Provider("twilio", frozenset({"sms"}), behaves)
    mail = Provider("smtp", frozenset({"email"}))
    life = Running(running, [sms, mail])
    running.submit(c.Hold(True, "lea"))
    number = opened(running)
    after(running, 0)
    await life.until_idle()
    assert running.rows(schema.notifications)[-1]["state"] == "dead"
    assert after(running, 0.2) == 1
    await life.until_idle()
    (sent,) = mail.taken
    assert sent.address == "mia@acme.example"
    assert sent.rendered.subject.startswith("Your service team: It hums")
    assert running.rows(schema.notifications)[-1]["state"] == "accepted"
    # It was no word to the customer: no provider's answer to it counts as one.
    assert "message_out" not in [row["kind"] for row in running.rows(schema.timeline, case_id=number)]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (SaveRota("x", "Mars", (NIGHT,), "lea"), "no IANA time zone"),
        (SaveRota("x", "UTC", (), "lea"), "needs a line"),
        (SaveRota("x", "UTC", (NIGHT,), "lea", team="y"), "no team 'y'"),
        (SaveRota("x", "UTC", (NIGHT,), "lea", ack_within=timedelta(0)), "1 minute to 24 hours"),
        (SaveRota("x", "UTC", ({**NIGHT, "people": ["eve"]},), "lea"), "line 1: there is no user 'eve'"),
        (SaveRota("x", "UTC", ({**NIGHT, "people": []},), "lea"), "line 1: name who"),
        (SaveRota("x", "UTC", ({**NIGHT, "hours": "x"},), "lea"), "line 1: 'x' says no days"),
        (SaveRota("x", "UTC", ({**NIGHT, "level": 10},), "lea"), "level is 1 to 9"),
        (SaveRota("x", "UTC", ({**NIGHT, "holidays": "off"},), "lea"), "whose holidays"),
        (DropRota("x", "lea"), "no rota 'x'"),
        (SaveOverride("x", T0, T0 + MINUTE, "mia", "lea"), "no rota 'x'"),
        (SaveOverride("Night", T0, T0 + MINUTE, "eve", "lea"), "no user 'eve'"),
        (SaveOverride("Night", T0, T0, "mia", "lea"), "ends after it begins"),
        (DropOverride(9, "lea"), "no swap 9"),
        (SaveContacts("mia", (("pigeon", "x"),), "mia"), "nothing here serves 'pigeon'"),
        (SaveContacts("mia", (("sms", "0151"),), "mia"), "like \\+49"),
        (SendTestAlert("x", "lea"), "no rota 'x'"),
        (AnswerAlert(9, "lea"), "no alert 9"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(running: Gateway, command: c.Command, why: str) -> None:
    with pytest.raises(c.CommandRefused, match=why):
        running.submit(command)


async def test_the_console_shows_who_is_on_call_and_a_link_takes_an_alert(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        shifts = {"people.0": "Mia, Ben", "hours.0": "24/7", "since.0": "2026-03-02", "severities.critical": "1"}
        form = {"name": "Night", "zone": "Europe/Berlin", "breaches": "1", "ack_within": "10m", **shifts}
        assert (await web.post("/rota", form)).status == 303
        assert (await web.post("/rota/contacts", {"address.email": "lea@example.com"})).status == 303
        web.town.do(SaveContacts("Mia", (("sms", "+491511234567"),), "Mia"))
        page = await web.page("/rota?rota=Night")
        assert "<b>Mia</b> is on call, then Ben" in page
        assert "Mia, Ben" in page
        swap = {"rota": "Night", "person": "Ben", "begins": "2026-03-02T20:00", "ends": "2026-03-03T08:00"}
        assert (await web.post("/rota/swap", swap)).status == 303
        assert "in place of Mia" in await web.page("/rota")
        assert (await web.post("/rota/test", {"name": "Night"})).status == 303
        web.town.do(TellStaff())
        row = web.town.rows(schema.notifications, template="staff_alert")[0]
        path = row["text"].rsplit("http://127.0.0.1:8080", 1)[1]
        assert "This is a test of the rota Night" in await web.page("/rota")
        before = await (await web.client.get(path)).text()
        assert "I take it" in before
        assert alert_state(web.town) == "open"
        after_it = await (await web.client.post(path, data={"answer": "take"})).text()
        assert "It is yours" in after_it
        assert alert_state(web.town) == "acknowledged"
        assert "Mia has taken it" in await (await web.client.post(path, data={"answer": "pass"})).text()
        assert (await web.client.get(f"{path}x")).status == 404
        feed = re.search(r'href="http://127\.0\.0\.1:8080(/ics/[^"]+)"', page)
        assert feed is not None
        answer = await web.client.get(feed[1])
        text = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/calendar")
        assert "SUMMARY:Mia on call" in text
        assert "DTSTART:20260308T230000Z" in text
        listed = await (await web.api("GET", "/api/rota")).json()
        assert listed["items"][0]["in_order"] == ["Mia", "Ben"]
        assert (await (await web.api("GET", "/api/alerts")).json())["items"][0]["acknowledged_by"] == "Mia"


def alert_state(made: Town) -> str:
    return str(made.rows(staff_alerts)[-1]["state"])
