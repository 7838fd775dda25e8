"""The console with many cases in store: its queue and its search, and how far open pages are behind under load."""

import asyncio
import json
import random
import resource
import tempfile
import time
from bisect import bisect_left
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import sqlalchemy as sa

from gateway.bench.fleet import INTERVAL_S, Fleet, device_id
from gateway.bench.publisher import Order, publish
from gateway.bench.rows import Row, percentile
from gateway.bench.size import Size, Tell
from gateway.bench.subject import MailSink, Subject, Watch
from gateway.store import schema
from gateway.store.store import Store
from gateway.web.auth import SESSION_COOKIE, token_hash

_TOKEN = "bench"  # noqa: S105 - of an agent who exists in the bench's own store only
_AGENT = "Mia"
_PART = 5_000
_WARM_UP = 5
_TOLD_WITHIN_S = 60.0
_OPEN_ONE_IN = 200
"""Of the cases, most of which are over: what is open is what people can work on."""
_SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su", "ta", "vo")


async def measure_consoles(size: Size, tell: Tell) -> list[Row]:
    """Fill a store, start a gateway on it and look at it as browsers do. Raises RuntimeError where a part fails."""
    messages = int(size.changes_per_s * size.watched_s)
    fleet = Fleet(size.devices, time.time() - INTERVAL_S * (messages / size.devices + 4))
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as name, MailSink() as sink:
        subject = Subject(Path(name), sink)
        tell(f"the console: {size.cases:,} cases are written")
        await asyncio.to_thread(_fill, Path(name) / "data" / "gateway.sqlite", size)
        try:
            await subject.start(fleet)
            cookies = {SESSION_COOKIE: _TOKEN}
            async with aiohttp.ClientSession(subject.web_url, cookies=cookies, headers={"Accept": "text/html"}) as web:
                tell(f"the console: {size.requests} times its queue and {size.requests} searches")
                queue = await _times(web, ["/"] * size.requests, _WARM_UP)
                search = await _times(web, [f"/?q={word}" for word in _searched(size)], _WARM_UP)
                refresh = await _refreshed(subject, web, size)
                seen = await _under_load(subject, web, fleet, size, messages, tell)
        finally:
            await subject.stop()
    among, load = f"{size.cases:,} cases", f"{size.consoles} open pages, {size.changes_per_s:,.0f} changes/s"
    return [
        Row(f"the queue's page among {among}, p50", percentile(queue, 0.5), "ms"),
        Row(f"the queue's page among {among}, p99", percentile(queue, 0.99), "ms", None, 300),
        Row(f"a search among {among}, p50", percentile(search, 0.5), "ms"),
        Row(f"a search among {among}, p99", percentile(search, 0.99), "ms", None, 100),
        Row(f"{size.consoles} open queues renewed at once, processor time of the gateway", refresh, "ms"),
        Row(f"an open page is told after, {load}, p50", percentile(seen.told_ms, 0.5), "ms"),
        Row(f"an open page is told after, {load}, p99", percentile(seen.told_ms, 0.99), "ms", None, 1000),
        Row(f"the queue's page, {load}, p50", percentile(seen.page_ms, 0.5), "ms", None, 100),
        Row(f"the queue's page, {load}, p99", percentile(seen.page_ms, 0.99), "ms"),
        *[Row(f"processors that {who} kept busy, {load}", share, "") for who, share in seen.processors.items()],
    ]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What 200 pages saw of a fleet that speaks."""

    told_ms: list[float]
    """From a watched device's ``publish`` to the event that tells its page."""
    page_ms: list[float]
    """To the last byte of the queue's page, asked for meanwhile."""
    processors: dict[str, float]
    """Processor time by who used it, as a share of the time from the first publish to the last commit."""


async def _refreshed(subject: Subject, web: aiohttp.ClientSession, size: Size) -> float:
    """Let every open queue ask for its rows at once, as when a case changes; return milliseconds of processor time."""

    async def rows() -> None:
        await _times(web, ["/?fragment=rows"])

    await rows()
    before = subject.cpu_s()
    await asyncio.gather(*(rows() for _ in range(size.consoles)))
    return 1000 * (subject.cpu_s() - before)


async def _times(web: aiohttp.ClientSession, paths: list[str], warm_up: int = 0) -> list[float]:
    """Ask for each path, one after the other; return the milliseconds to the last byte, without the first few."""
    times = []
    for path in paths:
        began = time.perf_counter()
        async with web.get(path) as answer:
            await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path} answered {answer.status}")
        times.append(1000 * (time.perf_counter() - began))
    return times[warm_up:]


