"""What closing a case takes from it, written into the line of the timeline that says so, and given back from there."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.cases.timeline import touch
from gateway.commands import CommandRefused
from gateway.outbox.queue import load_notification, set_state, withdraw
from gateway.store import schema
from gateway.transaction import Transaction

_PLAIN = ("state", "assignee", "needs_reply", "resolved_by", "resolution", "cause", "fix")
_TIMES = ("snoozed_until", "waiting_since", "resolved_at")


def keep(tx: Transaction, case: sa.RowMapping, reason: str) -> dict[str, Any]:
    """Withdraw what a case still waits to send, for ``reason``; return what it had, as JSON for its timeline."""
    times = {name: case[name].isoformat() if case[name] is not None else None for name in _TIMES}
    return {**{name: case[name] for name in _PLAIN}, **times, "withdrawn": withdraw(tx, case["id"], reason)}


def give_back(tx: Transaction, case_id: int, was: Mapping[str, Any], **values: Any) -> None:
    """Write back what a case had, and ``values``; messages that were withdrawn wait again, unless they are too old."""
    had = {name: was[name] for name in _PLAIN if name in was}
    had |= {name: _moment(was[name]) for name in _TIMES if name in was}
    if had.get("snoozed_until") is not None and had["snoozed_until"] <= tx.now:
        had["snoozed_until"] = None
    touch(tx, case_id, **{**had, **values})
    for number, state, reason in was.get("withdrawn", ()):
        row = load_notification(tx, number)
        if (
            row is not None
            and row["state"] == "cancelled"
            and (row["expires_at"] is None or row["expires_at"] > tx.now)
        ):
            set_state(tx, number, state, reason=reason)


def refuse_newer(tx: Transaction, case: sa.RowMapping) -> None:
    """Refuse to open a case whose fault has another open one: a device's fault is one case."""
    c = schema.cases.c
    other = sa.select(c.id).where(c.dedupe_key == case["dedupe_key"], c.state == "open", c.id != case["id"])
    if (newer := tx.connection.execute(other).scalar()) is not None:
        raise CommandRefused(f"case {newer} is open for the same fault; work there")


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
