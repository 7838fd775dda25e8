"""What every help desk can do, whatever its wire format."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal["open", "solved"]


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket to be made."""

    external_id: str
    """Ours: the same for every try."""
    subject: str
    body: str
    """Plain text, seen by staff alone."""
    severity: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote there."""

    id: int
    """Grows."""
    text: str
    public: bool
    """Meant for the customer."""
    author: str
    ours: bool
    """Written by the gateway's own login."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket as it is."""

    status: Status
    comments: Sequence[Comment]
    """Those behind the one asked from, the oldest first."""


class Desk(Protocol):
    """One help desk. Every method raises TryLater, Unknown or Undeliverable (``notifiers.errors``)."""

    name: str

    async def create(self, ticket: NewTicket) -> str:
        """Make a ticket and return its id; a repeat after an unclear answer makes no second one."""
        ...

    async def comment(self, ticket_id: str, text: str, mark: str, *, status: Status | None, repeated: bool) -> None:
        """Add a comment for staff, and set the status where one is given.

        ``mark`` stands in the text and is looked for first where it may be there already (``repeated``).
        """
        ...

    async def read(self, ticket_id: str, after: int) -> Ticket:
        """Read the ticket with the comments whose id is above ``after``."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
