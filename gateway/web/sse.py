"""Live updates: one subscription to the feed, fanned out to every open page as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import orjson
import structlog
from aiohttp import web

from gateway.web.deps import Live

COALESCE_S = 0.25
"""Changes within this time travel together: a page redraws four times a second at most."""
PING_S = 15.0
"""Shorter than proxies' idle time-outs; also how a page that went away is noticed."""
LISTED_AT_MOST = 200
"""Beyond so many changes at once a page is told to look at everything again."""

log = structlog.get_logger()


class Listener:
    """What one open page has not been told yet."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.changed: dict[str, set[str]] = {}
        self.wake = asyncio.Event()

    def take(self) -> dict[str, list[str]]:
        """Return the ids that changed, by kind, and forget them."""
        taken = {kind: sorted(ids) if len(ids) <= LISTED_AT_MOST else ["*"] for kind, ids in self.changed.items()}
        self.changed.clear()
        self.wake.clear()
        return taken


class Hub:
    """Reads the feed once and tells every listener."""

    def __init__(self, live: Live) -> None:
        """Fan ``live`` out."""
        self._live = live
        self._listeners: set[Listener] = set()
        self.closing = False

    @property
    def listeners(self) -> int:
        """How many pages are open."""
        return len(self._listeners)

    async def run(self) -> None:
        """Read the feed until cancelled."""
        async for change in self._live.subscribe():
            kind, changed = str(change.get("kind", "")), str(change.get("id", ""))
            for listener in self._listeners:
                listener.changed.setdefault(kind, set()).add(changed)
                listener.wake.set()

    def join(self) -> Listener:
        """Begin listening."""
        listener = Listener()
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
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, Exception):
        log.error("live.stopped", error=repr(outcome))


async def close_hub(app: web.Application) -> None:
    """Let the open pages go before the server waits for them."""
    app[HUB].close()


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /live: ``change`` events, each ``{kind: [id, …]}``; ``["*"]`` means look at all of that kind again."""
    return await tell(request, orjson.dumps, retry_ms=2000)


async def tell(
    request: web.Request, words: Callable[[Mapping[str, list[str]]], bytes | None], retry_ms: int
) -> web.StreamResponse:
    """Stream to one open page until it goes or we do: ``words`` of what changed, or None where it is not for it.

    A page that lost us asks again after ``retry_ms``. Source: WHATWG HTML, server-sent events.
    """
    hub = request.app[HUB]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    listener = hub.join()
    try:
        await response.write(b"retry: %d\n\n" % retry_ms)
        while not hub.closing:
            try:
                await asyncio.wait_for(listener.wake.wait(), PING_S)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            await asyncio.sleep(COALESCE_S)
            data = words(listener.take())
            if data is not None:
                await response.write(b"event: change\ndata: " + data + b"\n\n")
    except ConnectionResetError:
        log.debug("live.page_left")
    finally:
        hub.leave(listener)
    return response
