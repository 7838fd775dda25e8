"""Deeds on cases that move them along: rest, call for help, send somebody, run the standard procedure."""

from datetime import datetime, timedelta
from typing import Any, assert_never

import sqlalchemy as sa

from gateway.cases import device_commands, merging, phrases, views
from gateway.cases.by_hand import open_by_hand
from gateway.cases.claiming import claimed
from gateway.cases.record import case_of
from gateway.cases.timeline import add_entry, touch
from gateway.commands import CommandRefused
from gateway.commands import cases as c
from gateway.staff.owners import check_owner
from gateway.store import schema
from gateway.store.case_work import case_steps
from gateway.store.staff import teams
from gateway.transaction import Transaction

LONGEST_REST = timedelta(days=90)


def run(tx: Transaction, command: c.CaseCommand) -> Any:
    """Carry out one command. Raises CommandRefused."""
    match command:
        case c.RouteCase():
            return route_by_hand(tx, command)
        case c.Snooze():
            return snooze(tx, command)
        case c.WaitForCustomer():
            return wait(tx, command)
        case c.WakeCases():
            return wake(tx)
        case c.MergeCase():
            return merging.merge(tx, command)
        case c.UnmergeCase():
            return merging.unmerge(tx, command)
        case c.SplitCase():
            return merging.split(tx, command)
        case c.LinkCases():
            return merging.link(tx, command)
        case c.Escalate():
            return escalate(tx, command)
        case c.HandToField():
            return hand_to_field(tx, command)
        case c.TickStep():
            return tick_step(tx, command)
        case c.OpenCase():
            return open_by_hand(tx, command)
        case c.SendDeviceCommand():
            return device_commands.send(tx, command)
        case c.DeviceCommandSent():
            return device_commands.record_sent(tx, command)
        case c.GiveUpCommands():
            return device_commands.give_up(tx)
        case c.SaveMacro():
            return views.save_macro(tx, command)
        case c.TeachPhrase():
            return phrases.teach(tx, command)
        case c.DropPhrase():
            return phrases.drop(tx, command)
        case c.SaveView():
            return views.save_view(tx, command)
        case c.DropView():
            return views.drop_view(tx, command)
        case _:
            assert_never(command)


def route_by_hand(tx: Transaction, command: c.RouteCase) -> None:
    """Hand a case to a team."""
    case = case_of(tx, command.case_id)
    if tx.connection.execute(sa.select(teams.c.name).where(teams.c.name == command.team)).first() is None:
        raise CommandRefused(f"there is no team '{command.team}'")
    if case["team"] == command.team:
        return
    # It is new to them.
    touch(tx, case["id"], team=command.team, assignee=None, routed_to=None, acknowledged_at=None)
    add_entry(tx, case["id"], "routed", command.by, body={"team": command.team, "before": case["team"]})
    tx.audit(command.by, "case.route", str(case["id"]), team=command.team)


def snooze(tx: Transaction, command: c.Snooze) -> None:
    """Let a case rest until a time, or wake it."""
    case = case_of(tx, command.case_id)
    if command.until is None:
        if case["snoozed_until"] is not None:
            touch(tx, case["id"], snoozed_until=None)
            add_entry(tx, case["id"], "woken", command.by)
        return
    if case["state"] != "open":
        raise CommandRefused(f"case {case['id']} is resolved; it need not rest")
    if not tx.now < command.until <= tx.now + LONGEST_REST:
        raise CommandRefused(f"a case can rest for at most {LONGEST_REST.days} days from now")
    touch(tx, case["id"], snoozed_until=command.until, **claimed(case, command.by, tx.now))
    add_entry(tx, case["id"], "snoozed", command.by, body={"until": command.until.isoformat()})
    tx.audit(command.by, "case.snooze", str(case["id"]), until=command.until.isoformat())


def wait(tx: Transaction, command: c.WaitForCustomer) -> None:
    """Wait for the customer, or no longer; an answer of theirs ends it as well."""
    case = case_of(tx, command.case_id)
    if (case["waiting_since"] is not None) == command.waiting:
        return
    if command.waiting and case["state"] != "open":
        raise CommandRefused(f"case {case['id']} is resolved; it waits for nobody")
    if command.waiting and case["needs_reply"]:
        raise CommandRefused(f"the customer of case {case['id']} has written; answer first")
    touch(tx, case["id"], waiting_since=tx.now if command.waiting else None)
    add_entry(tx, case["id"], "waits" if command.waiting else "waits_no_more", command.by)


