"""One reading for all who ask the same at the same time, and nobody is shown what was before they asked."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientSession

from gateway.commands import Assign, SaveSession
from gateway.web.auth import SESSION_COOKIE, SESSION_LIFE, new_token, token_hash
from gateway.web.one_reading import OneReading
from gateway.web.queries import queue
from gateway.web.queries.queue import QueueFilter, View
from tests.gateway.web_fleet import NOW
from tests.gateway.web_visit import visit


class Shelf:
    """Something that changes and takes a while to read."""

    def __init__(self) -> None:
        self.value = 0
        self.readings = 0
        self.go_on = asyncio.Event()

    async def read(self) -> int:
        self.readings += 1
        seen = self.value
        await self.go_on.wait()
        return seen


async def test_a_hundred_who_ask_during_a_reading_share_one_more_that_sees_what_they_must() -> None:
    shelf, reading = Shelf(), OneReading[int]()
    first = asyncio.create_task(reading.ask("rows", shelf.read))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    shelf.value = 1
    others = [asyncio.create_task(reading.ask("rows", shelf.read)) for _ in range(100)]
    await asyncio.sleep(0)
    shelf.go_on.set()
    assert await first == 0
    assert await asyncio.gather(*others) == [1] * 100
    assert shelf.readings == 2
    assert await reading.ask("rows", shelf.read) == 1
    assert shelf.readings == 3


async def test_who_goes_away_leaves_the_others_theirs_and_an_error_reaches_all_who_share_it() -> None:
    shelf, reading = Shelf(), OneReading[int]()

    async def fail() -> int:
        await shelf.read()
        raise LookupError

    gone, stays = (asyncio.create_task(reading.ask("rows", shelf.read)) for _ in range(2))
    other = asyncio.create_task(reading.ask("other", fail))
    await asyncio.sleep(0)
    gone.cancel()
    shelf.go_on.set()
    assert await stays == 0
    with pytest.raises(LookupError):
        await other
    assert await reading.ask("other", shelf.read) == 0


async def test_two_who_share_a_reading_of_the_queue_are_each_told_which_case_is_theirs(tmp_path: Path) -> None:
    async with visit(tmp_path) as mia:
        with mia.town.store.read() as connection:
            page = queue.load(connection, QueueFilter(View.OPEN), mia.town.deps.clock.now())
        await mia.town.deps.commands.submit(Assign(page.rows[0].case.id, "Mia", by="Mia"))
        token = new_token()
        mia.town.do(SaveSession(token_hash(token), "Ada", NOW + SESSION_LIFE))
        address = mia.client.make_url("/?view=open&fragment=rows")
        async with ClientSession(headers={"Cookie": f"{SESSION_COOKIE}={token}"}) as ada:

            async def of_ada() -> str:
                async with ada.get(address) as answer:
                    return await answer.text()

            asked = [mia.page("/?view=open&fragment=rows"), of_ada()]
            asked += [mia.page("/?view=open&fragment=rows"), of_ada()]
            texts = await asyncio.gather(*asked)
    assert all("You have it" in text for text in texts[::2])
    assert all("You have it" not in text and "Mia has it" in text for text in texts[1::2])


def test_only_what_is_asked_of_oneself_is_read_for_oneself() -> None:
    assert QueueFilter(View.NEEDS_YOU, "Mia").for_anybody == QueueFilter(View.NEEDS_YOU, "Ole").for_anybody
    for own in ({"view": View.MINE}, {"owner": "me"}, {"team": "mine"}):
        assert QueueFilter(user="Mia", **own).for_anybody.user == "Mia"
