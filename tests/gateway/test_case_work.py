"""What staff do with cases beyond answering: rest, merge, split, link, escalate, field service, by hand, commands."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from device_models.profile import DeviceProfile
from device_models.purpose import Severity
from gateway import commands as c
from gateway.cases.causes import shares
from gateway.commands import cases as w
from gateway.store import schema
from gateway.store.case_work import case_links, case_steps, device_commands, macros, saved_views
from gateway.store.verdicts import verdicts
from gateway.web.queries.cases import history_of
from tests.gateway.making import FREEZER, T0, Gateway, gateway

F2 = {"id": "f2", "profile": "freezer", "customer_id": "ana", "name": "Kitchen freezer"}
BEN = {"id": "ben", "name": "Ben", "email": "ben@example.com"}
F3 = {"id": "f3", "profile": "freezer", "customer_id": "ben"}


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as made:
        made.submit(c.Upsert("customers", (BEN,), by="test"))
        made.submit(c.Upsert("devices", (F2, F3), by="test"))
        yield made


def opened(running: Gateway, device: str = "f1", **values: object) -> int:
    number: int = running.submit(w.OpenCase("It hums", "mia", device, **values))  # type: ignore[arg-type]
    return number


def case(running: Gateway, number: int) -> dict[str, object]:
    return dict(running.rows(schema.cases, id=number)[0])


def kinds(running: Gateway, number: int) -> list[str]:
    return [row["kind"] for row in running.rows(schema.timeline, case_id=number)]


def wrote(running: Gateway, number: int, text: str = "Still warm") -> int:
    running.submit(c.CustomerWrote("page", f"p-{number}-{text}", "page", "ana", text, number, "ana"))
    return int(running.rows(schema.timeline, case_id=number, kind="message_in")[-1]["id"])


def test_a_case_by_hand_belongs_to_who_opened_it_and_to_the_devices_owner(running: Gateway) -> None:
    number = opened(running, severity=Severity.MINOR, text="She hears it at night", missed=True)
    row = case(running, number)
    assert (row["assignee"], row["customer_id"], row["kind"], row["fault"]) == ("mia", "ana", "reported", "missed")
    assert (row["severity"], row["explanation"]["title"]) == ("minor", {"en": "It hums"})  # type: ignore[index]
    assert kinds(running, number) == ["reported", "note"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (w.OpenCase(" ", "mia", "f1"), "few words"),
        (w.OpenCase("x", "mia", "nobody"), "no device 'nobody'"),
        (w.OpenCase("x", "mia", customer_id="nobody"), "no customer 'nobody'"),
        (w.OpenCase("x", "mia"), "name a device or a customer"),
        (w.OpenCase("x", "mia", customer_id="ana", missed=True), "name the device"),
        (w.Snooze(99, T0 + timedelta(hours=1), "mia"), "no case 99"),
        (w.Snooze(1, T0 - timedelta(hours=1), "mia"), "at most 90 days"),
        (w.Snooze(1, T0 + timedelta(days=91), "mia"), "at most 90 days"),
        (w.MergeCase(1, 1, "mia"), "into itself"),
        (w.UnmergeCase(1, "mia"), "part of no other"),
        (w.LinkCases(1, 1, "mia"), "not linked with itself"),
        (w.Escalate(1, " ", "mia"), "say why"),
        (w.HandToField(1, " ", "mia"), "what is to be done"),
        (w.SplitCase(1, 1, "mia"), "only a message"),
        (w.SendDeviceCommand("f1", "restart", "mia"), "has no command 'restart'; it allows none"),
        (w.SaveMacro(" ", "x", "mia"), "a name"),
        (w.SaveMacro("x", " ", "mia"), "what it says"),
        (w.SaveView(" ", {}, "mia"), "a name"),
        (w.DropView(5, "mia"), "no view 5"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(running: Gateway, command: c.Command, why: str) -> None:
    opened(running)
    with pytest.raises(c.CommandRefused, match=why):
        running.submit(command)


def test_a_case_rests_until_its_time(running: Gateway) -> None:
    number = opened(running)
    running.submit(w.Snooze(number, T0 + timedelta(hours=2), "mia"))
    assert running.submit(w.WakeCases()) == 0
    running.now = T0 + timedelta(hours=2)
    assert running.submit(w.WakeCases()) == 1
    assert case(running, number)["snoozed_until"] is None
    assert kinds(running, number)[-2:] == ["snoozed", "woken"]


def test_a_customer_who_writes_wakes_the_case(running: Gateway) -> None:
    number = opened(running)
    running.submit(w.Snooze(number, T0 + timedelta(hours=2), "mia"))
    wrote(running, number)
    assert (case(running, number)["snoozed_until"], case(running, number)["needs_reply"]) == (None, True)


def test_a_merged_case_is_read_and_answered_within_the_other(running: Gateway) -> None:
    kept, double = opened(running), opened(running, "f2")
    wrote(running, double, "And the other hums too")
    running.submit(w.MergeCase(double, kept, "mia"))
    row = case(running, double)
    assert (row["state"], row["merged_into"], row["needs_reply"]) == ("resolved", kept, False)
    assert case(running, kept)["needs_reply"] is True
    assert [v["verdict"] for v in running.rows(verdicts, case_id=double)] == ["duplicate"]
    running.submit(c.CustomerWrote("page", "later", "page", "ana", "Any news?", double, "ana"))
    with running.store.read() as connection:
        said = [entry.text for entry in history_of(connection, kept) if entry.kind == "message_in"]
    assert said == ["And the other hums too", "Any news?"]


def test_a_merge_can_be_taken_back(running: Gateway) -> None:
    kept, double = opened(running), opened(running, "f2")
    running.submit(c.GiveVerdict(double, "real", "mia"))
    wrote(running, double)
    running.submit(w.MergeCase(double, kept, "mia"))
    running.submit(w.UnmergeCase(double, "mia"))
    row = case(running, double)
    assert (row["state"], row["merged_into"], row["needs_reply"], row["resolved_by"]) == ("open", None, True, None)
    assert running.rows(verdicts, case_id=double)[0]["verdict"] == "real"


def test_cases_of_different_customers_are_never_one_thread(running: Gateway) -> None:
    ana, ben = opened(running), opened(running, "f3")
    with pytest.raises(c.CommandRefused, match="different customers"):
        running.submit(w.MergeCase(ben, ana, "mia"))
    running.submit(w.LinkCases(ben, ana, "mia"))
    assert [(row["case_id"], row["other_id"]) for row in running.rows(case_links)] == [(ana, ben)]
    running.submit(w.LinkCases(ana, ben, "mia", linked=False))
    assert running.rows(case_links) == []


def test_what_was_merged_into_a_merged_case_goes_along(running: Gateway) -> None:
    first, second, third = opened(running), opened(running, "f2"), opened(running)
    running.submit(w.MergeCase(first, second, "mia"))
    with pytest.raises(c.CommandRefused, match="merge into that"):
        running.submit(w.MergeCase(third, first, "mia"))
    running.submit(w.MergeCase(second, third, "mia"))
    assert case(running, first)["merged_into"] == third


def test_another_matter_is_split_off_with_its_message(running: Gateway) -> None:
    number = opened(running)
    entry = wrote(running, number, "By the way, my bill is wrong")
    other = running.submit(w.SplitCase(number, entry, "mia"))
    assert case(running, other)["explanation"]["title"] == {"en": "By the way, my bill is wrong"}  # type: ignore[index]
    assert (case(running, other)["needs_reply"], case(running, number)["needs_reply"]) == (True, False)
    assert "message_in" in kinds(running, other)
    assert "message_in" not in kinds(running, number)


def test_an_escalation_names_why_and_who_and_can_be_taken_back(running: Gateway) -> None:
    number = opened(running)
    for name in ("mia", "lea"):
        running.submit(c.SaveUser(name, "hash", "agent", by="test"))
    running.submit(w.Escalate(number, "wants a refund", "mia", "lea"))
    assert (case(running, number)["assignee"], case(running, number)["escalated_at"]) == ("lea", T0)
    running.submit(w.Escalate(number, None, "mia", "mia"))
    assert (case(running, number)["assignee"], case(running, number)["escalated_at"]) == ("mia", None)


def test_an_escalation_undone_gives_back_owner_and_rest(running: Gateway) -> None:
    running.submit(c.SaveUser("lea", "hash", "lead", by="test"))
    number = opened(running)
    running.submit(c.Assign(number, None, "mia"))
    running.submit(w.Snooze(number, T0 + timedelta(hours=2), "mia"))
    running.submit(c.Assign(number, None, "mia"))
    running.submit(w.Escalate(number, "wants a refund", "mia", "lea"))
    running.submit(w.Escalate(number, None, "mia", undo=True))
    row = case(running, number)
    assert (row["assignee"], row["escalated_at"], row["snoozed_until"]) == (None, None, T0 + timedelta(hours=2))


def test_field_service_is_asked_and_called_back(running: Gateway) -> None:
    number = opened(running)
    running.submit(w.HandToField(number, "Change the seal; bring a ladder", "mia"))
    assert case(running, number)["field_task"] == "Change the seal; bring a ladder"
    running.submit(w.HandToField(number, None, "mia"))
    assert (case(running, number)["field_task"], kinds(running, number)[-1]) == (None, "field_called_back")


def test_a_step_that_was_run_is_kept_with_who_ran_it(running: Gateway) -> None:
    number = opened(running)
    for _ in range(2):
        running.submit(w.TickStep(number, "ask-door", "mia"))
    assert [(row["step"], row["done_by"]) for row in running.rows(case_steps)] == [("ask-door", "mia")]
    running.submit(w.TickStep(number, "ask-door", "mia", done=False))
    assert running.rows(case_steps) == []


def test_causes_and_fixes_are_counted_by_rule(running: Gateway) -> None:
    for cause, fix in (("door", "closed"), ("door", "seal"), ("relay", "")):
        running.submit(c.Resolve(opened(running), "mia", cause=cause, fix=fix))
    with running.store.read() as connection:
        assert shares(connection, "reported") == ({"door": 2, "relay": 1}, {"closed": 1, "seal": 1})
    running.submit(c.Reopen(1, "mia"))
    assert case(running, 1)["cause"] is None


def test_macros_are_kept_changed_and_deleted(running: Gateway) -> None:
    running.submit(w.SaveMacro("Door check", "Is the door shut?", "lea"))
    running.submit(w.SaveMacro("door-check", "Is it shut?", "lea", sends=True))
    assert [(row["name"], row["text"], row["sends"]) for row in running.rows(macros)] == [
        ("door-check", "Is it shut?", True)
    ]
    running.submit(w.SaveMacro("door-check", None, "lea"))
    assert running.rows(macros) == []


def test_a_view_is_ones_own_or_everybodys(running: Gateway) -> None:
    mine = running.submit(w.SaveView("Freezers", {"q": "freezer", "view": "open"}, "mia"))
    ours = running.submit(w.SaveView("Urgent", {"severity": "critical"}, "lea", shared=True))
    assert [row["query"] for row in running.rows(saved_views)] == ["q=freezer&view=open", "severity=critical"]
    with pytest.raises(c.CommandRefused, match="no view"):
        running.submit(w.DropView(mine, "ben"))
    with pytest.raises(c.CommandRefused, match="a lead may"):
        running.submit(w.DropView(ours, "mia"))
    running.submit(w.DropView(ours, "mia", lead=True))
    running.submit(w.DropView(mine, "mia"))
    assert running.rows(saved_views) == []


def with_commands(running: Gateway) -> None:
    """Let freezers take a command."""
    allowed = {"defrost": {"title": {"en": "Defrost now"}, "payload": {"cmd": "defrost"}}}
    profile = DeviceProfile.model_validate(FREEZER.model_dump() | {"commands": allowed})
    running.committer.profiles = {**running.committer.profiles, "freezer": profile}


def test_a_command_is_confirmed_by_what_the_device_says_next(running: Gateway) -> None:
    with_commands(running)
    number = opened(running)
    sent = running.submit(w.SendDeviceCommand("f1", "defrost", "mia", number))
    running.temperature(-18, 1)
    assert running.rows(device_commands)[0]["state"] == "queued"
    with pytest.raises(c.CommandRefused, match="on its way already"):
        running.submit(w.SendDeviceCommand("f1", "defrost", "mia", number))
    running.submit(w.DeviceCommandSent(sent, "published"))
    # What the broker carries to the device comes by the same log: it is not the device that speaks.
    running.publish("devices/f1/commands", {"cmd": "defrost"}, T0 + timedelta(minutes=2))
    assert running.rows(device_commands)[0]["state"] == "published"
    running.temperature(-17, 3)
    row = running.rows(device_commands)[0]
    assert (row["state"], row["confirmed_at"]) == ("confirmed", T0 + timedelta(minutes=3))
    assert kinds(running, number)[-3:] == ["command", "command_published", "command_confirmed"]
    assert running.rows(schema.audit, action="device.command")[0]["detail"]["name"] == "defrost"


def test_a_command_that_its_device_does_not_answer_in_its_time_fails(running: Gateway) -> None:
    with_commands(running)
    number = opened(running)
    sent = running.submit(w.SendDeviceCommand("f1", "defrost", "mia", number))
    running.submit(w.DeviceCommandSent(sent, "published"))
    # It reports every five minutes, so a quarter of an hour is its time.
    running.now = T0 + timedelta(minutes=14)
    assert running.submit(w.GiveUpCommands()) == 0
    running.now = T0 + timedelta(minutes=15)
    assert running.submit(w.GiveUpCommands()) == 1
    assert running.rows(device_commands)[0]["state"] == "failed"
    assert kinds(running, number)[-1] == "command_failed"


def test_another_devices_word_confirms_nothing(running: Gateway) -> None:
    with_commands(running)
    sent = running.submit(w.SendDeviceCommand("f2", "defrost", "mia"))
    running.submit(w.DeviceCommandSent(sent, "published"))
    running.temperature(-18, 5)
    assert running.rows(device_commands)[0]["state"] == "published"


def test_a_command_that_no_broker_takes_fails_with_the_reason(running: Gateway) -> None:
    with_commands(running)
    number = opened(running)
    sent = running.submit(w.SendDeviceCommand("f1", "defrost", "mia", number))
    running.submit(w.DeviceCommandSent(sent, "failed", "not connected"))
    running.submit(w.DeviceCommandSent(sent, "published"))
    assert (running.rows(device_commands)[0]["state"], kinds(running, number)[-1]) == ("failed", "command_failed")
