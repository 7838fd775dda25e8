"""What customers ask for on their page becomes tasks, silences and ratings, each with its line in the case."""

from typing import Any, assert_never

import sqlalchemy as sa

from device_models.registry import Customer
from gateway.cases import dates, own_silences
from gateway.cases.record import load_case
from gateway.cases.timeline import add_entry, touch
from gateway.cases.unanswered import ASKS
from gateway.commands import CommandRefused
from gateway.commands.desk import (
    AnswerSurvey,
    AskForCall,
    CancelBooking,
    ConfirmBooking,
    DeskCommand,
    HoldSlot,
    MuteByCustomer,
    OfferSlots,
    SettleTask,
    UnmuteByCustomer,
    WishDate,
)
from gateway.people.enrolment import plain_address
from gateway.store import dialect
from gateway.store.desk import survey_answers, tasks
from gateway.transaction import Transaction

MOST_OPEN_TASKS = 5
"""Of one customer: who asks again and again is in the list already."""
HELPED = ("steps", "message", "person", "nothing", "other")
_LONGEST = 2000


def run(tx: Transaction, command: DeskCommand) -> Any:
    """Run one command of ``gateway.commands.desk``."""
    match command:
        case AskForCall():
            return _ask_for_call(tx, command)
        case WishDate():
            return _wish_date(tx, command)
        case SettleTask():
            return _settle(tx, command)
        case OfferSlots():
            return dates.offer(tx, command)
        case HoldSlot():
            return dates.hold(tx, command)
        case ConfirmBooking():
            return dates.confirm(tx, command)
        case CancelBooking():
            return dates.cancel(tx, command)
        case MuteByCustomer():
            return own_silences.mute(tx, command)
        case UnmuteByCustomer():
            return own_silences.unmute(tx, command)
        case AnswerSurvey():
            return _answer_survey(tx, command)
        case _:
            assert_never(command)


def _ask_for_call(tx: Transaction, command: AskForCall) -> int:
    _customer(tx, command.customer_id)
    number = None
    if command.number and command.number.strip():
        number = plain_address("sms", command.number)
    row = {
        "kind": "call",
        "customer_id": command.customer_id,
        "case_id": command.case_id,
        "wanted_from": max(command.wanted_from or tx.now, tx.now),
        "wanted_until": command.wanted_until,
        "number": number,
        "about": command.about.strip()[:_LONGEST],
    }
    return _task(tx, row, "Asks for a call.")


def _wish_date(tx: Transaction, command: WishDate) -> int:
    _customer(tx, command.customer_id)
    if command.wanted_until <= tx.now:
        raise CommandRefused("date.past")
    row = {
        "kind": "date",
        "customer_id": command.customer_id,
        "case_id": command.case_id,
        "wanted_from": command.wanted_from,
        "wanted_until": command.wanted_until,
        "about": "",
    }
    return _task(tx, row, "Asks for a service date.")


def _task(tx: Transaction, row: dict[str, Any], said: str) -> int:
    t = tasks
    open_ones = sa.select(sa.func.count()).where(t.c.customer_id == row["customer_id"], t.c.state == "open")
    if tx.connection.execute(open_ones).scalar_one() >= MOST_OPEN_TASKS:
        raise CommandRefused("task.too_many")
    insert = sa.insert(t).values(state="open", created_at=tx.now, **row).returning(t.c.id)
    number: int = tx.connection.execute(insert).scalar_one()
    if row["case_id"] is not None:
        words = " ".join(part for part in (said, row["about"]) if part)
        add_entry(tx, row["case_id"], "note", "customer", body={"text": words, "task": number, ASKS: True})
        touch(tx, row["case_id"], needs_reply=True)
    tx.changed("task", number)
    return number


def _settle(tx: Transaction, command: SettleTask) -> None:
    t = tasks
    row = tx.connection.execute(sa.select(t).where(t.c.id == command.task_id)).mappings().first()
    if row is None:
        raise CommandRefused(f"there is no task {command.task_id}")
    if row["state"] != "open":
        raise CommandRefused(f"task {row['id']} is {row['state']} already")
    values = {"state": command.state, "outcome": command.outcome.strip()[:_LONGEST] or None}
    tx.connection.execute(
        sa.update(t).where(t.c.id == row["id"]).values(**values, settled_by=command.by, settled_at=tx.now)
    )
    if row["case_id"] is not None:
        what = {"call": "Call", "date": "Service date"}[row["kind"]]
        words = f"{what}: {command.state}. {command.outcome}".strip()
        add_entry(tx, row["case_id"], "note", command.by, body={"text": words, "task": row["id"]})
    tx.audit(command.by, f"task.{command.state}", str(row["id"]))
    tx.changed("task", row["id"])


def _answer_survey(tx: Transaction, command: AnswerSurvey) -> None:
    customer, case = _customer(tx, command.customer_id), _case(tx, command.case_id)
    rated = (command.satisfaction, command.effort)
    if any(score is not None and not 1 <= score <= 5 for score in rated) or (
        command.helped is not None and command.helped not in HELPED
    ):
        raise CommandRefused("survey.range")
    other, better = ((text or "").strip()[:_LONGEST] or None for text in (command.helped_other, command.better))
    if not any((*rated, command.helped, other, better)):
        raise CommandRefused("survey.empty")
    values = {
        "satisfaction": command.satisfaction,
        "effort": command.effort,
        "helped": command.helped,
        "helped_other": other,
        "better": better,
        "at": tx.now,
    }
    a = survey_answers
    key = {"case_id": case["id"], "customer_id": customer.id}
    if not dialect.insert_new(tx.connection, a, {**key, **values}, unique=["case_id", "customer_id"]):
        theirs = (a.c.case_id == case["id"], a.c.customer_id == customer.id)
        tx.connection.execute(sa.update(a).where(*theirs).values(**values))
    scores = [f"satisfaction {rated[0]} of 5" if rated[0] else "", f"effort {rated[1]} of 5" if rated[1] else ""]
    said = "; ".join(
        part for part in (*scores, f"helped: {command.helped}" if command.helped else "", other, better) if part
    )
    add_entry(tx, case["id"], "note", "customer", body={"text": f"Rated: {said}"})


def _case(tx: Transaction, case_id: int) -> sa.RowMapping:
    row = load_case(tx, case_id)
    if row is None:
        raise CommandRefused(f"there is no case {case_id}")
    return row


def _customer(tx: Transaction, customer_id: str) -> Customer:
    customer = tx.registry.customers.get(customer_id)
    if customer is None:
        raise CommandRefused(f"there is no customer {customer_id}")
    return customer
