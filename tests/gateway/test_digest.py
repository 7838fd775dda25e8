"""Several messages that may go to one customer become one: what it says, what each case says, what becomes of it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.purpose import Purpose, Severity
from gateway import commands as c
from gateway.cases.timeline import TOLD_TOGETHER as TOGETHER
from gateway.outbox.audit import audit
from gateway.outbox.queue import enqueue, withdraw
from gateway.store import schema
from gateway.transaction import Transaction
from gateway.web.customer.view import conversation
from gateway.web.queries.cases import history_of
from notifiers.message import Outgoing
from rules.respond import Notify
from tests.gateway.making import ANA, FREEZER, T0, TOO_WARM, Gateway, gateway

NOTIFIERS: dict[str, Any] = {"mode": "auto", "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}}
DEVICES = ({"id": "f2", "profile": "freezer", "customer_id": "ana", "name": "Cellar freezer"},)


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path, notifiers=NOTIFIERS) as opened:
        opened.submit(c.Upsert("customers", (ANA | {"locale": "de-DE"},), by="test"))
        opened.submit(c.Upsert("devices", DEVICES, by="test"))
        yield opened


def in_transaction(made: Gateway, do: Any) -> Any:
    committer = made.committer
    with made.store.write() as connection:
        return do(Transaction(connection, made.now, committer._registry, committer._config, committer.profiles))


def notice(
    made: Gateway, device: str, name: str, severity: Severity = Severity.MINOR, case_id: int | None = None
) -> int:
    """Queue a service notice about one device."""
    facts = {"kind": "maintenance", "title": "Filter", "device": {"name": name}, "purpose": "maintenance"}
    said = Notify(
        key=f"due:{device}",
        template="maintenance_due",
        customer_id="ana",
        device_id=device,
        case_id=case_id,
        purpose=Purpose.MAINTENANCE,
        severity=severity,
        facts=facts,
        mode="auto",
    )
    found = in_transaction(made, lambda tx: enqueue(tx, said))
    assert isinstance(found, int)
    return found


def hand_over(made: Gateway, notification_id: int) -> Outgoing | None:
    sent = made.submit(c.HandOver(notification_id))
    assert sent is None or isinstance(sent, Outgoing)
    return sent


def row_of(made: Gateway, notification_id: int) -> Any:
    [row] = made.rows(schema.notifications, id=notification_id)
    return row


def test_services_of_two_products_are_one_message_in_their_language(made: Gateway) -> None:
    first, second = notice(made, "f1", "Garage"), notice(made, "f2", "Keller")
    sent = hand_over(made, first)

    assert sent is not None
    assert "Garage" in sent.rendered.text
    assert "Keller" in sent.rendered.text
    assert sent.rendered.subject == "Neues zu mehreren Ihrer Geräte"
    assert [line[:2] for line in sent.rendered.text.splitlines() if line[:1].isdecimal()] == ["1.", "2."]
    assert "Antworten Sie mit den Nummern" in sent.rendered.text
    assert sent.rendered.text.count("https://") <= sent.rendered.text.count("/stop") + 1
    assert (row_of(made, second)["state"], row_of(made, second)["reason"]) == (
        "cancelled",
        f"told in one message with others, #{first}",
    )
    assert hand_over(made, second) is None


def test_what_is_held_comes_along_and_counts_as_one(made: Gateway) -> None:
    first, second = notice(made, "f1", "Garage"), notice(made, "f2", "Keller")
    n = schema.notifications
    later = made.now + timedelta(days=3)
    in_transaction(made, lambda tx: tx.connection.execute(n.update().where(n.c.id == second).values(not_before=later)))

    sent = hand_over(made, first)

    assert sent is not None
    assert "Keller" in sent.rendered.text
    assert [row["template"] for row in made.rows(n) if row["handed_over_at"] is not None] == ["digest"]


def test_what_is_major_has_a_message_of_its_own(made: Gateway) -> None:
    first = notice(made, "f1", "Garage", Severity.MAJOR)
    second = notice(made, "f2", "Keller")

    sent = hand_over(made, second)

    assert sent is not None
    assert "Garage" not in sent.rendered.text
    assert row_of(made, first)["state"] == "queued"


def test_a_purpose_that_is_not_configured_is_told_one_by_one(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, notifiers=NOTIFIERS | {"digest": []}) as made:
        first, second = notice(made, "f1", "Garage"), notice(made, "f2", "Keller")
        hand_over(made, first)

        assert row_of(made, second)["state"] == "queued"


def cases_with_notices(made: Gateway) -> tuple[list[int], list[int]]:
    """Two open cases, each with a notice that waits."""
    for device in ("f1", "f2"):
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            at = made.now + timedelta(minutes=minutes)
            made.publish(f"devices/{device}/status", {"temperature": celsius, "ts": at.timestamp()}, at)
    cases = [row["id"] for row in made.rows(schema.cases)]
    assert len(cases) == 2
    names = ("Garage", "Keller")
    return cases, [notice(made, f"f{i + 1}", names[i], case_id=case_id) for i, case_id in enumerate(cases)]


def test_each_case_says_where_it_was_told_and_was_answered_by_it(made: Gateway) -> None:
    cases, [first, _] = cases_with_notices(made)
    hand_over(made, first)
    made.submit(c.Sent(first, "smtp", "m-1"))

    lines = [(row["case_id"], row["notification_id"], row["body"]) for row in made.rows(schema.timeline, kind=TOGETHER)]
    assert lines == [(cases[1], first, {"things": 2, "key": "due:f2"})]
    for case_id in cases:
        [case] = made.rows(schema.cases, id=case_id)
        assert case["first_response_at"] is not None
    with made.store.read() as connection:
        found = {one.name: one.count for one in audit(connection, made.now)}
    assert found["parted"] == found["missing"] == found["unanswered"] == 0


def test_a_case_that_ends_before_a_retry_is_left_out(made: Gateway) -> None:
    [first_case, _], [first, _] = cases_with_notices(made)
    hand_over(made, first)
    made.submit(c.SendFailed(first, "try_later", "busy", 1.0))
    in_transaction(made, lambda tx: withdraw(tx, first_case, "over"))
    made.now += timedelta(minutes=5)

    sent = hand_over(made, first)

    assert sent is not None
    assert "Keller" in sent.rendered.text
    assert "Garage" not in sent.rendered.text


def test_done_after_a_message_about_several_is_read_by_a_person(made: Gateway) -> None:
    _, [first, _] = cases_with_notices(made)
    hand_over(made, first)
    made.submit(c.Sent(first, "smtp", "m-1"))
    made.submit(c.CustomerWrote("mail", "in-1", "email", ANA["email"], "Erledigt"))

    assert any(row["needs_reply"] for row in made.rows(schema.cases))


SERVICE = "rules: [{id: service, kind: maintenance, profile: freezer, purpose: maintenance, title: service}]"
SMALL = TOO_WARM + "    severity: minor\n"


@pytest.fixture
def services(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """Services of three freezers are due, and told of in one message."""
    with gateway(store_url, tmp_path, SERVICE, notifiers=NOTIFIERS) as opened:
        third = {"id": "f3", "profile": "freezer", "customer_id": "ana", "name": "Shop freezer"}
        opened.submit(c.Upsert("devices", (*DEVICES, third), by="test"))
        for device in ("f1", "f2", "f3"):
            opened.publish(f"devices/{device}/status", {"temperature": -18, "ts": opened.now.timestamp()}, opened.now)
        days = FREEZER.maintenance["cleaning"].every
        assert days is not None
        opened.now += days
        opened.submit(c.Sweep(opened.now, ("f1", "f2", "f3")))
        first = opened.rows(schema.notifications)[0]["id"]
        assert hand_over(opened, first) is not None
        opened.submit(c.Sent(first, "smtp", "m-1"))
        yield opened


def states(made: Gateway) -> dict[str, tuple[str, bool]]:
    return {row["device_id"]: (row["state"], row["needs_reply"]) for row in made.rows(schema.cases)}


def write(made: Gateway, text: str, number: int = 1) -> None:
    made.submit(c.CustomerWrote("mail", f"in-{number}", "email", ANA["email"], text))


def test_one_and_three_done_ends_those_two_and_nobody_has_to_read_it(services: Gateway) -> None:
    write(services, "1 e 3 feitos, obrigada")

    assert states(services) == {"f1": ("resolved", False), "f2": ("open", False), "f3": ("resolved", False)}
    written = [row["case_id"] for row in services.rows(schema.timeline, kind="message_in")]
    assert sorted(written) == sorted(row["id"] for row in services.rows(schema.cases) if row["device_id"] != "f2")
    told = [row["case_id"] for row in services.rows(schema.notifications, template="maintenance_confirmed")]
    assert sorted(told) == sorted(written)
    # The provider posts it again: nothing more follows.
    write(services, "1 e 3 feitos, obrigada")
    assert len(services.rows(schema.timeline, kind="message_in")) == 2


def test_each_thing_gets_its_own_answer_and_all_means_all(services: Gateway) -> None:
    write(services, "1 depois, 2 feito")
    assert [state for state, _ in states(services).values()] == ["open", "resolved", "open"]
    write(services, "tudo", 2)
    assert states(services)["f3"] == ("resolved", False)


@pytest.mark.parametrize("text", ["1 e 4 feitos", "o segundo está feito", "1 não", "1-3 feitos", "1 e 3 estão piores"])
def test_what_is_not_surely_said_of_a_thing_moves_nothing(services: Gateway, text: str) -> None:
    write(services, text)

    assert [state for state, _ in states(services).values()] == ["open", "open", "open"]
    assert any(needs_reply for _, needs_reply in states(services).values())


def test_faults_that_fire_still_are_told_so_each_in_its_own_case(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, SMALL, notifiers=NOTIFIERS | {"digest": ["fault"]}) as made:
        made.submit(c.Upsert("devices", DEVICES, by="test"))
        for device in ("f1", "f2"):
            for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
                at = T0 + timedelta(minutes=minutes)
                made.publish(f"devices/{device}/status", {"temperature": celsius, "ts": at.timestamp()}, at)
        first = made.rows(schema.notifications)[0]["id"]
        assert hand_over(made, first) is not None
        made.submit(c.Sent(first, "smtp", "m-1"))
        write(made, "1 e 2 voltaram a funcionar")

        cases = [row["id"] for row in made.rows(schema.cases)]
        assert [row["case_id"] for row in made.rows(schema.timeline, kind="says_fixed")] == cases
        noted = made.rows(schema.notifications, template="answer_noted")
        assert [(row["case_id"], row["facts"]["answer"]) for row in noted] == [(one, "not_seen_fixed") for one in cases]


def test_on_their_page_each_case_has_the_message_and_for_staff_a_line_in_their_language(made: Gateway) -> None:
    cases, [first, _] = cases_with_notices(made)
    hand_over(made, first)
    made.submit(c.Sent(first, "smtp", "m-1"))
    with made.store.read() as connection:
        shown = conversation(history_of(connection, cases[1]))

    [message] = [entry for entry in shown if entry.kind == TOGETHER]
    assert "Keller" in message.text
    assert message.text.startswith("Es geht um mehrere")
