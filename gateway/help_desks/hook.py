"""What comes back from a help desk: a post says that a ticket changed, and the ticket itself is then read there."""

import asyncio
from collections.abc import Callable, Mapping

import structlog

from gateway.commands import Commands
from gateway.commands.help_desks import TicketComment, TicketRead
from gateway.help_desks.desk import Desk
from notifiers.callbacks import parse_object, text_of

log = structlog.get_logger()


class HelpDeskHook:
    """Takes the posts of one help desk."""

    def __init__(
        self,
        desk: Desk,
        commands: Commands,
        genuine: Callable[[Mapping[str, str], bytes], bool],
        last_comment: Callable[[str], int | None],
    ) -> None:
        """``genuine``: (headers, raw body); ``last_comment`` blocks: the last that was looked at, by ticket."""
        self.name = desk.name
        self.is_genuine = genuine
        self._desk = desk
        self._commands = commands
        self._last_comment = last_comment

    async def take(self, body: bytes) -> bool:
        """Bring the case up to the ticket named in ``{"ticket_id": …}``; False where it stands for no case of ours.

        Nothing of the post but that number is believed. Raises NotifierError where the help desk cannot be read.
        """
        ticket_id = text_of(parse_object(body), "ticket_id")
        after = await asyncio.to_thread(self._last_comment, ticket_id) if ticket_id else None
        if after is None:
            return False
        ticket = await self._desk.read(ticket_id, after)
        theirs = tuple(
            TicketComment(one.id, one.text, one.public, one.author) for one in ticket.comments if not one.ours
        )
        newest = max((one.id for one in ticket.comments), default=after)
        await self._commands.submit(TicketRead(self.name, ticket_id, theirs, newest, ticket.status))
        log.info("help_desk.read", desk=self.name, ticket_id=ticket_id, comments=len(theirs), status=ticket.status)
        return True
