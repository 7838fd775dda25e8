"""The one writer, on SQLite and on PostgreSQL: what a message comes to, and that it comes to it once."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from device_models.event import Message
from device_models.purpose import Purpose
from gateway import commands as c
from gateway.pipeline.commit import StaleWriter, Work
from gateway.store import schema
from notifiers.message import Outgoing
from tests.gateway.making import ANA, FREEZER, T0, Gateway, gateway


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as made:
        yield made


def warm(running: Gateway) -> None:
    """A healthy freezer, then 11 minutes too warm."""
    running.temperature(-18, 0)
    running.temperature(-8, 5)
    running.temperature(-7, 10)
    running.temperature(-6, 16)


def hand_over(running: Gateway) -> Outgoing:
    [row] = running.rows(schema.notifications, state="queued")
    outgoing = running.submit(c.HandOver(row["id"]))
    assert isinstance(outgoing, Outgoing)
    return outgoing


def test_a_freezer_too_warm_for_ten_minutes_opens_one_case_with_its_evidence(running: Gateway) -> None:
    warm(running)
    [case] = running.rows(schema.cases)
    assert (case["device_id"], case["customer_id"], case["state"]) == ("f1", "ana", "open")
    assert case["explanation"]["values"] == {"temperature": -7}
    assert case["explanation"]["limit"] == -12
    assert [row["kind"] for row in running.rows(schema.timeline)] == ["opened", "message_out"]
    assert [row["state"] for row in running.rows(schema.transitions)] == ["pending", "firing"]


def test_the_timer_fires_when_no_further_message_comes(running: Gateway) -> None:
    running.temperature(-18, 0)
    running.temperature(-8, 5)
    running.tick(14.9)
    assert running.rows(schema.cases) == []
    running.tick(15.1)
    [case] = running.rows(schema.cases)
    assert (case["opened_at"] - T0).total_seconds() == 15 * 60


def test_a_message_that_the_log_shows_again_changes_nothing(running: Gateway) -> None:
    warm(running)
    again = Message("devices/f1/status", b'{"temperature": -30}', running.now, running.sequence)
    running.deliver([again])
    assert len(running.rows(schema.transitions)) == 2
    assert running.committer.sequence == running.sequence


def test_a_restart_goes_on_where_the_last_commit_stopped(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as before:
        before.temperature(-18, 0)
        before.temperature(-8, 5)
    with gateway(store_url, tmp_path, records=False) as after:
        assert after.sequence == 2
        after.tick(15.1)
        assert len(after.rows(schema.cases)) == 1


def test_a_second_writer_on_the_same_store_is_found_out(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as first, gateway(store_url, tmp_path, records=False) as second:
        second.temperature(-18, 0)
        with pytest.raises(StaleWriter):
            first.temperature(-18, 0)
        assert first.committer.sequence == 0


def test_a_failed_commit_leaves_nothing_behind_in_store_or_memory(
    running: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.temperature(-18, 0)

    def full(*_: object) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("database or disk is full"))

    with monkeypatch.context() as broken:
        broken.setattr("gateway.pipeline.commit.save_states", full)
        with pytest.raises(sa.exc.OperationalError):
            running.temperature(-8, 5)
        consent = c.SetConsent("ana", (Purpose.FAULT,), granted=False, source="test")
        with pytest.raises(sa.exc.OperationalError):
            running.committer.run(Work(commands=[consent]), running.now)
    assert running.committer.sequence == 1
    assert running.rows(schema.customers)[0]["objections"] == []
    running.sequence = 1
    running.temperature(-8, 5)
    running.tick(15.1)
    [case] = running.rows(schema.cases)
    assert running.rows(schema.notifications)[0]["state"] == "queued", case


def test_what_cannot_be_decoded_is_kept_with_its_reason_and_stops_nothing(running: Gateway) -> None:
    running.publish("devices/f1/status", b"{broken")
    running.publish("nobody/knows/this", b"1")
    running.temperature(-18, 1)
    reasons = [row["reason"] for row in running.rows(schema.rejections)]
    assert len(reasons) == 2
    assert "no decoder claims it" in reasons[1]
    assert running.committer.sequence == 3


def test_an_unknown_device_is_quarantined_and_counted(running: Gateway) -> None:
    for _ in range(3):
        running.publish("devices/stranger/status", {"temperature": 5})
    [row] = running.rows(schema.unknown_devices)
    assert (row["id"], row["messages"]) == ("stranger", 3)


@pytest.mark.parametrize("policy", ["register", "reject"])
def test_the_policy_for_unknown_devices_is_followed(store_url: str, tmp_path: Path, policy: str) -> None:
    with gateway(store_url, tmp_path, decoders={"native": {"unknown_devices": policy}}) as made:
        for _ in range(2):
            made.publish("devices/stranger/status", {"temperature": 5})
        registered = {row["id"] for row in made.rows(schema.devices)}
        assert ("stranger" in registered) is (policy == "register")
        assert len(made.rows(schema.rejections)) == (2 if policy == "reject" else 0)


def test_a_case_resolves_itself_and_whoever_was_told_hears_of_it(running: Gateway) -> None:
    warm(running)
    hand_over(running)
    running.submit(c.Sent(1, "smtp", "<1@acme>"))
    running.temperature(-16, 30)
    [case] = running.rows(schema.cases)
    assert (case["state"], case["resolved_by"]) == ("resolved", "telemetry")
    assert [row["template"] for row in running.rows(schema.notifications)] == ["fault_opened", "fault_resolved"]


def test_a_fault_that_ends_before_anyone_was_told_withdraws_its_message(running: Gateway) -> None:
    warm(running)
    running.temperature(-16, 30)
    [message] = running.rows(schema.notifications)
    assert (message["state"], message["reason"]) == ("cancelled", "resolved before it was sent")


def test_found_on_arrival_opens_a_listed_case_and_messages_nobody(running: Gateway) -> None:
    running.temperature(-5, 0)
    running.temperature(-5, 6)
    running.temperature(-5, 12)
    [case] = running.rows(schema.cases)
    assert case["on_arrival"]
    assert running.rows(schema.notifications) == []


def test_in_approve_mode_a_message_waits_for_a_person(store_url: str, tmp_path: Path) -> None:
    notifiers = {"mode": "approve", "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}}
    with gateway(store_url, tmp_path, notifiers=notifiers) as made:
        warm(made)
        [message] = made.rows(schema.notifications)
        assert message["state"] == "awaiting_approval"
        assert made.submit(c.HandOver(message["id"])) is None
        made.submit(c.Approve(message["id"], by="mia", text="Please close the lid."))
        outgoing = hand_over(made)
        assert "Please close the lid." in outgoing.rendered.text
        with pytest.raises(c.CommandRefused, match="does not wait for approval"):
            made.submit(c.Approve(message["id"], by="mia"))


def test_a_message_is_handed_over_once(running: Gateway) -> None:
    warm(running)
    outgoing = hand_over(running)
    assert outgoing.address == "ana@example.com"
    assert running.submit(c.HandOver(1)) is None


def test_a_crash_between_hand_over_and_answer_leaves_the_message_unknown(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as before:
        warm(before)
        hand_over(before)
    with gateway(store_url, tmp_path, records=False) as after:
        [message] = after.rows(schema.notifications)
        assert message["state"] == "unknown"
        assert after.submit(c.HandOver(message["id"])) is None


def test_a_stop_before_the_hand_over_is_heeded(running: Gateway) -> None:
    warm(running)
    running.submit(c.SetConsent("ana", (Purpose.FAULT,), granted=False, source="page"))
    assert running.submit(c.HandOver(1)) is None
    assert running.rows(schema.notifications)[0]["state"] == "withheld"
    [why_not] = running.rows(schema.timeline, kind="withheld")
    assert (why_not["notification_id"], why_not["body"]) == (1, {"reason": "consent.objected"})


def test_an_import_takes_no_stop_back(running: Gateway) -> None:
    running.submit(c.SetConsent("ana", (Purpose.FAULT,), granted=False, source="page"))
    running.submit(c.Upsert("customers", ({"id": "ana", "name": "Ana Souza", "consents": ["fault"]},), by="import"))
    assert running.rows(schema.customers)[0]["objections"] == ["fault"]


def test_while_held_nothing_is_handed_over_and_release_lets_it_go(running: Gateway) -> None:
    warm(running)
    assert running.submit(c.Hold(on=True, by="ops")) == 1
    assert running.submit(c.HandOver(1)) is None
    running.submit(c.Hold(on=False, by="ops"))
    hand_over(running)


def test_a_release_may_discard_what_was_kept(running: Gateway) -> None:
    warm(running)
    running.submit(c.Hold(on=True, by="ops"))
    running.submit(c.Hold(on=False, by="ops", discard=True))
    assert running.rows(schema.notifications)[0]["state"] == "discarded"


def test_a_provider_that_asks_to_wait_is_tried_again_later(running: Gateway) -> None:
    warm(running)
    hand_over(running)
    running.submit(c.SendFailed(1, "try_later", "busy", retry_after_s=60))
    [message] = running.rows(schema.notifications)
    assert message["state"] == "queued"
    assert 40 <= (message["not_before"] - running.now).total_seconds() <= 80


def test_an_undeliverable_message_without_another_channel_is_a_dead_letter_that_can_be_resent(
    running: Gateway,
) -> None:
    warm(running)
    hand_over(running)
    running.submit(c.SendFailed(1, "undeliverable", "no such mailbox"))
    assert running.rows(schema.notifications)[0]["state"] == "dead"
    running.submit(c.Resend(1, by="ops"))
    hand_over(running)


def test_receipts_move_a_message_forward_only_and_may_come_before_the_answer(running: Gateway) -> None:
    warm(running)
    hand_over(running)
    assert running.submit(c.ReceiptArrived("twilio", "SM1", "delivered")) is True
    running.submit(c.Sent(1, "twilio", "SM1"))
    assert running.rows(schema.notifications)[0]["state"] == "delivered"
    running.submit(c.ReceiptArrived("twilio", "SM1", "accepted"))
    assert running.rows(schema.notifications)[0]["state"] == "delivered"
    assert running.submit(c.ReceiptArrived("twilio", "SM1", "delivered")) is False


def test_a_reply_joins_its_case_and_the_answer_goes_back(running: Gateway) -> None:
    warm(running)
    hand_over(running)
    wrote = c.CustomerWrote("smtp", "m1", "email", "ana@example.com", "It still beeps")
    running.submit(wrote)
    assert running.submit(wrote) is None
    [case] = running.rows(schema.cases)
    assert case["needs_reply"]
    running.submit(c.Reply(case["id"], "A technician comes at 3.", by="mia"))
    assert "A technician comes at 3." in hand_over(running).rendered.text
    [case] = running.rows(schema.cases)
    assert (case["needs_reply"], case["assignee"]) == (False, "mia")


def test_nobody_but_its_customer_answers_on_a_case(running: Gateway) -> None:
    warm(running)
    running.submit(c.Upsert("customers", ({"id": "eve", "name": "Eve", "email": "eve@example.com"},), by="test"))
    understood = running.submit(c.CustomerWrote("smtp", "m2", "email", "eve@example.com", "hel\0lo", case_id=1))
    assert understood.case_id is None


def test_a_stop_answers_the_purpose_of_the_last_message_and_never_safety(running: Gateway) -> None:
    warm(running)
    hand_over(running)
    running.submit(c.CustomerWrote("smtp", "m3", "email", "ana@example.com", "STOP"))
    assert running.rows(schema.customers)[0]["objections"] == ["fault"]
    running.submit(c.CustomerWrote("smtp", "m4", "email", "ana@example.com", "STOP ALL"))
    assert "safety" not in running.rows(schema.customers)[0]["objections"]


def test_an_agent_works_a_case_from_claim_to_reopening(running: Gateway) -> None:
    warm(running)
    running.submit(c.SaveUser("tom", "hash", "agent", by="test"))
    running.submit(c.Acknowledge(1, by="mia"))
    running.submit(c.Assign(1, assignee="tom", by="mia"))
    running.submit(c.AddNote(1, "called the shop", by="tom"))
    running.submit(c.Resolve(1, by="tom", resolution="seal replaced"))
    with pytest.raises(c.CommandRefused, match="resolved already"):
        running.submit(c.Resolve(1, by="tom"))
    running.submit(c.Reopen(1, by="tom"))
    kinds = [row["kind"] for row in running.rows(schema.timeline)]
    assert kinds == ["opened", "message_out", "acknowledged", "assigned", "note", "resolved", "reopened"]
    assert len(running.rows(schema.audit, action="case.resolve")) == 1


def test_a_refused_command_leaves_no_trace_and_the_others_of_its_commit_go_on(running: Gateway) -> None:
    warm(running)
    work = Work(commands=[c.Acknowledge(99, by="mia"), c.Acknowledge(1, by="mia")])
    refused, done = running.committer.run(work, running.now).results
    assert isinstance(refused, c.CommandRefused)
    assert done is None
    assert running.rows(schema.cases)[0]["assignee"] == "mia"


def test_a_due_service_tells_the_customer_and_done_closes_it(store_url: str, tmp_path: Path) -> None:
    rules = "rules: [{id: service, kind: maintenance, profile: freezer, purpose: maintenance, title: service}]"
    with gateway(store_url, tmp_path, rules) as made:
        made.temperature(-18, 0)
        days = FREEZER.maintenance["cleaning"].every
        assert days is not None
        made.now = T0 + days
        made.submit(c.Sweep(made.now, ("f1",)))
        [case] = made.rows(schema.cases)
        assert case["kind"] == "maintenance"
        hand_over(made)
        made.submit(c.CustomerWrote("smtp", "m5", "email", "ana@example.com", "done"))
        [case] = made.rows(schema.cases)
        assert case["state"] == "resolved"


NEAR_SHOP = "rules: [{id: near-shop, kind: proximity, profile: generic, dwell: 30s}]"


def test_a_shop_imported_a_moment_before_the_customer_reaches_it_counts(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, NEAR_SHOP) as made:
        made.submit(c.Upsert("customers", ({**ANA, "consents": ["offer"]},), by="test"))
        made.submit(c.Upsert("devices", ({"id": "ana/phone", "customer_id": "ana"},), by="test"))
        made.submit(c.Upsert("offers", ({"id": "o", "title": "Descaler", "text": "Half the price."},), by="test"))
        shop = {"id": "s", "name": "Shop", "latitude": 52.5, "longitude": 13.4}
        made.submit(c.Upsert("shops", (shop,), by="test"))
        for seconds in (0, 40):
            at = T0 + timedelta(seconds=seconds)
            fix = {"_type": "location", "lat": 52.5, "lon": 13.4, "acc": 10, "tst": int(at.timestamp())}
            made.publish("owntracks/ana/phone", fix, at)
        [decision] = made.rows(schema.offer_decisions)
        assert decision["shop_id"] == "s"


def test_a_shop_whose_import_was_not_committed_is_not_looked_for(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, NEAR_SHOP) as made:
        before = made.committer.detector
        with gateway(store_url, tmp_path, NEAR_SHOP, records=False) as other:
            other.temperature(-18, 0)
        shop = {"id": "s", "name": "Shop", "latitude": 52.5, "longitude": 13.4}
        with pytest.raises(StaleWriter):
            made.submit(c.Upsert("shops", (shop,), by="test"))
        assert made.committer.detector is before


def test_silence_while_the_gateway_was_down_is_no_fault_of_the_device(store_url: str, tmp_path: Path) -> None:
    rules = "rules: [{id: silent, kind: absent, profile: freezer}]"
    with gateway(store_url, tmp_path, rules) as before:
        before.temperature(-18, 0)
    later = T0 + timedelta(hours=3)
    with gateway(store_url, tmp_path, rules, records=False, now=later) as after:
        after.tick(180.1)
        assert after.rows(schema.cases) == []
        after.tick(180 + 15.1)
        assert len(after.rows(schema.cases)) == 1


@pytest.mark.parametrize(
    ("word", "template"), [("STOP", "stop_confirmed"), ("START", "start_confirmed"), ("HELP", "help")]
)
def test_a_keyword_is_answered_on_the_same_channel_in_any_mode(
    store_url: str, tmp_path: Path, word: str, template: str
) -> None:
    notifiers = {"mode": "approve", "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}}
    with gateway(store_url, tmp_path, notifiers=notifiers) as made:
        made.submit(c.CustomerWrote("lmtp", "m1", "email", "ana@example.com", word))
        [answer] = made.rows(schema.notifications)
        assert (answer["template"], answer["state"], answer["channel"]) == (template, "queued", "email")
        assert hand_over(made).rendered.text


def test_a_keyword_by_sms_is_left_to_the_provider_to_answer(running: Gateway) -> None:
    running.submit(c.Upsert("customers", ({"id": "bo", "name": "Bo", "phone": "+491711234567"},), by="test"))
    running.submit(c.CustomerWrote("twilio", "SM9", "sms", "+491711234567", "STOP"))
    assert running.rows(schema.notifications) == []
