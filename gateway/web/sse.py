"""Live updates: one subscription to the feed, fanned out to every open page as server-sent events.

Thousands of devices may change in a second and hundreds of pages be open. So changes are gathered here, once for all
pages, and a page hears only of what it asked for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set

import orjson
import structlog
from aiohttp import web

from gateway.ending import end
from gateway.web.access import identify
from gateway.web.deps import Live

COALESCE_S = 0.25
"""Changes within this time travel together: a page redraws four times a second at most."""
TOLD_AT_ONCE = 20
"""Pages written to in one round of the event loop: about 2 ms."""
PING_S = 15.0
"""Shorter than proxies' idle time-outs; also how a page that went away is noticed."""
LISTED_AT_MOST = 200
"""Beyond so many changes at once a page is told to look at everything again."""

Changes = Mapping[str, Set[str]]
"""Ids that changed, by kind; ``*``: any of them may have."""

log = structlog.get_logger()


class Listener:
    """One open page: what it wants to hear of, and what it has not been told yet."""

    def __init__(self, wants: Changes, *, everything_else: bool) -> None:
        """``wants``: the ids that matter to it, by kind; of kinds not named it hears all, or nothing."""
        self._wants = wants
        self._everything_else = everything_else
        self._changed: dict[str, set[str]] = {}
        self.wake = asyncio.Event()

    def hear(self, changes: Changes) -> None:
        """Keep what matters to it until it is told."""
        for kind, ids in changes.items():
            wanted = self._wants.get(kind)
            mine = ids if "*" in ids or (wanted is None and self._everything_else) else ids & (wanted or frozenset())
            if mine:
                self._changed.setdefault(kind, set()).update(mine)
                self.wake.set()

    def take(self) -> dict[str, list[str]]:
        """Return the ids that changed, by kind, and forget them."""
        taken = {kind: sorted(ids) if len(ids) <= LISTED_AT_MOST else ["*"] for kind, ids in self._changed.items()}
        self._changed.clear()
        self.wake.clear()
        return taken


class Hub:
    """Reads the feed once, gathers what comes within a moment, and tells every listener."""

    def __init__(self, live: Live) -> None:
        """Fan ``live`` out."""
        self._live = live
        self._listeners: set[Listener] = set()
        self._gathered: dict[str, set[str]] = {}
        self.closing = False

    @property
    def listeners(self) -> int:
        """How many pages are open."""
        return len(self._listeners)

    async def run(self) -> None:
        """Read the feed until cancelled."""
        loop = asyncio.get_running_loop()
        async for changes in self._live.subscribe():
            if not self._gathered:
                loop.call_later(COALESCE_S, self._tell)
            for change in changes:
                self._gathered.setdefault(str(change.get("kind", "")), set()).add(str(change.get("id", "")))

    def _tell(self) -> None:
        gathered, self._gathered = self._gathered, {}
        self._tell_some(gathered, list(self._listeners))

    def _tell_some(self, gathered: Changes, listeners: Sequence[Listener]) -> None:
        """Tell some, and the rest in the loop's next round: between the two it answers whoever asks for a page."""
        for listener in listeners[:TOLD_AT_ONCE]:
            listener.hear(gathered)
        if rest := listeners[TOLD_AT_ONCE:]:
            asyncio.get_running_loop().call_soon(self._tell_some, gathered, rest)

    def join(self, wants: Changes, *, everything_else: bool) -> Listener:
        """Begin listening; see ``Listener``."""
        listener = Listener(wants, everything_else=everything_else)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Stop listening."""
        self._listeners.discard(listener)

    def close(self) -> None:
        """Let every page go, so that a shutdown need not wait for them."""
        self.closing = True
        for listener in self._listeners:
            listener.wake.set()


HUB = web.AppKey("hub", Hub)


async def run_hub(app: web.Application) -> AsyncIterator[None]:
    """Keep the hub reading for as long as the application runs."""
    task = asyncio.create_task(app[HUB].run(), name="web-live")
    yield
    await end(task)
    if not task.cancelled() and (error := task.exception()):
        log.error("live.stopped", error=repr(error))


async def close_hub(app: web.Application) -> None:
    """Let the open pages go before the server waits for them."""
    app[HUB].close()


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /live: ``change`` events, each ``{kind: [id, …]}``; ``["*"]`` means look at all of that kind again.

    Devices change with every message, so a page hears of those alone that it names: ``?device=ID``, repeatable.
    """

    async def still_logged_in() -> bool:
        return await identify(request) is not None

    wants = {"device": frozenset(request.query.getall("device", ()))}
    return await serve(request, wants, everything_else=True, still=still_logged_in)


async def serve(
    request: web.Request,
    wants: Changes,
    *,
    everything_else: bool,
    still: Callable[[], Awaitable[bool]],
    retry_ms: int = 2000,
    named: bool = True,
) -> web.StreamResponse:
    """Stream what a page wants to hear of, until it leaves, may no longer hear it, or the gateway stops.

    Args:
        request: The page's.
        wants: See ``Listener``.
        everything_else: Likewise.
        still: Whether whoever listens may go on; asked each PING_S.
        retry_ms: After how long a browser that lost the stream comes back.
        named: Whether the page is told what changed, or only that something did.
    """
    hub = request.app[HUB]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    listener = hub.join(wants, everything_else=everything_else)
    try:
        await response.write(f"retry: {retry_ms}\n\n".encode())
        loop = asyncio.get_running_loop()
        ask_at = loop.time() + PING_S
        while not hub.closing:
            try:
                async with asyncio.timeout_at(ask_at):
                    await listener.wake.wait()
            except TimeoutError:
                await response.write(b": still here\n\n")
            if changed := listener.take():
                await response.write(b"event: change\ndata: " + (orjson.dumps(changed) if named else b"1") + b"\n\n")
            if loop.time() >= ask_at:
                if not await still():
                    break
                ask_at = loop.time() + PING_S
    except ConnectionResetError:
        log.debug("live.page_left")
    finally:
        hub.leave(listener)
    return response
