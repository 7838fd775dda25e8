"""Mails that came in: whose they are, which case they belong to, and which of ours came back.

A mail joins a case only where our mail server vouches for its sender and the sender is that case's own customer. A
Message-ID proves nothing: whoever was forwarded the mail has it.
"""

import sqlalchemy as sa

from gateway.cases.timeline import add_entry
from gateway.commands import CustomerWrote, MailArrived, MailBounced, ReceiptArrived
from gateway.outbox.hand_over import INBOUND_MAIL, record_receipt
from gateway.people.at_address import customers_at, plain_mail
from gateway.store import schema
from gateway.transaction import Transaction
from notifiers.errors import Because
from notifiers.mail.status import is_dead_address

_UNVERIFIED = "mail.unverified"
"""``inbound.provider`` of a mail that joins nothing, so that a forged one cannot use up a customer's Message-ID."""


def customer_wrote(tx: Transaction, command: MailArrived) -> CustomerWrote:
    """Say what a mail is, as a message of its customer; of nobody, where the sender is not proven or not known."""
    answered = _cases_answered(tx, command.references)
    owners = customers_at(tx, "email", command.address) if command.verified else []
    ids = {customer.id for customer in owners}
    case_id = next((case_id for case_id, customer_id in answered if customer_id in ids), None)
    customer_id: str | None
    if case_id is not None:
        customer_id = dict(answered)[case_id]
    else:
        customer_id = owners[0].id if len(owners) == 1 else None
        _tell_staff(tx, command, answered)
    return CustomerWrote(
        provider=INBOUND_MAIL if owners else _UNVERIFIED,
        provider_id=command.message_id,
        channel="email",
        address=command.address if owners else "",
        text=command.text,
        case_id=case_id,
        customer_id=customer_id,
        keyword=command.keyword,
        answers=_ours(tx, command.references),
        claims=command.address,
        claims_case_id=answered[0][0] if answered and case_id is None else None,
        files=command.files,
    )


def bounced(tx: Transaction, command: MailBounced) -> bool:
    """Take a bounce as the receipt it is; tell whether it was about a mail of ours and new."""
    n = schema.notifications
    query = sa.select(n.c.provider, n.c.provider_id, n.c.address).where(
        n.c.channel == "email", n.c.provider_id.in_(command.message_ids)
    )
    recipients = {plain_mail(address) for address in command.recipients}
    for row in tx.connection.execute(query).mappings().all():
        if plain_mail(row["address"]) in recipients:
            because = Because.ADDRESS if is_dead_address(command.status) else Because.MESSAGE
            receipt = ReceiptArrived(row["provider"], row["provider_id"], "failed", command.status, because)
            return record_receipt(tx, receipt)
    return False


def _ours(tx: Transaction, references: tuple[str, ...]) -> str | None:
    """The Message-ID of the mail of ours that it answers, the nearest first."""
    n = schema.notifications.c
    sent = sa.select(n.provider_id).where(n.channel == "email", n.provider_id.in_(references))
    ours = set(tx.connection.execute(sent).scalars())
    return next((reference for reference in references if reference in ours), None)


def _cases_answered(tx: Transaction, references: tuple[str, ...]) -> list[tuple[int, str]]:
    """The cases (id, customer) of the mails it answers, ours or the customer's own, the nearest first."""
    n, i = schema.notifications, schema.inbound
    queries = (
        sa.select(n.c.provider_id, n.c.case_id, n.c.customer_id).where(
            n.c.channel == "email", n.c.provider_id.in_(references), n.c.case_id.is_not(None)
        ),
        sa.select(i.c.provider_id, i.c.case_id, i.c.customer_id).where(
            i.c.provider == INBOUND_MAIL, i.c.provider_id.in_(references), i.c.case_id.is_not(None)
        ),
    )
    found = {id_: (case, customer) for query in queries for id_, case, customer in tx.connection.execute(query)}
    return [found[reference] for reference in references if reference in found]


def _tell_staff(tx: Transaction, command: MailArrived, answered: list[tuple[int, str]]) -> None:
    """Leave a note, once a case, that a mail which answers it was kept apart; never its text."""
    if not answered:
        return
    case_id, customer_id = answered[0]
    t = schema.timeline
    notes = sa.select(t.c.body).where(t.c.case_id == case_id, t.c.kind == "note", t.c.author == "gateway")
    if any(body.get("not_joined") for body in tx.connection.execute(notes).scalars()):
        return
    claims = customer_id in {customer.id for customer in customers_at(tx, "email", command.address)}
    text = (
        "A mail in the customer's name answers this case, but the mail server could not verify that it is theirs. "
        "It was not added; look into the mailbox before you act on it."
        if claims
        else "Somebody whose address is not this customer's answered this case by mail. It was not added; look into "
        "the mailbox, and add the address to the customer if it is theirs."
    )
    add_entry(tx, case_id, "note", body={"text": text, "not_joined": True})