async def _under_load(
    subject: Subject, web: aiohttp.ClientSession, fleet: Fleet, size: Size, messages: int, tell: Tell
) -> _Seen:
    """Publish at a steady rate to pages that each watch a device."""
    tell(f"the console: {size.consoles} open pages, {messages:,} messages at {size.changes_per_s:,.0f}/s")
    pages = [_Page(number * (fleet.devices // size.consoles)) for number in range(size.consoles)]
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        cookies = {SESSION_COOKIE: _TOKEN}
        timeout = aiohttp.ClientTimeout(total=None)
        streams = await stack.enter_async_context(
            aiohttp.ClientSession(subject.web_url, cookies=cookies, connector=connector, timeout=timeout)
        )
        watch = stack.enter_context(subject.watched())
        listening = [asyncio.create_task(page.listen(streams)) for page in pages]
        try:
            await asyncio.gather(*(page.opened.wait() for page in pages))
            done = 2 * fleet.devices
            base = watch.sequence
            await publish(Order(subject.mqtt_port, fleet.devices, fleet.first_at, 0, done))
            await watch.until(base + done)
            order = Order(subject.mqtt_port, fleet.devices, fleet.first_at, done, messages, size.changes_per_s)
            used, began = _used(subject), time.monotonic()
            publishing = asyncio.create_task(publish(order))
            busy = []
            while not publishing.done():
                busy += await _times(web, ["/"])
            published = await publishing
            last = await watch.until(base + done + messages)
            took, used_then = time.monotonic() - began, _used(subject)
            # Each device speaks once more: what its page is then told comes after all that was measured.
            await publish(Order(subject.mqtt_port, fleet.devices, fleet.first_at, done + messages, fleet.devices))
            async with asyncio.timeout(_TOLD_WITHIN_S):
                await asyncio.gather(*(page.until_told(last) for page in pages))
        finally:
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
    told = _behind(watch, base + done, published, done, fleet, pages)
    return _Seen(told, busy, {who: (used_then[who] - used[who]) / took for who in used})


def _used(subject: Subject) -> dict[str, float]:
    """Processor time so far, in seconds. Of the publishers those that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "the gateway": subject.cpu_s(),
        "its broker": subject.broker_cpu_s(),
        "the publisher": ended.ru_utime + ended.ru_stime,
        "the pages": time.process_time(),
    }


def _behind(
    watch: Watch, base: int, published: list[float], first: int, fleet: Fleet, pages: "list[_Page]"
) -> list[float]:
    """Milliseconds from each watched message's ``publish`` to the first event after its commit."""
    committed = watch.committed_at(base + 1, len(published))
    told_at = {page.device: page.told_at for page in pages}
    behind: list[float] = []
    for index, (sent, at) in enumerate(zip(published, committed, strict=True)):
        events = told_at.get((first + index) % fleet.devices)
        if events is not None:
            place = bisect_left(events, at)
            behind.append(1000 * (events[place] - sent) if place < len(events) else float("inf"))
    return behind


class _Page:
    """An open page that is about one device."""

    def __init__(self, device: int) -> None:
        self.device = device
        self.opened = asyncio.Event()
        self.told_at: list[float] = []
        """Epoch seconds of its events."""
        self._another = asyncio.Event()

    async def until_told(self, since: float) -> None:
        """Wait for an event at or after a moment, in epoch seconds."""
        while not self.told_at or self.told_at[-1] < since:
            self._another.clear()
            await self._another.wait()

    async def listen(self, web: aiohttp.ClientSession) -> None:
        """Note when it is told of its device, until cancelled."""
        async with web.get("/live", params={"device": device_id(self.device)}) as stream:
            self.opened.set()
            async for line in stream.content:
                if line.startswith(b"data: ") and "device" in json.loads(line[6:]):
                    self.told_at.append(time.time())
                    self._another.set()


def _fill(file: Path, size: Size) -> None:
    """Write an agent who is logged in, and cases of the last year with what was said in them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    store, now = Store(f"sqlite:///{file}"), datetime.now(UTC)
    chance = random.Random(1)  # noqa: S311 - words for a test, no secret
    try:
        with store.write() as connection:
            user = {"name": _AGENT, "password_hash": "", "role": "lead", "created_at": now, "disabled": False}
            session = {"token_hash": token_hash(_TOKEN), "user_name": _AGENT, "way": "password", "created_at": now}
            connection.execute(sa.insert(schema.users), user)
            connection.execute(sa.insert(schema.sessions), {**session, "expires_at": now + timedelta(days=1)})
        for start in range(0, size.cases, _PART):
            cases = [_case(number, size, now, chance) for number in range(start, min(start + _PART, size.cases))]
            lines = [
                {"case_id": case["id"], "at": case["opened_at"], "kind": kind, "author": _AGENT, "body": body}
                for case in cases
                for kind, body in (("opened", {}), ("note", {"text": " ".join(_word(chance) for _ in range(12))}))
            ]
            with store.write() as connection:
                connection.execute(sa.insert(schema.cases), cases)
                connection.execute(sa.insert(schema.timeline), lines)
    finally:
        store.close()


def _case(number: int, size: Size, now: datetime, chance: random.Random) -> dict[str, Any]:
    opened_at = now - timedelta(days=365) + timedelta(days=364) * (number / size.cases)
    device = number % size.devices
    is_open = number % _OPEN_ONE_IN == 0
    over = None if is_open else opened_at + timedelta(hours=3)
    return {
        "id": number + 1,
        "dedupe_key": f"bench:{number}",
        "rule": "too-warm",
        "fault": "",
        "kind": "condition",
        "device_id": device_id(device),
        "customer_id": f"c{device}",
        "severity": chance.choice(("minor", "major", "critical")),
        "purpose": "fault",
        "state": "open" if is_open else "resolved",
        "on_arrival": False,
        "explanation": {"kind": "condition", "title": {"en": "is too warm"}, "values": {"temperature": -8.0}},
        "opened_at": opened_at,
        "updated_at": over or opened_at,
        "resolved_at": over,
        "resolved_by": None if is_open else "telemetry",
        "needs_reply": False,
        "reopened": 0,
        "version": 1,
    }


def _word(chance: random.Random) -> str:
    return "".join(chance.choice(_SYLLABLES) for _ in range(3))


def _searched(size: Size) -> list[str]:
    """Words of notes, customers and devices, in turn."""
    chance = random.Random(2)  # noqa: S311 - see above
    words: list[str] = []
    while len(words) < size.requests:
        number = chance.randrange(size.devices)
        words += [_word(chance), f"Customer+{number}", device_id(number)]
    return words[: size.requests]
