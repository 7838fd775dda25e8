"""Tickets as rows, and what was done in a help desk as deeds on the case."""

from typing import assert_never

import sqlalchemy as sa

from gateway.cases import agent, closing
from gateway.cases.record import load_case
from gateway.commands import AddNote, CommandRefused, Reopen, Reply, Resolve
from gateway.commands.help_desks import HelpDeskCommand, LinkTicket, TicketRead, TicketStatusSet
from gateway.store import dialect, schema
from gateway.store.tickets import tickets
from gateway.transaction import Transaction


def run(tx: Transaction, command: HelpDeskCommand) -> None:
    """Do what ``command`` says."""
    match command:
        case LinkTicket():
            row = {
                "desk": command.desk,
                "case_id": command.case_id,
                "ticket_id": command.ticket_id,
                "last_comment": 0,
                "status": "open",
            }
            dialect.insert_new(tx.connection, tickets, row, unique=["desk", "case_id"])
        case TicketStatusSet():
            where = tickets.c.desk == command.desk, tickets.c.case_id == command.case_id
            tx.connection.execute(sa.update(tickets).where(*where).values(status=command.status))
        case TicketRead():
            _read(tx, command)
        case _:
            assert_never(command)


def ticket_of(connection: sa.Connection, desk: str, case_id: int) -> str | None:
    """Return the ticket that stands for a case; None where there is none yet."""
    query = sa.select(tickets.c.ticket_id).where(tickets.c.desk == desk, tickets.c.case_id == case_id)
    return connection.execute(query).scalar()


def last_comment(connection: sa.Connection, desk: str, ticket_id: str) -> int | None:
    """Return the last comment that was looked at; None for a ticket that stands for no case."""
    query = sa.select(tickets.c.last_comment).where(tickets.c.desk == desk, tickets.c.ticket_id == ticket_id)
    return connection.execute(query).scalar()


def _answer(tx: Transaction, case_id: int, text: str, by: str) -> None:
    try:
        notification_id = agent.reply(tx, Reply(case_id, text, by))
    except CommandRefused as refused:
        agent.add_note(tx, AddNote(case_id, f"{text}\n\n(could not be sent to the customer: {refused})", by))
        return
    if notification_id is None:
        return
    # In the writer's own name, so that the help desk is not told what was written there.
    said = schema.timeline.c.notification_id == notification_id
    tx.connection.execute(sa.update(schema.timeline).where(said).values(author=by))


def _read(tx: Transaction, command: TicketRead) -> None:
    where = tickets.c.desk == command.desk, tickets.c.ticket_id == command.ticket_id
    known = tx.connection.execute(sa.select(tickets).where(*where)).mappings().first()
    case = load_case(tx, known["case_id"]) if known else None
    if known is None or case is None:
        return
    for comment in command.comments:
        if comment.id <= known["last_comment"] or not comment.text.strip():
            continue
        by = f"{command.desk}:{comment.author}"
        if comment.public:
            _answer(tx, case["id"], comment.text, by)
        else:
            agent.add_note(tx, AddNote(case["id"], comment.text, by))
    newest = max(known["last_comment"], command.last_comment)
    tx.connection.execute(sa.update(tickets).where(*where).values(last_comment=newest, status=command.status))
    if command.status == known["status"]:
        return
    by = f"{command.desk}:status"
    if command.status == "solved" and case["state"] == "open":
        closing.resolve(tx, Resolve(case["id"], by, resolution=f"solved in {command.desk}"))
    elif command.status == "open" and case["state"] == "resolved":
        closing.reopen(tx, Reopen(case["id"], by))
