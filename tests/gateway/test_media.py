"""What came by chat and lies with its provider: noted at once, fetched afterwards, and said where it cannot be."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway import commands as c
from gateway.cases.media import MOST_ATTEMPTS
from gateway.commands.people import EraseCustomer
from gateway.inbound.media import MediaFetcher
from gateway.store import schema
from gateway.store.attachments import attachments
from gateway.web.queries.attachments import FileLine, content, of_messages
from notifiers.attachment import LARGEST
from notifiers.errors import NotifierError, TryLater, Undeliverable, Unknown
from notifiers.inbound import Media
from tests.gateway.making import ANA, Gateway, gateway
from tests.gateway.sending import HandClock

PHOTO = Media("photo", "ref-1")
JPEG, OPUS = b"\xff\xd8\xff leak", b"OggS voice"


class Telegram:
    """Gives out what it is told to, or raises it."""

    provider = "telegram"

    def __init__(self, *answers: bytes | NotifierError) -> None:
        self.answers, self.asked = list(answers), list[str]()

    async def fetch(self, ref: str) -> bytes:
        """Answer the next."""
        self.asked.append(ref)
        answer = self.answers.pop(0)
        if isinstance(answer, NotifierError):
            raise answer
        return answer

    async def close(self) -> None:
        """There is nothing to close."""


class Writer:
    """Commits as the pipeline does."""

    def __init__(self, made: Gateway) -> None:
        self.made = made

    async def submit(self, command: c.Command) -> Any:
        """Commit one command."""
        return self.made.submit(command)


@pytest.fixture
def told(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """Ana was told of her freezer."""
    with gateway(store_url, tmp_path) as made:
        made.submit(c.Upsert("customers", (ANA | {"addresses": {"telegram": "987"}},), by="test"))
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            made.temperature(celsius, minutes)
        yield made


def wrote(made: Gateway, *media: Media, number: int = 1) -> None:
    made.submit(c.CustomerWrote("telegram", f"update:{number}", "telegram", "987", "[photo]", media=media))


async def fetch(made: Gateway, source: Telegram, after: timedelta = timedelta()) -> int:
    made.now += after
    return await MediaFetcher(made.store, Writer(made), HandClock(made), [source]).fetch_due()


def files(made: Gateway) -> list[FileLine]:
    with made.store.read() as connection:
        return [line for found in of_messages(connection, [1, 2]).values() for line in found]


async def test_what_came_is_noted_with_its_message_and_fetched_afterwards_once(told: Gateway) -> None:
    wrote(told, PHOTO, Media("voice message", "ref-2"), Media("place"))
    wrote(told, PHOTO)
    assert [(line.name, line.waits, line.is_here) for line in files(told)] == [
        ("photo", True, False),
        ("voice message", True, False),
    ]
    telegram = Telegram(JPEG, OPUS)
    assert await fetch(told, telegram) == 2
    assert [(line.name, line.kind, line.is_here) for line in files(told)] == [
        ("photo.jpg", "image/jpeg", True),
        ("voice message.ogg", "audio/ogg", True),
    ]
    with told.store.read() as connection:
        found = content(connection, files(told)[0].id)
    assert found is not None
    assert found[1] == JPEG
    assert await fetch(told, telegram) == 0
    [case] = told.rows(schema.cases)
    assert {row["case_id"] for row in told.rows(attachments)} == {case["id"]}


async def test_a_provider_that_is_away_is_asked_again_later_and_longer_where_it_says_so(told: Gateway) -> None:
    wrote(told, PHOTO)
    telegram = Telegram(Unknown("telegram", "read_timeout", ""), TryLater("telegram", "429", "", 600.0), JPEG)
    assert await fetch(told, telegram) == 1
    assert await fetch(told, telegram) == 0
    assert await fetch(told, telegram, timedelta(seconds=15)) == 1
    assert await fetch(told, telegram, timedelta(seconds=599)) == 0
    # A new process finds it in the store.
    assert await fetch(told, telegram, timedelta(seconds=1)) == 1
    assert files(told)[0].is_here


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Undeliverable("telegram", "404", "the provider has it no longer"), "no longer"),
        (b"PK\x03\x04 a program", "neither a picture, a PDF nor a recording"),
        (b"\xff\xd8\xff" + bytes(LARGEST), "larger than 10 MB"),
    ],
)
async def test_what_cannot_be_kept_is_said_with_its_message(
    told: Gateway, answer: bytes | NotifierError, reason: str
) -> None:
    wrote(told, PHOTO)
    await fetch(told, Telegram(answer))
    [line] = files(told)
    assert reason in (line.failed or "")
    assert not line.is_here
    with told.store.read() as connection:
        assert content(connection, line.id) is None
    assert await fetch(told, Telegram(), timedelta(days=1)) == 0


async def test_in_the_end_it_is_said_that_it_could_not_be_fetched(told: Gateway) -> None:
    wrote(told, PHOTO, Media("document", "ref-2", "film.mkv", LARGEST + 1))
    assert files(told)[1].failed == "larger than 10 MB"
    telegram = Telegram(*[TryLater("telegram", "503", "it is overloaded")] * MOST_ATTEMPTS)
    tries = [await fetch(told, telegram, timedelta(hours=1)) for _ in range(MOST_ATTEMPTS + 1)]
    assert tries == [1] * MOST_ATTEMPTS + [0]
    assert files(told)[0].failed == "it is overloaded"


async def test_what_was_erased_meanwhile_stays_gone(told: Gateway) -> None:
    wrote(told, PHOTO)
    [row] = told.rows(attachments)
    told.submit(EraseCustomer("ana", "Mia"))
    told.submit(c.MediaNotFetched(row["id"], "away"))
    assert told.rows(attachments) == []
