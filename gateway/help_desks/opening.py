"""From the configuration to help desks."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial

from gateway.commands import Commands
from gateway.config import Config
from gateway.help_desks import freshdesk, record, zendesk
from gateway.help_desks.desk import Desk
from gateway.help_desks.freshdesk import Freshdesk
from gateway.help_desks.hook import HelpDeskHook
from gateway.help_desks.settings import HelpDesk
from gateway.help_desks.sink import TicketSink
from gateway.help_desks.zendesk import Zendesk
from gateway.store.store import Store


def open_help_desks(
    config: Config, store: Store, commands: Commands, secret: str
) -> list[tuple[TicketSink, HelpDeskHook | None]]:
    """Make what each configured help desk is told by, and what it posts to; ``secret`` is the installation's."""
    installation = "gw-" + hashlib.sha256(b"installation:" + secret.encode()).hexdigest()[:8]

    def ticket_of(desk: str, case_id: int) -> str | None:
        with store.read() as connection:
            return record.ticket_of(connection, desk, case_id)

    def last_comment(desk: str, ticket_id: str) -> int | None:
        with store.read() as connection:
            return record.last_comment(connection, desk, ticket_id)

    made = []
    for section in config.help_desks:
        desk = _desk(section)
        sink = TicketSink(desk, commands, partial(ticket_of, desk.name), config.public_url, installation)
        hook = None
        if section.webhook_secret is not None:
            genuine = _genuine(section.kind, section.webhook_secret.get_secret_value())
            hook = HelpDeskHook(desk, commands, genuine, partial(last_comment, desk.name))
        made.append((sink, hook))
    return made


def _desk(section: HelpDesk) -> Desk:
    token = section.token.get_secret_value()
    if section.kind == "zendesk":
        return Zendesk(section.name, section.url, section.user, token)
    return Freshdesk(section.name, section.url, token, section.requester_email)


def _genuine(kind: str, secret: str) -> Callable[[Mapping[str, str], bytes], bool]:
    return partial(zendesk.is_genuine if kind == "zendesk" else freshdesk.is_genuine, secret)
