"""One POST to a provider, with every way it can go wrong told apart by whether the provider may have acted on it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson

from notifiers.errors import NotifierError, TryLater, Undeliverable, Unknown

_MOST_BODY = 65_536
_LONGEST_WAIT_S = 86_400.0
_SETTINGS_WAIT_S = 300.0
"""After refused credentials: long enough not to be locked out, short enough to notice they were mended."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A provider's whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the JSON object of the body, empty where it is none."""
        try:
            data = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return data if isinstance(data, dict) else {}


class HttpClient:
    """Posts for one transport over kept connections."""

    def __init__(self, provider: str, timeout_s: float = 20.0) -> None:
        """``timeout_s`` bounds connecting and each wait for the answer."""
        self.provider = provider
        self._timeout = aiohttp.ClientTimeout(total=None, connect=timeout_s, sock_read=timeout_s)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST once; see ``request``."""
        return await self.request("POST", url, body, headers)

    async def request(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Ask once and return the answer, whatever its status.

        Raises:
            TryLater: no connection came about, so nothing was written.
            Unknown: the connection stood, and no whole answer came.
        """
        return await self._ask(method, url, body, headers, _bounded)

    async def fetch(self, url: str, headers: Mapping[str, str], most: int, within_s: float) -> Answer:
        """GET a file once. Of a larger one than ``most`` bytes one byte more is kept, and the rest is not read.

        Raises TryLater, Unknown as ``request``, and where it is not whole ``within_s``; GET may be made again.
        """

        async def read(content: aiohttp.StreamReader) -> bytes:
            kept = bytearray()
            while len(kept) <= most and (chunk := await content.readany()):
                kept += chunk
            return bytes(kept[: most + 1])

        try:
            async with asyncio.timeout(within_s):
                return await self._ask("GET", url, b"", headers, read)
        except TimeoutError:
            raise self._unknown("too_slow", f"the file did not come within {within_s:.0f} s") from None

    async def _ask(
        self,
        method: str,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        read: Callable[[aiohttp.StreamReader], Awaitable[bytes]],
    ) -> Answer:
        # The library's own errors hold the URL, and with it perhaps a secret: they end here (`from None`).
        try:
            async with self._open().request(
                method, url, data=body or None, headers=headers, allow_redirects=False
            ) as response:
                return Answer(response.status, response.headers, await read(response.content))
        except aiohttp.ClientConnectorCertificateError:
            raise self._later("tls", "its certificate is not trusted; check the URL and this machine's CA") from None
        except aiohttp.ClientConnectorDNSError:
            raise self._later("dns", "its host name does not resolve; check the URL and the network") from None
        except aiohttp.ClientConnectorError:
            raise self._later("connect", "it takes no connection; check that it is up") from None
        except aiohttp.ConnectionTimeoutError:
            raise self._later("connect_timeout", "no connection in time; check the network") from None
        except TimeoutError:
            raise self._unknown("read_timeout", "the request was written and no answer came in time") from None
        except aiohttp.ClientError:
            raise self._unknown("disconnected", "the connection broke before the answer was whole") from None

    async def close(self) -> None:
        """Close kept connections."""
        if self._session is not None:
            await self._session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A server that drops an idle connection just as we write on it leaves us not knowing: keep them briefly.
            connector = aiohttp.TCPConnector(keepalive_timeout=10)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
            # aiohttp sends PUT and DELETE a second time by itself when the connection breaks, and no public way says
            # no: whether to repeat is for those to decide who look first. A test fails should this stop working.
            self._session._retry_connection = False
        return self._session

    def _later(self, code: str, advice: str) -> TryLater:
        return TryLater(self.provider, code, advice)

    def _unknown(self, code: str, advice: str) -> Unknown:
        return Unknown(self.provider, code, advice)


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    """Read to the end, keeping no more than is worth looking at."""
    kept = bytearray()
    while chunk := await content.readany():
        kept += chunk[: _MOST_BODY - len(kept)]
    return bytes(kept)


def refusal(provider: str, answer: Answer, code: str = "") -> NotifierError:
    """Say what an answer that is no 2xx means, by its status alone.

    ``code`` is the provider's own where it gave one. 503 says it took nothing on; any other 5xx may have come
    after the message went on its way, and asks for a look before another try (RFC 9110 §15.6).
    """
    status = answer.status
    code = code or f"http_{status}"
    if status in (408, 425, 429, 503):
        advice = "it is overloaded or asks for fewer messages"
        return TryLater(provider, code, advice, retry_after_s(answer.headers))
    if status in (401, 403):
        wait_s = retry_after_s(answer.headers) or _SETTINGS_WAIT_S
        return TryLater(provider, code, "it refused our credentials; check its settings", wait_s)
    if status >= 500:
        return Unknown(provider, code, "it failed after the message was written; look there before sending again")
    if 300 <= status < 400:
        return Undeliverable(provider, code, "it answers from another URL; set that one")
    return Undeliverable(provider, code, "it refused the message")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After, seconds or a date (RFC 9110 §10.2.3), as seconds from 0 to a day.

    A date counts from the answer's own Date: the provider's clock need not agree with ours.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return min(float(value), _LONGEST_WAIT_S)
    until, since = _http_date(value), _http_date(headers.get("Date", ""))
    if until is None or since is None:
        return None
    return min(max((until - since).total_seconds(), 0.0), _LONGEST_WAIT_S)


def _http_date(value: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(value)
    except ValueError:
        return None
    # "-0000" parses as naive (RFC 5322 §3.3), and naive and aware do not subtract.
    return parsed if parsed.tzinfo is not None else None
