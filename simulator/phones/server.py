"""The server of the demo's phones: provider API, mail server, and the page that shows them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from aiohttp import web

from device_models.event import rfc3339
from device_models.registry import Customer
from simulator.phones.api import MessagesApi
from simulator.phones.clock import Clock
from simulator.phones.inbox import Inbox
from simulator.phones.mail import MailSink
from simulator.phones.provider import Provider

_FILES = {"phones.js": "text/javascript", "phones.css": "text/css", "words.js": "text/javascript"}
_TICK_S = 5.0
"""Real seconds between two statements of the time, which also keep the connection alive."""
_SLOWEST_LISTENER = 2_000
"""Events a browser may lag behind before it is cut off and begins anew with a snapshot."""
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'"
)
# A mail is somebody's HTML: it may be styled and open links in new tabs, and nothing else.
_MAIL_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)


@dataclass(frozen=True, slots=True)
class PhonesAddresses:
    """Where the servers listen."""

    http_url: str
    """The page, and the transport's ``base_url``."""
    smtp_url: str
    """For ``[notifiers.email] url``."""


class PhonesServer:
    """Customers' phones, reached as in production: Twilio's API and SMTP."""

    def __init__(
        self,
        customers: Sequence[Customer],
        account_sid: str,
        auth_token: str,
        inbound_url: str | None,
        clock: Clock,
        *,
        company: str = "Support",
        whatsapp_templates: Mapping[str, str] | None = None,
    ) -> None:
        """Give each customer a phone.

        Args:
            customers: their numbers and mailboxes are the only ones there are.
            account_sid: what the gateway logs in as (AC…).
            auth_token: its token, which also signs what is posted to the gateway.
            inbound_url: where replies are posted, the exact URL that the gateway verifies; None: nowhere. May be
                set later by ``set_inbound_url``.
            clock: simulated time, by which messages travel and phones show the hour.
            company: how customers have saved the company's number.
            whatsapp_templates: approved templates by ContentSid, ``{{1}}`` for the first variable. Given, free text on
                WhatsApp needs a customer's message within 24 hours (63016); None: it is always taken.
        """
        self._clock = clock
        self._company = company
        self._inbox = Inbox.of(customers)
        self._provider = Provider(self._inbox, account_sid, auth_token, inbound_url, clock, whatsapp_templates)
        self._api = MessagesApi(self._provider, account_sid, auth_token)
        self._mail = MailSink(self._inbox, clock)
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._runner: web.AppRunner | None = None
        self._smtp: asyncio.Server | None = None
        static = resources.files("simulator.phones") / "static"
        self._page = (static / "index.html").read_bytes()
        self._files = {name: (static / name).read_bytes() for name in _FILES}

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> PhonesAddresses:
        """Listen on ``host``: HTTP on ``port`` (0: any free one), SMTP on any free one.

        Raises OSError where it cannot.
        """
        await self._provider.start()
        self._inbox.listeners.append(self._publish)
        app = web.Application(client_max_size=256 * 1024)
        app.add_routes(self._api.routes)
        app.add_routes(
            [
                web.get("/", self._show_page),
                web.get("/static/{name}", self._show_file),
                web.get("/events", self._stream),
                web.get("/mails/{id}", self._show_mail),
                web.post("/phones/{customer}/replies", self._reply),
                web.post("/phones/{customer}/reachable", self._set_reachable),
            ]
        )
        runner = self._runner = web.AppRunner(app, shutdown_timeout=1.0, access_log=None)
        try:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            self._smtp = await asyncio.get_running_loop().create_server(self._mail.protocol, host, 0)
        except OSError:
            await self.stop()
            raise
        http_port = runner.addresses[0][1]
        smtp_port = self._smtp.sockets[0].getsockname()[1]
        name = f"[{host}]" if ":" in host else host
        return PhonesAddresses(f"http://{name}:{http_port}", f"smtp://{name}:{smtp_port}")

    async def stop(self) -> None:
        """Close all connections; deliveries under way end."""
        for queue in self._listeners:
            queue.put_nowait(None)
        if self._smtp is not None:
            self._smtp.close()
        await self._provider.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def set_inbound_url(self, url: str) -> None:
        """Tell where replies are posted, once the gateway's own address is known."""
        self._provider.inbound_url = url

    def messages(self) -> list[dict[str, Any]]:
        """Return every message, oldest first.

        Keys: ``id``, ``customer_id`` (None: nobody's number), ``channel`` (sms|whatsapp|email), ``direction`` (in|out,
        seen from the phone), ``peer``, ``subject``, ``text``, ``has_html``, ``at``, ``status`` (Twilio's words),
        ``changed_at``, ``error_code``, ``on_phone`` (for ``in``: it was delivered).
        """
        return [message.as_dict() for message in self._inbox.messages.values()]

    async def _show_page(self, _request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": _CSP, "Referrer-Policy": "no-referrer"}
        return web.Response(body=self._page, content_type="text/html", charset="utf-8", headers=headers)

    async def _show_file(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._files:
            raise web.HTTPNotFound
        headers = {"Cache-Control": "no-cache"}
        return web.Response(body=self._files[name], content_type=_FILES[name], charset="utf-8", headers=headers)

    async def _show_mail(self, request: web.Request) -> web.Response:
        message = self._inbox.messages.get(request.match_info["id"])
        if message is None or message.html is None:
            raise web.HTTPNotFound
        # Links of the mail open beside the phones instead of in the small frame.
        body = f'<!doctype html><base target="_blank">{message.html}'
        headers = {"Content-Security-Policy": _MAIL_CSP, "Referrer-Policy": "no-referrer"}
        return web.Response(text=body, content_type="text/html", headers=headers)

    async def _reply(self, request: web.Request) -> web.Response:
        data = await self._json(request)
        phone = self._inbox.phones.get(request.match_info["customer"])
        channel, text = data.get("channel"), data.get("text")
        if phone is None or channel not in ("sms", "whatsapp") or not isinstance(text, str) or not text.strip():
            raise web.HTTPBadRequest(text="a reply has a channel, sms or whatsapp, and a text")
        if not phone.reachable:
            raise web.HTTPConflict(text="this phone is in flight mode")
        message = self._provider.reply(phone, channel, text.strip())
        if message is None:
            raise web.HTTPConflict(text="nobody has written to this phone on that channel yet")
        return web.json_response(message.as_dict(), status=202)

    async def _set_reachable(self, request: web.Request) -> web.Response:
        data = await self._json(request)
        customer = request.match_info["customer"]
        if customer not in self._inbox.phones or not isinstance(data.get("reachable"), bool):
            raise web.HTTPBadRequest(text="reachable is true or false")
        self._provider.set_reachable(customer, data["reachable"])
        return web.json_response(self._inbox.phones[customer].as_dict())

    async def _json(self, request: web.Request) -> dict[str, Any]:
        # JSON alone: a form of another site could be posted here without its visitor's knowledge, JSON could not.
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        try:
            data = await request.json()
        except ValueError as error:
            raise web.HTTPBadRequest(text="the body is no JSON") from error
        return data if isinstance(data, dict) else {}

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Send a snapshot, then changes as they come (server-sent events)."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            phones = [phone.as_dict() for phone in self._inbox.phones.values()]
            snapshot = {
                "clock": self._time(),
                "company": self._company,
                "phones": phones,
                "messages": self.messages(),
            }
            await response.write(_event("snapshot", snapshot))
            while queue.qsize() < _SLOWEST_LISTENER:
                try:
                    async with asyncio.timeout(_TICK_S):
                        event = await queue.get()
                except TimeoutError:
                    event = _event("clock", self._time())
                if event is None:
                    break
                await response.write(event)
        except ConnectionResetError:
            pass  # The browser left.
        finally:
            self._listeners.discard(queue)
        return response

    def _time(self) -> dict[str, Any]:
        return {"now": rfc3339(self._clock.now()), "speed": self._clock.speed}

    def _publish(self, name: str, data: dict[str, Any]) -> None:
        event = _event(name, data)
        for queue in self._listeners:
            queue.put_nowait(event)


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
