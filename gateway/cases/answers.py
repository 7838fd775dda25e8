"""What a customer's answer does to their case: it ends, it asks for a call or a visit, or a person reads on."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import sqlalchemy as sa

from device_models.profile import GENERIC
from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.cases import desk
from gateway.cases.timeline import add_entry, touch
from gateway.commands import CommandRefused
from gateway.commands.desk import AskForCall
from gateway.outbox.digest import TEMPLATE as DIGEST
from gateway.outbox.outcomes import SURVEY
from gateway.outbox.queue import enqueue, withdraw
from gateway.store import schema
from gateway.transaction import Transaction
from notifiers.options import OPTIONS
from notifiers.replies import Intent
from notifiers.understanding.several import read_several
from notifiers.understanding.understand import Tags
from rules.respond import Notify, device_facts

_FRESH_INTERVALS = 3
"""Reporting intervals after which what the device last said is no news."""
_ASKED = {Intent.CALL_ME: "call", Intent.BOOK: "visit"}
_MOVES = {
    True: frozenset({Intent.DONE, Intent.LATER, Intent.CALL_ME, Intent.BOOK}),
    False: frozenset({Intent.FIXED, Intent.CALL_ME, Intent.BOOK}),
}
"""What an answer to one of several things may do: services, and faults."""
_NEEDS_NOBODY = frozenset({Intent.STOP, Intent.START, Intent.THANKS})


Question = Literal["rating", "effort", "helped", "better"]
"""What we ask of our help: how it was, how easy it was, what helped, what we could do better."""
_ASKED_FOR = timedelta(days=3)
"""So long a question of ours is what the next words answer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The message of ours that a customer's answers: its case, and what its numbers stand for."""

    case_id: int | None = None
    options: tuple[Intent, ...] = ()
    things: tuple[int | None, ...] = ()
    """The cases of the numbered things that it told of: "done" does not say which; None for what has no case."""
    service: bool = False
    """The things are services, which are done, and no faults."""
    asks: Question | None = None
    """What it asked of our help, where it did so lately."""


def message_answered(tx: Transaction, customer: Customer | None, channel: str, chosen: str | None) -> Answered:
    """Find the message of ours that an answer is about: the one they chose, else the last that went out there.

    A number means what that message said, whatever was offered before: an agent's "1 or 2?" offers nothing known here.
    """
    if customer is None:
        return Answered()
    n = schema.notifications
    columns = (n.c.case_id, n.c.template, n.c.text, n.c.facts, n.c.handed_over_at)
    query = sa.select(*columns).where(n.c.customer_id == customer.id, n.c.handed_over_at.is_not(None))
    if chosen is not None:
        query = query.where(n.c.channel == channel, n.c.provider_id == chosen)
    else:
        query = query.where(n.c.channel == channel)
    row = tx.connection.execute(query.order_by(n.c.handed_over_at.desc(), n.c.id.desc()).limit(1)).mappings().first()
    if row is None:
        return Answered()
    # In an agent's words the template's options are gone.
    options = () if row["text"] else tuple(OPTIONS.get(row["template"], ()))
    things = row["facts"]["items"] if row["template"] == DIGEST and not row["text"] else ()
    return Answered(
        row["case_id"],
        options,
        tuple(item["case_id"] for item in things),
        service=row["facts"].get("purpose") == Purpose.MAINTENANCE,
        asks=_asked(row) if tx.now - row["handed_over_at"] <= _ASKED_FOR else None,
    )


def _asked(row: sa.RowMapping) -> Question | None:
    """The question of a survey that a message put: how our help was, or one of those that follow."""
    if row["template"] == SURVEY:
        return "rating"
    following: tuple[Question, ...] = ("effort", "helped", "better")
    said = row["facts"].get("answer") if row["template"] == "answer_noted" else None
    return next((question for question in following if said == f"ask_{question}"), None)


def things_meant(answered: Answered, text: str) -> dict[int, Intent] | None:
    """What an answer to a message about several things says, by case; None where that is not sure."""
    bare = Intent.DONE if answered.service else Intent.FIXED
    said = read_several(text, len(answered.things), bare) if answered.things else None
    if said is None:
        return None
    found: dict[int, Intent] = {}
    for number, intent in said.items():
        case_id = answered.things[number - 1]
        # Two things of one case that are answered differently, or one that no case is about: nobody can act on it.
        if case_id is None or found.setdefault(case_id, intent) is not intent or intent not in _MOVES[answered.service]:
            return None
    return found


