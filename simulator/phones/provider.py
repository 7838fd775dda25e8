"""What Twilio does with a message once it has accepted it: deliver it, report on it, pass replies on, honour STOP."""

import asyncio
import random
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import structlog

from simulator.phones import twilio_wire as wire
from simulator.phones.clock import Clock, pause
from simulator.phones.inbox import Delivery, Direction, Inbox, Phone, PhoneMessage

log = structlog.get_logger()

SESSION = timedelta(hours=24)
"""After a customer's own message WhatsApp takes free text for so long."""
_SENT_S, _DELIVERED_S, _READ_S = (0.4, 1.5), (1.0, 6.0), (20.0, 120.0)
"""Between two states, shortest and longest, simulated seconds."""
_WEBHOOK_TIMEOUT = aiohttp.ClientTimeout(total=15)
_LONGEST_ANSWER = 65_536
_UNREACHABLE, _UNKNOWN_NUMBER, _NO_WHATSAPP, _OUTSIDE_SESSION, _WEBHOOK_FAILED = 30003, 30005, 63003, 63016, 11200


@dataclass(frozen=True, slots=True)
class _Sent:
    request: wire.SendRequest
    message: PhoneMessage


class Provider:
    """One account at the provider, and its tasks."""

    def __init__(
        self,
        inbox: Inbox,
        account_sid: str,
        auth_token: str,
        inbound_url: str | None,
        clock: Clock,
        templates: Mapping[str, str] | None,
    ) -> None:
        """Make a provider; ``templates``: WhatsApp's approved ones by ContentSid, None: free text is always taken."""
        self._inbox = inbox
        self._account_sid = account_sid
        self._auth_token = auth_token
        self.inbound_url = inbound_url
        self._clock = clock
        self.templates = templates or {}
        self._session_needed = templates is not None
        self._sent: dict[str, _Sent] = {}
        self._opted_out: set[tuple[str, str]] = set()
        self._last_written: dict[tuple[str, str], datetime] = {}
        self._reachable_again: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._http: aiohttp.ClientSession | None = None
        # Receipts come after uneven times, the same in each run.
        self._chance = random.Random(20)  # noqa: S311  (no secret)

    async def start(self) -> None:
        """Open the connections for webhooks."""
        self._http = aiohttp.ClientSession(timeout=_WEBHOOK_TIMEOUT, headers={"User-Agent": "TwilioProxy/1.1"})

    async def stop(self) -> None:
        """End deliveries that are under way and close the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.close()

    def accept(self, request: wire.SendRequest) -> dict[str, Any] | wire.ApiError:
        """Take a message over and begin to deliver it; return its resource, or why it was not taken."""
        if (request.sender, request.to) in self._opted_out and request.channel == "sms":
            return wire.OPTED_OUT
        phone = self._inbox.owner(request.channel, request.to)
        message = PhoneMessage(
            id=wire.new_sid(),
            customer_id=phone.customer.id if phone else None,
            channel=request.channel,
            direction=Direction.IN,
            peer=request.sender,
            text=request.body,
            at=self._clock.now(),
            status=Delivery.QUEUED,
        )
        sent = self._sent[message.id] = _Sent(request, message)
        self._inbox.put(message)
        answer = self.resource(sent)
        self._run(self._deliver(sent, phone))
        return answer

    def find(self, sid: str) -> dict[str, Any] | None:
        """Return the resource of a message that was accepted."""
        sent = self._sent.get(sid)
        return self.resource(sent) if sent else None

    def list(self, to: str | None, sender: str | None, limit: int) -> list[dict[str, Any]]:
        """Return resources, latest first, optionally of one ``To`` and one ``From`` as the API writes them."""
        found = (self.resource(sent) for sent in reversed(self._sent.values()))
        matching = (r for r in found if (to is None or r["to"] == to) and (sender is None or r["from"] == sender))
        return [resource for resource, _ in zip(matching, range(limit), strict=False)]

    def resource(self, sent: _Sent) -> dict[str, Any]:
        """Return the Message resource as it is now."""
        return wire.resource(sent.message, self._account_sid, sent.request.to, sent.request.service)

    def set_reachable(self, customer_id: str, reachable: bool) -> None:
        """Switch a phone's flight mode; what waited for it is delivered when it is back."""
        self._inbox.set_reachable(customer_id, reachable)
        event = self._reachable_again.setdefault(customer_id, asyncio.Event())
        if reachable:
            event.set()
        else:
            event.clear()

    def reply(self, phone: Phone, channel: str, text: str) -> PhoneMessage | None:
        """Send what a customer typed to the number that last wrote to them; None where none did."""
        sender = self._inbox.address(phone.customer.id, channel)
        peer = self._inbox.last_peer(phone.customer.id, channel)
        if sender is None or peer is None:
            return None
        message = PhoneMessage(
            id=wire.new_sid(),
            customer_id=phone.customer.id,
            channel=channel,
            direction=Direction.OUT,
            peer=peer,
            text=text[: wire.LONGEST_BODY],
            at=self._clock.now(),
            status=Delivery.SENT,
        )
        self._inbox.put(message)
        self._last_written[(peer, sender)] = message.at
        self._run(self._pass_on(message, phone, sender))
        return message

    async def _deliver(self, sent: _Sent, phone: Phone | None) -> None:
        request, message = sent.request, sent.message
        await self._report(sent)
        await pause(self._clock, self._chance.uniform(*_SENT_S))
        if self._session_needed and request.channel == "whatsapp" and not request.from_template:
            written = self._last_written.get((request.sender, request.to))
            if written is None or self._clock.now() - written > SESSION:
                await self._advance(sent, Delivery.UNDELIVERED, _OUTSIDE_SESSION)
                return
        await self._advance(sent, Delivery.SENT)
        await pause(self._clock, self._chance.uniform(*_DELIVERED_S))
        if phone is None:
            unknown = _NO_WHATSAPP if request.channel == "whatsapp" else _UNKNOWN_NUMBER
            await self._advance(sent, Delivery.UNDELIVERED, unknown)
            return
        if not await self._wait_for(phone, message.at + timedelta(seconds=request.validity_s)):
            await self._advance(sent, Delivery.UNDELIVERED, _UNREACHABLE)
            return
        await self._advance(sent, Delivery.DELIVERED)
        if request.channel == "whatsapp":
            await pause(self._clock, self._chance.uniform(*_READ_S))
            await self._wait_for(phone, None)
            await self._advance(sent, Delivery.READ)

    async def _wait_for(self, phone: Phone, until: datetime | None) -> bool:
        """Wait for a phone in flight mode; False where ``until`` came first."""
        while not phone.reachable:
            left_s = (until - self._clock.now()).total_seconds() / self._clock.speed if until else None
            try:
                async with asyncio.timeout(left_s):
                    await self._reachable_again[phone.customer.id].wait()
            except TimeoutError:
                return False
        return True

    async def _advance(self, sent: _Sent, status: Delivery, error_code: int | None = None) -> None:
        self._inbox.advance(sent.message, status, self._clock.now(), error_code)
        await self._report(sent)

    async def _report(self, sent: _Sent) -> None:
        """Post a status callback; the next state waits for it, so that they arrive in order."""
        if sent.request.status_callback is not None:
            form = wire.status_form(sent.message, self._account_sid, sent.request.to, sent.request.service)
            await self._post(sent.request.status_callback, form, sent.message.id)

    async def _pass_on(self, message: PhoneMessage, phone: Phone, sender: str) -> None:
        word = wire.keyword(message.text) if message.channel == "sms" else None
        pair = (message.peer, sender)
        if word == "stop":
            self._opted_out.add(pair)
            self._answer(message, wire.STOPPED)
        elif word == "start" and pair in self._opted_out:
            self._opted_out.discard(pair)
            self._answer(message, wire.STARTED)
        # A number without a webhook takes messages all the same.
        answer: str | None = ""
        if self.inbound_url is not None:
            form = wire.inbound_form(message, self._account_sid, sender, phone.customer.name)
            answer = await self._post(self.inbound_url, form, message.id)
        if answer is None:
            self._inbox.advance(message, Delivery.FAILED, self._clock.now(), _WEBHOOK_FAILED)
            return
        self._inbox.advance(message, Delivery.RECEIVED, self._clock.now())
        for text in wire.twiml_messages(answer):
            self._answer(message, text)

    def _answer(self, message: PhoneMessage, text: str) -> None:
        """Put an answer of the provider itself on the phone."""
        now = self._clock.now()
        answer = PhoneMessage(
            id=wire.new_sid(),
            customer_id=message.customer_id,
            channel=message.channel,
            direction=Direction.IN,
            peer=message.peer,
            text=text,
            at=now,
            status=Delivery.DELIVERED,
            changed_at=now,
        )
        self._inbox.put(answer)

    async def _post(self, url: str, form: Mapping[str, str], sid: str) -> str | None:
        """Post a signed form; return the answer's body, None where there was none or it was no success."""
        if self._http is None:
            return None
        headers = {
            "X-Twilio-Signature": wire.sign(self._auth_token, url, form),
            "I-Twilio-Idempotency-Token": str(uuid.uuid4()),
        }
        # Twilio tries a second time where it could not connect, and only then ("Webhooks: connection overrides").
        for attempt in (1, 2):
            try:
                async with self._http.post(url, data=form, headers=headers) as response:
                    if response.status >= 300:
                        log.warning("phones.webhook_refused", sid=sid, status=response.status)
                        return None
                    return (await response.content.read(_LONGEST_ANSWER)).decode("utf-8", "replace")
            except aiohttp.ClientConnectorError as error:
                log.warning("phones.webhook_unreachable", sid=sid, attempt=attempt, error=type(error).__name__)
            except (aiohttp.ClientError, TimeoutError) as error:
                log.warning("phones.webhook_failed", sid=sid, error=type(error).__name__)
                return None
        return None

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
