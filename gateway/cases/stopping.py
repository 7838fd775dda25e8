"""STOP, START and HELP, heeded at once for everybody at the address they came from.

A bare STOP means the message it answers; it never ends safety warnings, which takes the word. A bare START takes the
last STOP back.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from gateway.commands import CustomerWrote, SetConsent
from gateway.outbox.queue import enqueue
from gateway.people.consent import last_stopped, set_consent
from gateway.store import schema
from gateway.transaction import Transaction
from notifiers.replies import Intent
from notifiers.understanding.understand import Tags
from notifiers.wording.render import OF_NO_PURPOSE
from rules.respond import Notify

_ALL_BUT_SAFETY = frozenset(Purpose) - {Purpose.SAFETY}
_OPTED_INTO = frozenset(purpose for purpose in Purpose if purpose.needs_opt_in)
_CARRIER_KEYWORDS = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "start", "unstop", "yes"}
    | {"help", "info"}
)
"""What Twilio answers by itself; any other STOP is confirmed by us. An account's own keywords come as ``opt_out``."""


def obey(tx: Transaction, people: Sequence[Customer], command: CustomerWrote, tags: Tags) -> None:
    """Let STOP, START and HELP take effect. ``people``: whoever may have said it; the first is answered."""
    if not tags.sure or not people:
        return
    source = f"{tags.intent.value} by {command.channel}"
    if tags.intent is Intent.STOP:
        purposes = _ended(tx, people, command, tags)
        for person in people:
            set_consent(tx, SetConsent(person.id, tuple(sorted(purposes)), granted=False, source=source))
        _answer(tx, people[0], command, "stop_confirmed", purposes)
    elif tags.intent is Intent.START:
        restored = {person.id: _restored(tx, person, tags) for person in people}
        for person_id, wanted in restored.items():
            set_consent(tx, SetConsent(person_id, tuple(sorted(wanted)), granted=True, source=source))
        _answer(tx, people[0], command, "start_confirmed", restored[people[0].id])
    elif tags.intent is Intent.HELP:
        _answer(tx, people[0], command, "help", frozenset())


def _ended(tx: Transaction, people: Sequence[Customer], command: CustomerWrote, tags: Tags) -> frozenset[Purpose]:
    answered = None if tags.purposes or tags.everything else _purpose_answered(tx, people, command)
    if tags.purposes:
        return tags.purposes
    if answered is None or answered is Purpose.SAFETY:
        return _ALL_BUT_SAFETY
    # Offers and news are one thing to whoever has enough of either.
    return _OPTED_INTO if answered in _OPTED_INTO else frozenset({answered})


def _restored(tx: Transaction, person: Customer, tags: Tags) -> frozenset[Purpose]:
    return tags.purposes or (frozenset(Purpose) if tags.everything else last_stopped(tx, person))


def _purpose_answered(tx: Transaction, people: Sequence[Customer], command: CustomerWrote) -> Purpose | None:
    """The purpose of the message that they chose to answer, else of the last on the channel; None where none went."""
    n = schema.notifications.c
    told = sa.select(n.purpose).where(
        n.customer_id.in_([person.id for person in people]),
        n.channel == command.channel,
        n.handed_over_at.is_not(None),
        n.template.not_in(OF_NO_PURPOSE),
    )
    chosen = told.where(n.provider_id == command.answers) if command.answers is not None else None
    for query in (chosen, told):
        if query is None:
            continue
        found = tx.connection.execute(query.order_by(n.handed_over_at.desc(), n.id.desc()).limit(1)).scalar()
        if found is not None:
            return Purpose(found)
    return None


def _answer(
    tx: Transaction, customer: Customer, command: CustomerWrote, template: str, purposes: frozenset[Purpose]
) -> None:
    """Say on the same channel that it was heeded, and how to undo it. The page says so itself."""
    by_carrier = command.channel == "sms" and command.text.strip().casefold() in _CARRIER_KEYWORDS
    if by_carrier or command.opt_out is not None or command.channel == "page":
        return
    enqueue(
        tx,
        Notify(
            key=f"inbound:{command.provider}:{command.provider_id}:{template}",
            template=template,
            customer_id=customer.id,
            device_id="",
            case_id=None,
            # An answer to what they just wrote belongs to no purpose that they could have stopped.
            purpose=Purpose.SAFETY,
            severity=Severity.INFO,
            facts=_named(purposes),
            mode="auto",
        ),
        via=command.channel,
    )


def _named(purposes: frozenset[Purpose]) -> dict[str, str]:
    """The purpose that an answer names: the one there is, or what weighs most; none where all but safety is meant."""
    if Purpose.SAFETY in purposes:
        return {"purpose": Purpose.SAFETY.value}
    if purposes and purposes <= _OPTED_INTO and Purpose.OFFER in purposes:
        return {"purpose": Purpose.OFFER.value}
    return {"purpose": next(iter(purposes)).value} if len(purposes) == 1 else {}
