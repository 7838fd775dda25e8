"""How customers come in: codes, checks, messengers; what a stranger gets, and what guessing brings."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.purpose import Purpose
from gateway.commands import CommandRefused, CustomerWrote, HandOver, SendFailed, Sent, Upsert
from gateway.commands.enrolment import (
    AnswerCheck,
    DropAddress,
    ForgetChecks,
    LinkAddress,
    MakeClaimCodes,
    MakeLinkCode,
    SaveSettings,
    SendCheck,
    StartClaim,
)
from gateway.commands.people import TransferDevice
from gateway.store import schema
from gateway.store.enrolment import address_checks, claim_codes, verified_addresses
from gateway.store.ownership import device_people
from tests.gateway.making import T0, Gateway, gateway

NEW = {"id": "n1", "profile": "freezer", "model": "Polar 300"}
ADDRESS = "dora@example.com"


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as opened:
        opened.submit(Upsert("devices", (NEW,), by="test"))
        yield opened


def claim_code(made: Gateway, device_id: str = "n1", **options: Any) -> str:
    [row] = made.submit(MakeClaimCodes([device_id], by="Mia", **options))
    return str(row["code"])


def start(made: Gateway, code: str, address: str = ADDRESS) -> str:
    token: str = made.submit(StartClaim(code, "email", address, "Dora Maar", "fr", "Europe/Paris"))["token"]
    return token


def sent_code(made: Gateway) -> str:
    """The code in the newest check that goes out, as its receiver reads it."""
    row = made.rows(schema.notifications, template="check")[-1]
    outgoing = made.submit(HandOver(row["id"]))
    made.submit(Sent(row["id"], "smtp", f"<{row['id']}@x>"))
    words = [word.strip(".,") for word in outgoing.rendered.text.split()]
    assert "http" not in outgoing.rendered.text
    return str(next(word for word in words if len(word) == 6 and word.isdigit()))


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


def test_a_claimed_product_gets_a_new_customer_once_the_address_is_proven(made: Gateway) -> None:
    token = start(made, claim_code(made).lower().replace("-", " "))
    assert [row["id"] for row in made.rows(schema.customers)] == ["ana"]
    answer = made.submit(AnswerCheck(token, sent_code(made)))
    assert (answer["right"], answer["kind"], answer["device_id"]) == (True, "claim", "n1")
    customer = made.rows(schema.customers, id=answer["customer_id"])[0]
    assert (customer["name"], customer["email"], customer["locale"]) == ("Dora Maar", ADDRESS, "fr")
    assert customer["consents"] == []
    assert made.rows(schema.devices, id="n1")[0]["customer_id"] == customer["id"]
    assert made.rows(device_people, device_id="n1")[0]["customer_id"] == customer["id"]
    assert made.rows(verified_addresses)[0]["source"] == "claim"
    welcome = made.rows(schema.notifications, template="welcome")[0]
    assert (welcome["address"], welcome["state"]) == (ADDRESS, "queued")


def test_an_unproven_address_gets_nothing_but_the_check_and_it_holds_no_link(made: Gateway) -> None:
    start(made, claim_code(made))
    sent_code(made)
    assert [(row["template"], row["address"]) for row in made.rows(schema.notifications)] == [("check", ADDRESS)]


def test_the_code_is_kept_nowhere_once_it_was_sent(made: Gateway) -> None:
    start(made, claim_code(made))
    code = sent_code(made)
    row = made.rows(schema.notifications, template="check")[0]
    assert (row["facts"], row["body"]) == ({}, None)
    assert code not in str(made.rows(address_checks))


def test_guessing_ends_after_five_tries_and_the_right_code_comes_too_late(made: Gateway) -> None:
    token = start(made, claim_code(made))
    code = sent_code(made)
    left = [made.submit(AnswerCheck(token, wrong(code)))["left"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    assert not made.submit(AnswerCheck(token, code))["right"]
    assert made.rows(schema.devices, id="n1")[0]["customer_id"] is None


def test_a_check_ends_after_a_quarter_of_an_hour_and_works_once(made: Gateway) -> None:
    first = claim_code(made)
    token = start(made, first)
    code = sent_code(made)
    made.now = T0 + timedelta(minutes=16)
    assert made.submit(AnswerCheck(token, code)) == {"right": False, "left": 0}
    token = start(made, first)
    code = sent_code(made)
    assert made.submit(AnswerCheck(token, code))["right"]
    assert not made.submit(AnswerCheck(token, code))["right"]


def test_one_address_is_sent_three_codes_an_hour_at_most(made: Gateway) -> None:
    code = claim_code(made)
    for _ in range(3):
        start(made, code)
    with pytest.raises(CommandRefused, match=r"check\.too_many"):
        start(made, code)
    start(made, code, "somebody@else.example")
    made.now = T0 + timedelta(minutes=61)
    start(made, code)


def test_a_code_claims_once_and_an_owned_product_not_at_all(made: Gateway) -> None:
    code = claim_code(made)
    token = start(made, code)
    made.submit(AnswerCheck(token, sent_code(made)))
    with pytest.raises(CommandRefused, match=r"claim\.unknown"):
        start(made, code, "eve@example.com")
    with pytest.raises(CommandRefused, match=r"claim\.owned"):
        start(made, claim_code(made, "f1"), "eve@example.com")


def test_of_two_who_claim_at_once_the_first_to_answer_owns_it(made: Gateway) -> None:
    code = claim_code(made)
    first = start(made, code)
    first_code = sent_code(made)
    second = start(made, code, "eve@example.com")
    second_code = sent_code(made)
    assert made.submit(AnswerCheck(second, second_code))["right"]
    assert made.submit(AnswerCheck(first, first_code)) == {"right": False, "left": 0}


def test_codes_expire_and_new_ones_replace_what_nobody_used(made: Gateway) -> None:
    old = claim_code(made)
    new = claim_code(made, valid_for=timedelta(days=1))
    with pytest.raises(CommandRefused, match=r"claim\.unknown"):
        start(made, old)
    made.now = T0 + timedelta(days=2)
    with pytest.raises(CommandRefused, match=r"claim\.unknown"):
        start(made, new)
    assert len(made.rows(claim_codes)) == 1


def test_a_known_address_adds_the_product_to_its_customer(made: Gateway) -> None:
    token = start(made, claim_code(made), "ana@example.com")
    answer = made.submit(AnswerCheck(token, sent_code(made)))
    assert answer["customer_id"] == "ana"
    assert len(made.rows(schema.customers)) == 1


def test_what_is_wrong_with_a_claimed_product_opens_a_case_for_its_owner(made: Gateway) -> None:
    for minutes, celsius in ((0, -18), (20, -5), (31, -5)):
        at = T0 + timedelta(minutes=minutes)
        made.publish("devices/n1/status", {"temperature": celsius, "ts": at.timestamp()}, at)
    token = start(made, claim_code(made))
    answer = made.submit(AnswerCheck(token, sent_code(made)))
    cases = [(case["customer_id"], case["state"]) for case in made.rows(schema.cases)]
    assert cases == [(None, "resolved"), (answer["customer_id"], "open")]


def test_a_transfer_welcomes_the_new_owner_and_gives_a_code_for_them_alone(made: Gateway) -> None:
    made.submit(Upsert("customers", ({"id": "ben", "name": "Ben", "email": "ben@example.com"},), by="test"))
    done = made.submit(TransferDevice("f1", "ben", by="Mia"))
    assert made.rows(schema.notifications, template="welcome")[0]["customer_id"] == "ben"
    code = done["claim_url"].rpartition("/")[2]
    token = made.submit(StartClaim(code, "email", "ben@work.example", "B", "en"))["token"]
    assert made.submit(AnswerCheck(token, sent_code(made)))["customer_id"] == "ben"
    assert made.rows(schema.customers, id="ben")[0]["email"] == "ben@work.example"


def test_a_messenger_is_linked_by_a_code_that_only_its_customer_has(made: Gateway) -> None:
    code = made.submit(MakeLinkCode("ana", "telegram", proved=True))
    made.submit(CustomerWrote("telegram", "1", "telegram", "4711", f"/start {code}"))
    assert made.rows(schema.customers, id="ana")[0]["addresses"] == {"telegram": "4711"}
    assert made.rows(verified_addresses)[0]["source"] == "link"
    assert made.rows(schema.inbound) == []
    # The provider repeats its webhook; somebody else tries the same code.
    assert made.submit(LinkAddress("telegram", "4711", code)) == "ana"
    assert made.submit(LinkAddress("telegram", "666", code)) is None
    assert made.submit(LinkAddress("line", "4711", made.submit(MakeLinkCode("ana", "telegram", proved=True)))) is None


def test_a_link_code_ends_after_an_hour_and_is_then_a_message_like_any_other(made: Gateway) -> None:
    code = made.submit(MakeLinkCode("ana", "telegram", proved=True))
    made.now = T0 + timedelta(minutes=61)
    made.submit(CustomerWrote("telegram", "1", "telegram", "4711", code))
    assert made.rows(schema.customers, id="ana")[0]["addresses"] == {}
    assert len(made.rows(schema.inbound)) == 1


def test_a_messenger_linked_while_nobody_could_prove_who_they_are_answers_no_proof(
    store_url: str, tmp_path: Path
) -> None:
    notifiers = {"channels": ["telegram", "inbox"], "telegram": {"token": "1:x", "secret": "s" * 20}}
    with gateway(store_url, tmp_path, notifiers=notifiers) as made:
        made.submit(Upsert("customers", ({"id": "dora", "name": "Dora"},), by="test"))
        made.submit(LinkAddress("telegram", "4711", made.submit(MakeLinkCode("dora", "telegram", proved=False))))
        assert made.rows(schema.customers, id="dora")[0]["addresses"] == {"telegram": "4711"}
        with pytest.raises(CommandRefused, match=r"check\.channel"):
            made.submit(SendCheck("dora", "telegram"))
        made.submit(LinkAddress("telegram", "4711", made.submit(MakeLinkCode("dora", "telegram", proved=True))))
        assert made.submit(SendCheck("dora", "telegram"))["token"]
        with pytest.raises(CommandRefused, match=r"link\.unproved"):
            made.submit(MakeLinkCode("dora", "telegram", proved=False))


def test_a_new_address_is_told_of_where_they_were_reached_before(made: Gateway) -> None:
    made.submit(LinkAddress("telegram", "4711", made.submit(MakeLinkCode("ana", "telegram", proved=True))))
    token = made.submit(SendCheck("ana", "email", "ana@work.example"))["token"]
    made.submit(AnswerCheck(token, sent_code(made)))
    told = made.rows(schema.notifications, template="address_added")
    assert [(row["channel"], row["address"]) for row in told] == [("email", "ana@example.com")] * 2
    texts = [made.submit(HandOver(row["id"])).rendered.text for row in told]
    assert "Telegram" in texts[0]
    assert "a…@work.example" in texts[1]
    made.submit(Sent(told[0]["id"], "smtp", "<t@x>"))
    made.submit(SendFailed(told[1]["id"], "undeliverable", "550 no such user"))
    assert made.rows(schema.notifications, id=told[1]["id"])[0]["state"] == "dead"


def test_one_messenger_account_is_one_customer(made: Gateway) -> None:
    made.submit(Upsert("customers", ({"id": "ben", "name": "Ben", "addresses": {"telegram": "4711"}},), by="test"))
    made.submit(LinkAddress("telegram", "4711", made.submit(MakeLinkCode("ana", "telegram", proved=True))))
    assert made.rows(schema.customers, id="ben")[0]["addresses"] == {}


def test_a_new_address_counts_once_it_is_proven(made: Gateway) -> None:
    token = made.submit(SendCheck("ana", "email", "Ana@Work.example"))["token"]
    assert made.rows(schema.customers, id="ana")[0]["email"] == "ana@example.com"
    assert made.submit(AnswerCheck(token, sent_code(made)))["kind"] == "address"
    assert made.rows(schema.customers, id="ana")[0]["email"] == "ana@work.example"


def test_a_check_that_cannot_be_delivered_goes_nowhere_else(made: Gateway) -> None:
    made.submit(SendCheck("ana", "email", "wrong@example.com"))
    row = made.rows(schema.notifications, template="check")[0]
    made.submit(HandOver(row["id"]))
    made.submit(SendFailed(row["id"], "undeliverable", "550 no such user"))
    assert [(r["state"], r["address"]) for r in made.rows(schema.notifications)] == [("dead", "wrong@example.com")]


@pytest.mark.parametrize(
    ("channel", "address", "why"),
    [("email", "nonsense", "check.address"), ("sms", "+49151123", "check.channel"), ("page", "x", "check.channel")],
)
def test_what_is_no_address_or_has_no_provider_is_refused(made: Gateway, channel: str, address: str, why: str) -> None:
    with pytest.raises(CommandRefused, match=why):
        made.submit(SendCheck("ana", channel, address))


def test_the_last_way_to_reach_a_customer_stays(made: Gateway) -> None:
    with pytest.raises(CommandRefused, match=r"address\.last"):
        made.submit(DropAddress("ana", "email"))
    made.submit(LinkAddress("telegram", "4711", made.submit(MakeLinkCode("ana", "telegram", proved=True))))
    made.submit(DropAddress("ana", "email"))
    assert made.rows(schema.customers, id="ana")[0]["email"] is None


def test_imported_addresses_wait_for_proof_where_the_company_says_so(store_url: str, tmp_path: Path) -> None:
    email = {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}
    notifiers = {"mode": "auto", "trust_imported": False, "email": email}
    with gateway(store_url, tmp_path, notifiers=notifiers) as made:
        for minutes, celsius in ((0, -18), (20, -5), (31, -5)):
            made.temperature(celsius, minutes)
        assert made.rows(schema.notifications)[0]["reason"] == "channel.none"
        token = made.submit(SendCheck("ana", "email", "ana@example.com"))["token"]
        made.submit(AnswerCheck(token, sent_code(made)))
        made.temperature(-18, 60)
        made.temperature(-5, 80)
        made.temperature(-5, 91)
        assert made.rows(schema.notifications)[-1]["state"] == "queued"


def test_location_is_a_choice_of_its_own_beside_offers(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        made.submit(Upsert("customers", ({"id": "ana", "name": "Ana", "consents": ["offer"]},), by="test"))
        made.submit(SaveSettings("ana", location=False))
    with gateway(store_url, tmp_path, records=False) as made:
        registry = made.committer._registry
        assert not registry.may_use_location("f1")
        made.submit(SaveSettings("ana", location=True))
        assert registry.may_use_location("f1")


def test_yesterdays_checks_are_forgotten_with_whom_they_went_to(made: Gateway) -> None:
    start(made, claim_code(made))
    sent_code(made)
    made.now = T0 + timedelta(days=2)
    assert made.submit(ForgetChecks()) == 1
    assert ADDRESS not in str([dict(row) for row in made.rows(schema.notifications)])
    assert made.rows(address_checks) == []


@pytest.mark.parametrize("hours", ["25:00-07:00", "22:00", "22:00-22:00"])
def test_settings_that_cannot_be_are_refused(made: Gateway, hours: str) -> None:
    with pytest.raises(CommandRefused):
        made.submit(SaveSettings("ana", quiet_hours=hours))
    made.submit(SaveSettings("ana", quiet_hours="22:00-07:00", timezone="Europe/Lisbon"))
    assert made.rows(schema.customers, id="ana")[0]["quiet_hours"] == "22:00-07:00"
    made.submit(SaveSettings("ana", quiet_hours=""))
    assert made.rows(schema.customers, id="ana")[0]["quiet_hours"] is None


def test_a_channel_that_is_dropped_is_chosen_no_more(store_url: str, tmp_path: Path) -> None:
    notifiers = {
        "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"},
        "telegram": {"token": "1:x", "secret": "s" * 20},
    }
    with gateway(store_url, tmp_path, notifiers=notifiers) as made:
        made.submit(LinkAddress("telegram", "4711", made.submit(MakeLinkCode("ana", "telegram", proved=True))))
        made.submit(SaveSettings("ana", channel_choices={Purpose.FAULT: "telegram", Purpose.OFFER: "email"}))
        made.submit(DropAddress("ana", "telegram"))
        assert made.rows(schema.customers, id="ana")[0]["channel_choices"] == {"offer": "email"}
        with pytest.raises(CommandRefused, match=r"choice\.channel"):
            made.submit(SaveSettings("ana", channel_choices={Purpose.FAULT: "telegram"}))


def test_a_stopped_purpose_withholds_what_waits_for_it(made: Gateway) -> None:
    for minutes, celsius in ((0, -18), (20, -5), (31, -5)):
        made.temperature(celsius, minutes)
    assert made.rows(schema.notifications)[-1]["state"] in ("queued", "awaiting_approval")
    made.submit(SaveSettings("ana", purposes={Purpose.FAULT: False}))
    assert made.rows(schema.notifications)[-1]["reason"] == "consent.objected"
    assert made.rows(schema.customers, id="ana")[0]["objections"] == ["fault"]
