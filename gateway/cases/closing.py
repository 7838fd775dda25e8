"""Cases that staff close and open again: resolve, take that back as if it had not been, reopen."""

import sqlalchemy as sa

from gateway.cases.agent import notify_of
from gateway.cases.claiming import claimed
from gateway.cases.kept import give_back, keep, refuse_newer
from gateway.cases.record import case_of
from gateway.cases.timeline import add_entry, touch
from gateway.commands import CommandRefused, Reopen, Resolve, Unresolve
from gateway.outbox.queue import enqueue, set_state
from gateway.store import schema
from gateway.transaction import Transaction

_NOTICE = "fault_resolved"
_MOVES = ("resolved", "recovered", "merged", "unmerged", "reopened", "unresolved")
"""Lines that say how a case was closed, or opened again."""


def resolve(tx: Transaction, command: Resolve) -> None:
    """Close a case by a person's word."""
    case = case_of(tx, command.case_id)
    if case["state"] == "resolved":
        raise CommandRefused(f"case {case['id']} is resolved already")
    told = _told(tx, case)
    was = keep(tx, case, "the case was resolved first")
    touch(
        tx,
        case["id"],
        state="resolved",
        resolved_at=tx.now,
        resolved_by=command.by,
        resolution=command.resolution or None,
        needs_reply=False,
        snoozed_until=None,
        waiting_since=None,
        cause=command.cause.strip()[:200] or None,
        fix=command.fix.strip()[:200] or None,
    )
    body = {"resolution": command.resolution, "cause": command.cause, "fix": command.fix, "was": was}
    add_entry(tx, case["id"], "resolved", command.by, body=body)
    tx.audit(command.by, "case.resolve", str(case["id"]))
    if command.tell_customer and case["customer_id"]:
        key = f"case:{case['id']}:{_NOTICE}:{case['reopened']}:{case['version']}"
        for to in told:
            enqueue(tx, notify_of(tx, case, _NOTICE, f"{key}:{to}", to), not_before=command.tell_from)


def unresolve(tx: Transaction, command: Unresolve) -> None:
    """Take back that a case was resolved: it has all it had, and the notice that has not gone out does not."""
    case = case_of(tx, command.case_id)
    if case["state"] == "open":
        raise CommandRefused(f"case {case['id']} is open already")
    t = schema.timeline.c
    moves = sa.select(t.id, t.kind, t.body).where(t.case_id == case["id"], t.kind.in_(_MOVES))
    last = tx.connection.execute(moves.order_by(t.id.desc()).limit(1)).first()
    if last is None or last.kind != "resolved" or "was" not in last.body:
        raise CommandRefused(f"case {case['id']} was closed otherwise since; reopen it")
    refuse_newer(tx, case)
    told = _call_back(tx, case["id"], last.id)
    give_back(tx, case["id"], last.body["was"])
    add_entry(tx, case["id"], "unresolved", command.by, body={"told": told})
    tx.audit(command.by, "case.unresolve", str(case["id"]))


def reopen(tx: Transaction, command: Reopen) -> None:
    """Open a resolved case again, unless its fault has a newer open one."""
    case = case_of(tx, command.case_id)
    if case["state"] == "open":
        raise CommandRefused(f"case {case['id']} is open already")
    refuse_newer(tx, case)
    back = {"resolved_at": None, "resolved_by": None, "resolution": None, "cause": None, "fix": None}
    whose = claimed(dict(case) | {"assignee": command.by}, command.by, tx.now)
    touch(tx, case["id"], state="open", merged_into=None, **whose, **back)
    add_entry(tx, case["id"], "reopened", command.by)
    tx.audit(command.by, "case.reopen", str(case["id"]))


def _told(tx: Transaction, case: sa.RowMapping) -> list[str]:
    """Who heard of the case, by whatever message."""
    n = schema.notifications.c
    handed_over = sa.select(n.customer_id).where(n.case_id == case["id"], n.handed_over_at.is_not(None))
    return sorted(set(tx.connection.execute(handed_over).scalars()))


def _call_back(tx: Transaction, case_id: int, since: int) -> bool:
    """Cancel the notices that followed on a line of the timeline; return whether one had gone out."""
    t, n = schema.timeline, schema.notifications
    query = (
        sa.select(n.c.id, n.c.state)
        .join(t, t.c.notification_id == n.c.id)
        .where(t.c.case_id == case_id, t.c.id > since, n.c.template == _NOTICE)
    )
    gone_out = False
    for number, state in tx.connection.execute(query).all():
        if state in ("awaiting_approval", "queued"):
            set_state(tx, number, "cancelled", reason="the case is open after all")
        elif state not in ("withheld", "cancelled", "discarded", "expired"):
            gone_out = True
    return gone_out
