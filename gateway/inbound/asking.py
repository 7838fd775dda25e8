"""Asks services outside about messages that have come in: a model what they are about, a translator what they say.

The message is committed first and asked about afterwards, so nobody waits for a service that is away; a restart finds
what was still to be asked.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from gateway.clock import Clock
from gateway.commands import AskLater, Commands, MessageTagged, MessageTranslated
from gateway.config import Config, Outside
from gateway.store import schema
from gateway.store.readings import readings
from gateway.store.store import Store
from notifiers.errors import TryLater, Undeliverable
from notifiers.understanding.classifier import Classifier
from notifiers.understanding.language import Guess
from notifiers.understanding.translator import Translator

log = structlog.get_logger()

_IDLE_S = 2.0
_AT_ONCE = 4
_MOST = 50


@dataclass(frozen=True, slots=True)
class _Message:
    inbound_id: int
    text: str
    language: Guess
    waits_for: str


def make_translator(config: Config) -> Translator | None:
    """Return the translator that is set up, None without one."""
    settings = config.notifiers.translator
    return Translator(*_reached(settings)) if settings else None


def _make_classifier(config: Config) -> Classifier | None:
    settings = config.notifiers.classifier
    return Classifier(*_reached(settings)) if settings else None


def _reached(settings: Outside) -> tuple[str, str | None, float]:
    token = settings.token.get_secret_value() if settings.token else None
    return settings.url, token, settings.timeout.total_seconds()


class Asker:
    """Works off what waits, a few at once, until cancelled."""

    def __init__(self, store: Store, commands: Commands, clock: Clock, config: Config) -> None:
        """``config`` says what is set up; without a service there is nothing to do."""
        self._store = store
        self._commands = commands
        self._clock = clock
        self._target = config.notifiers.staff_language
        self._translator = make_translator(config)
        self._classifier = _make_classifier(config)
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """A message came in. Only called on the event loop."""
        self._wake.set()

    async def run(self) -> None:
        """Ask until cancelled."""
        try:
            while True:
                self._wake.clear()
                due = await asyncio.to_thread(self._due)
                for start in range(0, len(due), _AT_ONCE):
                    await asyncio.gather(*(self._ask(message) for message in due[start : start + _AT_ONCE]))
                if not due:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_IDLE_S):
                            await self._wake.wait()
        finally:
            for service in (self._translator, self._classifier):
                if service is not None:
                    await service.close()

    def _due(self) -> list[_Message]:
        i, r = schema.inbound, readings
        query = (
            sa.select(r.c.inbound_id, i.c.text, r.c.language, r.c.language_confidence, r.c.waits_for)
            .join(i, i.c.id == r.c.inbound_id)
            .where(r.c.waits_for.is_not(None), sa.or_(r.c.not_before.is_(None), r.c.not_before <= self._clock.now()))
            .order_by(r.c.inbound_id)
            .limit(_MOST)
        )
        with self._store.read() as connection:
            return [
                _Message(id_, text, Guess(language, sure), waits_for)
                for id_, text, language, sure, waits_for in connection.execute(query)
            ]

    async def _ask(self, message: _Message) -> None:
        try:
            if message.waits_for == "model":
                tags = await self._classifier.tag(message.text, message.language) if self._classifier else None
                await self._commands.submit(MessageTagged(message.inbound_id, tags))
                return
            if self._translator is None:
                await self._commands.submit(MessageTranslated(message.inbound_id, None, None))
                return
            found = await self._translator.translate(message.text, message.language.language, self._target)
            await self._commands.submit(MessageTranslated(message.inbound_id, found.text, found.source))
        except TryLater as error:
            log.warning("asking.try_later", service=error.provider, code=error.code, inbound_id=message.inbound_id)
            await self._commands.submit(AskLater(message.inbound_id, error.code))
        except Undeliverable as error:
            log.warning("asking.gave_up", service=error.provider, code=error.code, inbound_id=message.inbound_id)
            await self._commands.submit(MessageTranslated(message.inbound_id, None, None))
