"""Commands about tickets of help desks; see ``gateway.commands``."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class LinkTicket:
    """A ticket stands for a case from now on."""

    desk: str
    case_id: int
    ticket_id: str


@dataclass(frozen=True, slots=True)
class TicketComment:
    """What somebody wrote in a help desk."""

    id: int
    text: str = field(repr=False)
    public: bool
    author: str


@dataclass(frozen=True, slots=True)
class TicketRead:
    """A ticket as it is there: public comments go to the customer, private ones become notes, its status the case's.

    Comments that were looked at before are passed over, so that it may come twice and in any order.
    """

    desk: str
    ticket_id: str
    comments: tuple[TicketComment, ...]
    last_comment: int
    """The highest id that was read, our own comments' included."""
    status: Literal["open", "solved"]


@dataclass(frozen=True, slots=True)
class TicketStatusSet:
    """The gateway itself has set the ticket's status: when it is read again, that is no news."""

    desk: str
    case_id: int
    status: Literal["open", "solved"]


HelpDeskCommand = LinkTicket | TicketRead | TicketStatusSet
