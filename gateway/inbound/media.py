"""Fetches what came with chat messages and lies with their providers: pictures, documents, recordings.

The message is committed and the provider answered first; what is still to be fetched stands in the store, so that a
restart goes on with it and a provider that is away keeps nobody waiting.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from gateway.clock import Clock
from gateway.commands import Commands, MediaFetched, MediaNotFetched
from gateway.config import Notifiers
from gateway.store.attachments import attachments
from gateway.store.store import Store
from notifiers.attachment import choose
from notifiers.errors import TryLater, Undeliverable, Unknown
from notifiers.transports.line_media import LineMedia
from notifiers.transports.media import MediaSource
from notifiers.transports.telegram_media import TelegramMedia
from notifiers.transports.twilio_media import TwilioMedia
from notifiers.transports.whatsapp_media import WhatsAppMedia

log = structlog.get_logger()

_IDLE_S = 2.0
_AT_ONCE = 4
"""Ten megabytes each, in memory."""


def media_sources(settings: Notifiers) -> list[MediaSource]:
    """Make one source for each provider that is set up and gives out files."""
    sources: list[MediaSource] = []
    if settings.twilio is not None:
        twilio = settings.twilio
        sources.append(TwilioMedia(twilio.account, twilio.token.get_secret_value(), base_url=twilio.base_url))
    if settings.telegram is not None:
        sources.append(TelegramMedia(settings.telegram.token.get_secret_value(), base_url=settings.telegram.base_url))
    if settings.line is not None:
        sources.append(LineMedia(settings.line.token.get_secret_value(), data_url=settings.line.data_url))
    if settings.whatsapp is not None:
        whatsapp = settings.whatsapp
        token = whatsapp.token.get_secret_value()
        sources.append(WhatsAppMedia(token, version=whatsapp.version, base_url=whatsapp.base_url))
    return sources


@dataclass(frozen=True, slots=True)
class _Waiting:
    file_id: int
    provider: str
    ref: str
    name: str


class MediaFetcher:
    """Works off what waits, a few at once, until cancelled."""

    def __init__(self, store: Store, commands: Commands, clock: Clock, sources: list[MediaSource]) -> None:
        """Fetch from ``sources``, one a provider."""
        self._store = store
        self._commands = commands
        self._clock = clock
        self._sources: Mapping[str, MediaSource] = {source.provider: source for source in sources}

    async def run(self) -> None:
        """Fetch until cancelled."""
        try:
            while True:
                if not await self.fetch_due():
                    await asyncio.sleep(_IDLE_S)
        finally:
            for source in self._sources.values():
                await source.close()

    async def fetch_due(self) -> int:
        """Try what is due now; return how much that was."""
        due = await asyncio.to_thread(self._due)
        await asyncio.gather(*(self._fetch(one) for one in due))
        return len(due)

    def _due(self) -> list[_Waiting]:
        a = attachments.c
        query = (
            sa.select(a.id, a.fetch_from, a.fetch_ref, a.name)
            .where(a.fetch_at.is_not(None), a.fetch_at <= self._clock.now())
            .order_by(a.fetch_at, a.id)
            .limit(_AT_ONCE)
        )
        with self._store.read() as connection:
            return [_Waiting(*row) for row in connection.execute(query)]

    async def _fetch(self, one: _Waiting) -> None:
        source = self._sources.get(one.provider)
        try:
            if source is None:
                raise Undeliverable(one.provider, "not_set_up", "the provider is no longer set up")
            content = await source.fetch(one.ref)
        except (TryLater, Unknown) as error:
            wait_s = error.retry_after_s if isinstance(error, TryLater) else None
            log.warning("media.try_later", provider=one.provider, code=error.code, attachment_id=one.file_id)
            await self._commands.submit(MediaNotFetched(one.file_id, error.advice, wait_s=wait_s))
            return
        except Undeliverable as error:
            log.warning("media.gave_up", provider=one.provider, code=error.code, attachment_id=one.file_id)
            await self._commands.submit(MediaNotFetched(one.file_id, error.advice, for_good=True))
            return
        files = choose([(one.name, content)], sounds=True)
        if files.kept:
            await self._commands.submit(MediaFetched(one.file_id, files.kept[0]))
        else:
            reason = files.refused[0][1].replace("a picture nor a PDF", "a picture, a PDF nor a recording")
            await self._commands.submit(MediaNotFetched(one.file_id, reason, for_good=True))
