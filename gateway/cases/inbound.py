"""What customers say: each message finds its customer and case; STOP is obeyed at once; an answer moves the case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import sqlalchemy as sa

from device_models.registry import Customer
from gateway.cases.answers import Answered, message_answered, move, needs_a_person, things_meant
from gateway.cases.attachments import keep_from_customer
from gateway.cases.media import note_media
from gateway.cases.rating import Given, rate, rating_in, tags_of
from gateway.cases.reading import amend_entry, keep_reading, own_phrases, shown_tags
from gateway.cases.record import load_case
from gateway.cases.stopping import obey
from gateway.cases.timeline import add_entry, touch
from gateway.cases.unanswered import ASKS
from gateway.cases.unjoined import keep_apart
from gateway.commands import ChannelBlocked, CustomerWrote, SetConsent
from gateway.outbox.outcomes import note_answer
from gateway.outbox.reachability import heard_from, shut
from gateway.people.at_address import customers_at
from gateway.people.consent import set_consent
from gateway.store import dialect, schema
from gateway.transaction import Transaction
from notifiers.replies import Intent
from notifiers.understanding.plain import keepable
from notifiers.understanding.understand import Tags, understand

_OF_ONE_THING = frozenset({Intent.DONE, Intent.LATER, Intent.FIXED, Intent.YES, Intent.NO})
"""Answers that move one case: after a message about several a person reads which."""
ServiceAnswer = Literal["done", "later"]


@dataclass(frozen=True, slots=True)
class Understood:
    """What an inbound message came to."""

    intent: Intent
    customer_id: str | None
    case_id: int | None
    service_answers: tuple[tuple[int, ServiceAnswer], ...] = ()
    """Of the cases whose service notices it answers: detection is told of it in the same transaction."""


def customer_wrote(tx: Transaction, command: CustomerWrote) -> Understood | None:
    """Take in one message; None where the provider sent it before."""
    # A provider may hand on what somebody's program wrote, and it would come again for ever.
    command = replace(command, text=keepable(command.text))
    people = _everybody(tx, command)
    customer = _customer_of(tx, command, people)
    answered = message_answered(tx, customer, command.channel, command.answers)
    tags = _understood(tx, command, [customer] if customer else people, answered)
    several = things_meant(answered, command.text) if tags.intent is not Intent.STOP else None
    if several is not None:
        tags = _of_several(tags, several)
    elif answered.things and tags.intent in _OF_ONE_THING:
        tags = replace(tags, confidence=min(tags.confidence, 0.5))
    rated = rating_in(command, customer, answered, tags)
    if rated is not None:
        tags = tags_of(rated, tags)
    case = _case_meant(tx, command, customer, answered, tags, rated is not None)
    meant = [(_open_to(tx, case_id), intent) for case_id, intent in (several or {}).items()]
    case = meant[0][0] if meant else case
    row = {
        "provider": command.provider,
        "provider_id": command.provider_id,
        "channel": command.channel,
        "customer_id": customer.id if customer else None,
        "case_id": case["id"] if case else None,
        "text": command.text[:10_000],
        "intent": tags.intent.value,
        "received_at": tx.now,
    }
    if not dialect.insert_new(tx.connection, schema.inbound, row, unique=["provider", "provider_id"]):
        return None
    inbound_id = _number_of(tx, command)
    keep_reading(tx, inbound_id, customer.id if customer else None, case["id"] if case else None, tags, command.text)
    keep_from_customer(tx, command.files, inbound_id, case["id"] if case else None, customer.id if customer else None)
    note_media(
        tx, command.provider, command.media, inbound_id, case["id"] if case else None, customer.id if customer else None
    )
    tx.changed("inbound", command.provider_id)
    for person in people:
        heard_from(tx, person, command.channel, let_in=tags.intent is Intent.START)
        if command.opt_out is Intent.STOP:
            shut(tx, person, command.channel, command.address, "blocked", command.provider, "")
    obey(tx, people, command, tags)
    if case is None:
        if not people or needs_a_person(tags):
            keep_apart(tx, inbound_id, customer, command, known=bool(people))
        return Understood(tags.intent, customer.id if customer else None, None)
    if customer is None:
        raise AssertionError("a message joins a case only for a customer")
    if meant:
        joined = [
            _join(tx, one, customer, command, replace(tags, intent=intent), inbound_id, None)
            for one, intent in meant
            if one is not None
        ]
        return replace(joined[0], service_answers=tuple(answer for one in joined for answer in one.service_answers))
    return _join(tx, case, customer, command, tags, inbound_id, rated)


def _of_several(tags: Tags, several: Mapping[int, Intent]) -> Tags:
    """The tags of an answer to several things: what it says of the first."""
    return replace(tags, intent=next(iter(several.values())), confidence=1.0, by="number", may_stop=False)


def _open_to(tx: Transaction, case_id: int) -> sa.RowMapping | None:
    """A case that an answer names, or what it was merged into."""
    case = load_case(tx, case_id)
    if case is not None and case["merged_into"] is not None:
        case = load_case(tx, case["merged_into"])
    return case


def _understood(tx: Transaction, command: CustomerWrote, people: Sequence[Customer], answered: Answered) -> Tags:
    if command.opt_out is not None:
        # The company's own keyword at the provider, which is in no list here.
        return Tags(command.opt_out, 1.0, "keyword")
    said = command.text if command.keyword is None else command.keyword
    locales = dict.fromkeys(person.locale for person in people) or {"en": None}
    read = [understand(said, locale, answered.options, own_phrases(tx, said)) for locale in locales]
    # Of several at one address nobody knows who wrote: a STOP in the language of any is one.
    tags = next((tags for tags in read if tags.intent is Intent.STOP and tags.sure), read[0])
    # A provider's button is told by its id, which is a keyword and no word of theirs.
    pressed = command.keyword is not None and command.keyword != command.text and tags.by == "keyword"
    return replace(tags, by="button") if pressed and command.channel != "email" else tags


def _case_meant(
    tx: Transaction, command: CustomerWrote, customer: Customer | None, answered: Answered, tags: Tags, rates: bool
) -> sa.RowMapping | None:
    """The case a message belongs to; None unless its customer is part of it, whoever knows the number."""
    case_id = command.case_id
    if case_id is None and (command.answers is not None or tags.by == "number" or rates):
        case_id = answered.case_id
    case = load_case(tx, case_id) if case_id is not None else _case_of(tx, customer)
    if case is not None and case["merged_into"] is not None:
        case = load_case(tx, case["merged_into"])
    return case if case is not None and customer is not None and _is_part_of(tx, case, customer) else None


def _join(
    tx: Transaction,
    case: sa.RowMapping,
    customer: Customer,
    command: CustomerWrote,
    tags: Tags,
    inbound_id: int,
    rated: Given | None,
) -> Understood:
    body = {
        "text": command.text[:10_000],
        "channel": command.channel,
        "intent": tags.intent.value,
        "inbound_id": inbound_id,
        **shown_tags(tx, tags),
    }
    if customer.id != case["customer_id"]:
        body["from"] = customer.id
    add_entry(tx, case["id"], "message_in", "customer", body=body)
    key = f"inbound:{command.provider}:{command.provider_id}"
    answer: ServiceAnswer | None = None
    if rated is not None:
        needs = rate(tx, case, customer, rated, tags, command.channel, key) or tags.may_stop
    else:
        if tags.intent is not Intent.STOP:
            note_answer(tx, case["id"], command.channel)
        answer = _service_answer(case, tags)
        needs = tags.may_stop if answer is not None else move(tx, case, customer, tags, command.channel, key)
    wakes = {"snoozed_until": None, "waiting_since": None} if needs else {}
    if needs:
        amend_entry(tx, case["id"], inbound_id, {ASKS: True})
    touch(tx, case["id"], needs_reply=case["needs_reply"] or needs, **wakes)
    return Understood(tags.intent, customer.id, case["id"], _answers_of(case, answer))


def _answers_of(case: sa.RowMapping, answer: ServiceAnswer | None) -> tuple[tuple[int, ServiceAnswer], ...]:
    return () if answer is None else ((case["id"], answer),)


def _number_of(tx: Transaction, command: CustomerWrote) -> int:
    i = schema.inbound
    query = sa.select(i.c.id).where(i.c.provider == command.provider, i.c.provider_id == command.provider_id)
    return int(tx.connection.execute(query).scalar_one())


def understood_later(tx: Transaction, message: sa.RowMapping, tags: Tags) -> Understood | None:
    """Let a message have its effect that a model has understood since. None where it has none.

    ``message``: its row of ``inbound``. It waits for a person already; an effect takes nothing of that away but what
    needs nobody.
    """
    customer = tx.registry.customers.get(message["customer_id"]) if message["customer_id"] else None
    if customer is None or not tags.sure or tags.intent is Intent.START:
        return None
    channel = message["channel"]
    address = customer.address(channel) or ""
    command = CustomerWrote(
        message["provider"], message["provider_id"], channel, address, message["text"], customer_id=customer.id
    )
    obey(tx, _everybody(tx, command), command, tags)
    case = load_case(tx, message["case_id"]) if message["case_id"] is not None else None
    if case is None:
        return Understood(tags.intent, customer.id, None)
    answer = _service_answer(case, tags)
    if answer is None:
        move(tx, case, customer, tags, message["channel"], f"inbound:{message['provider']}:{message['provider_id']}")
    return Understood(tags.intent, customer.id, case["id"], _answers_of(case, answer))


def channel_blocked(tx: Transaction, command: ChannelBlocked) -> int:
    """Heed what a person told the provider; return how many customers have that address."""
    customers = customers_at(tx, command.channel, command.address)
    for customer in customers:
        if command.purposes:
            source = f"{'stop' if command.blocked else 'start'} by {command.provider}"
            set_consent(tx, SetConsent(customer.id, command.purposes, not command.blocked, source))
        elif command.blocked:
            shut(tx, customer, command.channel, command.address, "blocked", command.provider, "")
        else:
            heard_from(tx, customer, command.channel, let_in=True)
    return len(customers)


def _service_answer(case: sa.RowMapping, tags: Tags) -> ServiceAnswer | None:
    if case["kind"] != "maintenance" or case["state"] != "open" or not tags.sure:
        return None
    if tags.intent is Intent.DONE:
        return "done"
    return "later" if tags.intent is Intent.LATER else None


def _everybody(tx: Transaction, command: CustomerWrote) -> list[Customer]:
    """Who may have written: the customer who is known, and whoever else is reached at the address."""
    known = tx.registry.customers.get(command.customer_id) if command.customer_id is not None else None
    others = [c for c in customers_at(tx, command.channel, command.address) if known is None or c.id != known.id]
    return [known, *others] if known is not None else others


def _customer_of(tx: Transaction, command: CustomerWrote, people: Sequence[Customer]) -> Customer | None:
    """Whose words these are; of several at one address, whose message they chose to answer."""
    if len(people) == 1 or command.customer_id is not None:
        return people[0] if people else None
    n = schema.notifications.c
    told = sa.select(n.customer_id).where(n.channel == command.channel, n.provider_id == command.answers)
    answered = set(tx.connection.execute(told).scalars()) if command.answers is not None else set()
    return next((person for person in people if person.id in answered), None)


def _case_of(tx: Transaction, customer: Customer | None) -> sa.RowMapping | None:
    """The case they mean: the one they were last told of, open before resolved."""
    if customer is None:
        return None
    c, n = schema.cases, schema.notifications
    last_told = sa.select(sa.func.max(n.c.handed_over_at)).where(n.c.case_id == c.c.id).scalar_subquery()
    query = (
        sa.select(c)
        .where(sa.or_(c.c.customer_id == customer.id, c.c.id.in_(_told_of(customer))), c.c.on_arrival.is_(False))
        .order_by(c.c.state == "resolved", last_told.is_(None), last_told.desc(), c.c.id.desc())
        .limit(1)
    )
    return tx.connection.execute(query).mappings().first()


def _is_part_of(tx: Transaction, case: sa.RowMapping, customer: Customer) -> bool:
    """Tell whether a case is theirs, or one that they were told of: a caretaker's, or an incident's."""
    if case["customer_id"] == customer.id:
        return True
    return (
        tx.connection.execute(_told_of(customer).where(schema.notifications.c.case_id == case["id"])).first()
        is not None
    )


def _told_of(customer: Customer) -> sa.Select[tuple[int]]:
    n = schema.notifications.c
    return sa.select(n.case_id).where(n.customer_id == customer.id, n.case_id.is_not(None))