def needs_a_person(tags: Tags) -> bool:
    """Tell whether somebody has to read a message, as far as it alone says."""
    if tags.intent is Intent.STOP and tags.by == "cues":
        # It is obeyed, and whoever puts it in a sentence may have said more.
        return True
    if tags.may_stop or tags.urgency == "high" or tags.sentiment < 0:
        return True
    return not (tags.noise or (tags.sure and tags.intent in _NEEDS_NOBODY))


def move(tx: Transaction, case: sa.RowMapping, customer: Customer, tags: Tags, via: str, key: str) -> bool:
    """Let a sure answer move its case; return whether a person still has to look at it.

    Args:
        tx: The transaction of the message.
        case: Its row.
        customer: Who answered.
        tags: What they said.
        via: The channel, which what follows goes back on.
        key: Of the message, so that what follows is said once.
    """
    if not tags.sure or case["kind"] == "maintenance":
        return needs_a_person(tags)
    if tags.intent is Intent.FIXED:
        return _fixed(tx, case, customer, tags, via, key) or tags.may_stop
    if tags.intent in _ASKED:
        wanted = _ASKED[tags.intent]
        _ask(tx, case, customer, wanted, via)
        confirm(tx, case, customer, wanted, via, key)
        return True
    return needs_a_person(tags)


def _ask(tx: Transaction, case: sa.RowMapping, customer: Customer, wanted: str, via: str) -> None:
    """A call becomes a task that is due; a visit is arranged by a person, who knows which days there are."""
    if wanted == "call":
        try:
            desk.run(tx, AskForCall(customer.id, case["id"], ""))
        except CommandRefused:
            # They have asked several times already: it is in the list.
            pass
        else:
            return
    add_entry(tx, case["id"], "asked", "customer", body={"want": wanted, "channel": via})


def _fixed(tx: Transaction, case: sa.RowMapping, customer: Customer, tags: Tags, via: str, key: str) -> bool:
    """ "It works again" ends a case where the device does not say otherwise; a person looks where it says nothing."""
    if case["state"] != "open":
        return tags.sentiment < 0
    fresh, firing = _telemetry(tx, case)
    if firing:
        add_entry(tx, case["id"], "says_fixed", "customer", body={"telemetry": "firing" if fresh else "silent"})
        confirm(tx, case, customer, "not_seen_fixed", via, key)
        # In their own words they may have said more, and the device says otherwise: somebody looks at both.
        return not fresh or tags.by in ("cues", "model")
    resolution = "the customer says it works again"
    touch(tx, case["id"], state="resolved", resolved_at=tx.now, resolved_by="customer", resolution=resolution)
    add_entry(tx, case["id"], "resolved", "customer", body={"resolution": resolution})
    withdraw(tx, case["id"], "the customer said it works again")
    confirm(tx, case, customer, "fixed", via, key)
    return tags.sentiment < 0


def _telemetry(tx: Transaction, case: sa.RowMapping) -> tuple[bool, bool]:
    """Whether the device was heard lately, and whether the fault still fires by what it said."""
    s, a = schema.device_states, schema.alerts
    heard_at = tx.connection.execute(sa.select(s.c.heard_at).where(s.c.device_id == case["device_id"])).scalar()
    device = tx.registry.devices.get(case["device_id"])
    profile = tx.profiles.get(device.profile, GENERIC) if device else GENERIC
    fresh = heard_at is not None and tx.now - heard_at <= profile.reporting_interval * _FRESH_INTERVALS
    state = tx.connection.execute(sa.select(a.c.state).where(a.c.dedupe_key == case["dedupe_key"])).scalar()
    return fresh, state == "firing"


def confirm(tx: Transaction, case: sa.RowMapping, customer: Customer, answer: str, via: str, key: str) -> None:
    """Say what follows from their answer, where they gave it; their page shows it by itself."""
    if via == "page":
        return
    facts = {
        **case["explanation"],
        **device_facts(tx.registry.devices.get(case["device_id"]), tx.profiles),
        "case_id": case["id"],
        "answer": answer,
    }
    enqueue(
        tx,
        Notify(
            key=f"{key}:{case['id']}:answer_noted",
            template="answer_noted",
            customer_id=customer.id,
            device_id=case["device_id"],
            case_id=case["id"],
            purpose=Purpose(case["purpose"]),
            severity=Severity.INFO,
            facts=facts,
            mode="auto",
        ),
        via=via,
    )