def wake(tx: Transaction) -> int:
    """Wake the cases whose time has come."""
    cases = schema.cases
    query = sa.select(cases.c.id, cases.c.state).where(cases.c.snoozed_until <= tx.now)
    due = tx.connection.execute(query).all()
    for case_id, state in due:
        touch(tx, case_id, snoozed_until=None)
        if state == "open":
            add_entry(tx, case_id, "woken")
    return sum(state == "open" for _, state in due)


def escalate(tx: Transaction, command: c.Escalate) -> None:
    """Mark a case as more than its owner can do, or take that back."""
    case = case_of(tx, command.case_id)
    if command.to and command.to != case["assignee"]:
        check_owner(tx, case, command.to)
    if command.reason is None:
        if case["escalated_at"] is not None:
            values = {"assignee": command.to} if command.to else {}
            touch(tx, case["id"], escalated_at=None, **(_before_escalating(tx, case["id"]) if command.undo else values))
            add_entry(tx, case["id"], "deescalated", command.by)
            tx.audit(command.by, "case.deescalate", str(case["id"]))
        return
    reason = command.reason.strip()[:1000]
    if not reason:
        raise CommandRefused("say why: whoever takes it over begins with that")
    if case["state"] != "open":
        raise CommandRefused(f"case {case['id']} is resolved; reopen it first")
    touch(tx, case["id"], escalated_at=tx.now, snoozed_until=None, assignee=command.to or case["assignee"])
    rest = case["snoozed_until"].isoformat() if case["snoozed_until"] is not None else None
    was = {"assignee": case["assignee"], "snoozed_until": rest}
    add_entry(tx, case["id"], "escalated", command.by, body={"reason": reason, "to": command.to, "was": was})
    tx.audit(command.by, "case.escalate", str(case["id"]), to=command.to)


def _before_escalating(tx: Transaction, case_id: int) -> dict[str, Any]:
    t = schema.timeline.c
    query = sa.select(t.body).where(t.case_id == case_id, t.kind == "escalated").order_by(t.id.desc()).limit(1)
    was = (tx.connection.execute(query).scalar() or {}).get("was") or {}
    rest = datetime.fromisoformat(was["snoozed_until"]) if was.get("snoozed_until") else None
    return {"assignee": was.get("assignee"), "snoozed_until": rest if rest is not None and rest > tx.now else None}


def hand_to_field(tx: Transaction, command: c.HandToField) -> None:
    """Ask for somebody to go there, or call them back."""
    case = case_of(tx, command.case_id)
    if command.task is None:
        if case["field_task"] is not None:
            touch(tx, case["id"], field_task=None)
            add_entry(tx, case["id"], "field_called_back", command.by)
            tx.audit(command.by, "case.field_called_back", str(case["id"]))
        return
    task = command.task.strip()[:2000]
    if not task:
        raise CommandRefused("say what is to be done there, and what to bring")
    if case["state"] != "open":
        raise CommandRefused(f"case {case['id']} is resolved; reopen it first")
    touch(tx, case["id"], field_task=task)
    add_entry(tx, case["id"], "field_service", command.by, body={"text": task})
    tx.audit(command.by, "case.field_service", str(case["id"]))


def tick_step(tx: Transaction, command: c.TickStep) -> None:
    """Note that a step of the runbook was run."""
    case = case_of(tx, command.case_id)
    this = (case_steps.c.case_id == case["id"], case_steps.c.step == command.step)
    done = tx.connection.execute(sa.select(case_steps).where(*this)).first() is not None
    if done == command.done:
        return
    if command.done:
        row = {"case_id": case["id"], "step": command.step[:100], "done_by": command.by, "done_at": tx.now}
        tx.connection.execute(sa.insert(case_steps).values(row))
    else:
        tx.connection.execute(sa.delete(case_steps).where(*this))
    add_entry(tx, case["id"], "step", command.by, body={"step": command.step[:100], "done": command.done})
