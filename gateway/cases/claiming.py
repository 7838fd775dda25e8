"""Whose a case is: claimed by whoever takes it on, handed to others, given back."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.cases.record import case_of, load_case
from gateway.cases.timeline import add_entry, touch
from gateway.commands import Acknowledge, Assign, CommandRefused
from gateway.staff.owners import check_owner
from gateway.transaction import Transaction


def acknowledge(tx: Transaction, command: Acknowledge) -> None:
    """Take a case on, unless somebody else has it. Raises CommandRefused."""
    case = case_of(tx, command.case_id)
    if case["assignee"] not in (None, command.by):
        raise CommandRefused(f"{case['assignee']} has it; take it over if they cannot go on with it")
    if case["assignee"] == command.by and case["acknowledged_at"] is not None:
        return
    touch(tx, case["id"], **claimed(case, command.by, tx.now))
    add_entry(tx, case["id"], "acknowledged", command.by)
    tx.audit(command.by, "case.acknowledge", str(case["id"]))


def assign(tx: Transaction, command: Assign) -> None:
    """Hand a case to somebody, or to nobody: then it is new again. To oneself it is claimed as well."""
    case = case_of(tx, command.case_id)
    own = command.assignee == command.by
    if case["assignee"] == command.assignee and (case["acknowledged_at"] is not None or not own):
        return
    values: dict[str, Any] = {"assignee": command.assignee}
    if command.assignee is None:
        values["acknowledged_at"] = None
    else:
        check_owner(tx, case, command.assignee)
    if own:
        values["acknowledged_at"] = case["acknowledged_at"] or tx.now
    touch(tx, case["id"], **values)
    add_entry(tx, case["id"], "assigned", command.by, body={"assignee": command.assignee})
    tx.audit(command.by, "case.assign", str(case["id"]), assignee=command.assignee)


def take_all(tx: Transaction, case_ids: Collection[int], who: str) -> None:
    """Let whoever takes an alert have the cases nobody has claimed; what a person handed to another stays theirs."""
    for case_id in sorted(case_ids):
        case = load_case(tx, case_id)
        if case is None or case["state"] != "open" or case["acknowledged_at"] is not None:
            continue
        if case["assignee"] not in (None, who, case["routed_to"]):
            continue
        try:
            check_owner(tx, case, who)
        except CommandRefused:
            # They said that they see to it, and may not work on it in the console: it still waits for somebody who may.
            continue
        touch(tx, case_id, assignee=who, acknowledged_at=tx.now)
        add_entry(tx, case_id, "acknowledged", who)


def claimed(case: sa.RowMapping | Mapping[str, Any], by: str, now: datetime) -> dict[str, Any]:
    """Whose a case is once ``by`` works on it: theirs, if it was nobody's; and what is theirs they have claimed."""
    values: dict[str, Any] = {"assignee": case["assignee"] or by}
    if values["assignee"] == by and case["acknowledged_at"] is None:
        values["acknowledged_at"] = now
    return values
