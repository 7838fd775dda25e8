"""Cases joined and parted: merge with its way back, split, link."""

from typing import Any

import sqlalchemy as sa

from gateway.cases import attachments
from gateway.cases.by_hand import open_by_hand
from gateway.cases.kept import give_back, keep, refuse_newer
from gateway.cases.record import case_of
from gateway.cases.timeline import add_entry, touch
from gateway.cases.unanswered import asked_when_merged, merging_of, still_asks
from gateway.cases.verdicts import give_verdict, put_back, said_of, verdict_of
from gateway.commands import CommandRefused, GiveVerdict
from gateway.commands.cases import LinkCases, MergeCase, OpenCase, SplitCase, UnmergeCase
from gateway.store import schema
from gateway.store.case_work import case_links
from gateway.transaction import Transaction

_MOVABLE = ("message_in", "note")


def merge(tx: Transaction, command: MergeCase) -> None:
    """Close a case as another's duplicate; what it still waits to send is withdrawn."""
    case, target = case_of(tx, command.case_id), case_of(tx, command.into)
    if case["id"] == target["id"]:
        raise CommandRefused("a case cannot be merged into itself")
    if case["merged_into"] is not None:
        raise CommandRefused(f"case {case['id']} is part of case {case['merged_into']} already")
    if target["merged_into"] is not None:
        raise CommandRefused(f"case {target['id']} is part of case {target['merged_into']}; merge into that")
    if case["customer_id"] and target["customer_id"] and case["customer_id"] != target["customer_id"]:
        # One thread would show each what the other wrote.
        raise CommandRefused("they are of different customers; link them instead")
    c = schema.cases
    children = tx.connection.execute(sa.select(c.c.id).where(c.c.merged_into == case["id"])).scalars().all()
    tx.connection.execute(sa.update(c).where(c.c.merged_into == case["id"]).values(merged_into=target["id"]))
    standing = verdict_of(tx.connection, case["id"])
    was = keep(tx, case, f"the case was merged into #{target['id']}")
    was |= {"children": list(children), "verdict": said_of(standing) if standing else None}
    closed = {"state": "resolved", "resolved_at": tx.now, "resolved_by": command.by} if case["state"] == "open" else {}
    touch(tx, case["id"], merged_into=target["id"], needs_reply=False, snoozed_until=None, waiting_since=None, **closed)
    add_entry(tx, case["id"], "merged", command.by, body={"into": target["id"], "was": was})
    add_entry(tx, target["id"], "merged", command.by, body={"from": case["id"]})
    touch(tx, target["id"], needs_reply=target["needs_reply"] or case["needs_reply"])
    give_verdict(tx, GiveVerdict(case["id"], "duplicate", command.by, target["id"]))
    tx.audit(command.by, "case.merge", str(case["id"]), into=target["id"])


def unmerge(tx: Transaction, command: UnmergeCase) -> None:
    """Give a merged case back what it had, and what had been merged into it; both are answered for themselves again."""
    case = case_of(tx, command.case_id)
    target = case["merged_into"]
    if target is None:
        raise CommandRefused(f"case {case['id']} is part of no other")
    merged = merging_of(tx, case["id"])
    was: dict[str, Any] = merged.body["was"] if merged is not None else {"state": "open"}
    if was["state"] == "open":
        refuse_newer(tx, case)
    c = schema.cases
    theirs = (c.c.id.in_(was.get("children", ())), c.c.merged_into == target)
    own = tx.connection.execute(sa.select(c.c.id).where(*theirs)).scalars().all()
    asks = any(asked_when_merged(tx, one) for one in (case["id"], *own))
    give_back(tx, case["id"], was, merged_into=None, needs_reply=asks)
    tx.connection.execute(sa.update(c).where(*theirs).values(merged_into=case["id"]))
    add_entry(tx, case["id"], "unmerged", command.by, body={"from": target})
    add_entry(tx, target, "unmerged", command.by, body={"case": case["id"]})
    touch(tx, target, needs_reply=still_asks(tx, target))
    put_back(tx, case["id"], was.get("verdict"), command.by)
    tx.audit(command.by, "case.unmerge", str(case["id"]), into=target)


def split(tx: Transaction, command: SplitCase) -> int:
    """Open a case for what a message is about, and move the message there."""
    case = case_of(tx, command.case_id)
    t = schema.timeline
    query = sa.select(t).where(t.c.id == command.entry_id, t.c.case_id == case["id"], t.c.kind.in_(_MOVABLE))
    entry = tx.connection.execute(query).mappings().first()
    if entry is None:
        raise CommandRefused("only a message of the customer's or a note of this very case can be split off")
    words = str(entry["body"].get("text") or "").strip()
    title = words if len(words) <= _TITLE else f"{words[: _TITLE - 1]}…"
    opened = OpenCase(title or "Another matter", command.by, case["device_id"] or None, case["customer_id"])
    number = open_by_hand(tx, opened)
    tx.connection.execute(sa.update(t).where(t.c.id == entry["id"]).values(case_id=number))
    i = schema.inbound
    if entry["kind"] == "message_in":
        moved = sa.update(i).where(i.c.id == entry["body"].get("inbound_id"))
        tx.connection.execute(moved.values(case_id=number))
        attachments.move(tx, number, inbound_id=entry["body"].get("inbound_id"))
        touch(tx, number, needs_reply=True)
        thread = case["merged_into"] or case["id"]
        touch(tx, thread, needs_reply=still_asks(tx, thread))
    else:
        attachments.move(tx, number, entry_id=entry["id"])
    add_entry(tx, case["id"], "split", command.by, body={"into": number})
    link(tx, LinkCases(case["id"], number, command.by))
    tx.audit(command.by, "case.split", str(case["id"]), into=number)
    return number


def link(tx: Transaction, command: LinkCases) -> None:
    """Link two cases, or undo it; the same twice changes nothing."""
    case, other = case_of(tx, command.case_id), case_of(tx, command.other_id)
    if case["id"] == other["id"]:
        raise CommandRefused("a case is not linked with itself")
    first, second = sorted((case["id"], other["id"]))
    this = (case_links.c.case_id == first, case_links.c.other_id == second)
    known = tx.connection.execute(sa.select(case_links).where(*this)).first() is not None
    if known == command.linked:
        return
    if command.linked:
        tx.connection.execute(sa.insert(case_links).values(case_id=first, other_id=second))
    else:
        tx.connection.execute(sa.delete(case_links).where(*this))
    kind = "linked" if command.linked else "unlinked"
    add_entry(tx, case["id"], kind, command.by, body={"case": other["id"]})
    add_entry(tx, other["id"], kind, command.by, body={"case": case["id"]})
    tx.audit(command.by, f"case.{kind}", str(case["id"]), other=other["id"])


_TITLE = 80
