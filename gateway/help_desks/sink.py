"""From the timeline to tickets: a subscription whose system is a help desk."""

import asyncio
from collections.abc import Callable
from datetime import datetime

from device_models.event import rfc3339
from gateway.commands import Commands
from gateway.commands.help_desks import LinkTicket, TicketStatusSet
from gateway.help_desks.desk import Desk, NewTicket, Status
from gateway.subscriptions.entries import Entry

TOLD = frozenset(
    {"opened", "reopened", "firing", "recovered", "resolved", "acknowledged", "assigned", "note", "message_out"}
    | {"message_in", "unresolved", "merged", "unmerged"}
)
"""Kinds of entries that a ticket tells; the others are the gateway's own business."""
_STATUS: dict[str, Status] = {"resolved": "solved", "reopened": "open", "unresolved": "open"}


class TicketSink:
    """Keeps a help desk's tickets in step with cases."""

    def __init__(
        self, desk: Desk, commands: Commands, ticket_of: Callable[[int], str | None], public_url: str, installation: str
    ) -> None:
        """``ticket_of`` blocks: it reads the store. ``installation`` tells our external ids from another gateway's."""
        self.name = desk.name
        self._desk = desk
        self._commands = commands
        self._ticket_of = ticket_of
        self._url = public_url
        self._installation = installation
        self._tried: int | None = None

    def wants(self, entry: Entry) -> bool:
        """Whether the help desk is told; what was done there it knows."""
        return entry.kind in TOLD and not entry.author.startswith(f"{self.name}:")

    async def deliver(self, entry: Entry, now: datetime) -> None:
        """See ``Sink``. The first entry after a start may be a repeat, as is every further try of one."""
        repeated = self._tried in (None, entry.id)
        self._tried = entry.id
        case_id = int(entry.case["id"])
        ticket_id = await asyncio.to_thread(self._ticket_of, case_id)
        if ticket_id is None:
            ticket_id = await self._desk.create(self._ticket(entry))
            await self._commands.submit(LinkTicket(self.name, case_id, ticket_id))
            if entry.kind == "opened":
                return
        mark = f"[{self._installation} {entry.id}]"
        status = _status_of(entry)
        await self._desk.comment(ticket_id, words(entry), mark, status=status, repeated=repeated)
        if status is not None:
            await self._commands.submit(TicketStatusSet(self.name, case_id, status))

    async def close(self) -> None:
        """Let go of connections."""
        await self._desk.close()

    def _ticket(self, entry: Entry) -> NewTicket:
        case = entry.case
        title = (case["title"] or {}).get("en") or case["rule"]
        lines = [
            f"{title}: device {case['device_id']}, {case['severity']}, since {rfc3339(case['opened_at'])}.",
            f"Evidence, conversation and next steps: {self._url}/cases/{case['id']}",
        ]
        return NewTicket(
            external_id=f"{self._installation}-case-{case['id']}",
            subject=f"{title} ({case['device_id']})",
            body="\n".join(lines),
            severity=case["severity"],
            tags=("proactive", f"rule-{case['rule']}"),
        )


def _status_of(entry: Entry) -> Status | None:
    """What an entry makes of the ticket; None: it stays. One that is worked on within another is solved there."""
    if entry.kind == "merged" and entry.body.get("into"):
        return "solved"
    if entry.kind == "unmerged" and entry.body.get("from"):
        return "open" if entry.case["state"] == "open" else None
    return _STATUS.get(entry.kind)


def words(entry: Entry) -> str:
    """Say an entry in a sentence, for staff."""
    who, said = entry.author, entry.text
    match entry.kind:
        case "opened" | "firing":
            return f"The fault fires: {entry.case['severity']}."
        case "reopened":
            return "The fault is back; the case is open again."
        case "merged":
            into = entry.body.get("into")
            return (
                f"{who} merged it into case #{into}."
                if into
                else f"{who} merged case #{entry.body.get('from')} into it."
            )
        case "unmerged":
            source = entry.body.get("from")
            return f"{who} parted it from #{source}." if source else f"{who} parted #{entry.body.get('case')} from it."
        case "unresolved":
            return f"{who} took the resolving back; the case is open as before."
        case "recovered":
            return "The device says that it is well again."
        case "resolved":
            why = f": {entry.case['resolution']}" if entry.case["resolution"] else ""
            return f"Resolved by {entry.case['resolved_by'] or who}{why}"
        case "acknowledged":
            return f"{who} takes the case."
        case "assigned":
            return f"Assigned to {entry.body.get('assignee') or 'nobody'} by {who}."
        case "message_in":
            return f"The customer wrote ({entry.body.get('channel') or entry.channel}):\n{said}"
        case "message_out":
            by = f" ({entry.channel})" if entry.channel else ""
            return f"To the customer{by}:\n{said}" if said else f"A message to the customer is prepared{by}."
        case _:
            return f"{who}: {said}"
