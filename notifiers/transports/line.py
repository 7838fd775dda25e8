"""LINE by its Messaging API.

Source: developers.line.biz, Messaging API reference ("Send push message", "Rate limits", "Error responses") and
"Retry failed API requests": a request with ``X-Line-Retry-Key`` is carried out once, however often it is made within 24
hours, and a repeat is answered with 409. LINE answers 200 even where the user has blocked the account, and reports no
delivery.
"""

import re
import uuid
from typing import Any

import orjson

from notifiers.callbacks import objects
from notifiers.errors import Because, NotifierError, TryLater, Undeliverable, Unwritten
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from notifiers.transports.http import Answer, HttpClient, refusal
from notifiers.transports.lifetime import seconds_left

_USER = re.compile(r"[UCR][0-9a-f]{32}")
_LONGEST_TEXT = 5000
_MOST_BUTTONS = 13
_LONGEST_LABEL = 20
_QUOTA_WAIT_S = 3600.0
_KEYS = uuid.UUID("6f2f0c5e-8f0b-5a52-9f5e-0d0c9a1b7e44")
"""Namespace of our retry keys; any that stays the same will do."""


class LineTransport:
    """Pushes as one official account to the users who added it."""

    name = "line"
    repeatable = True
    per_second = 200.0
    """Of the 2,000 a second that LINE takes (Messaging API reference, "Rate limits")."""
    channels = frozenset({"line"})
    reports: frozenset[SendState] = frozenset()

    def __init__(self, token: str, *, base_url: str = "https://api.line.me", timeout_s: float = 20.0) -> None:
        """Write with a channel access ``token``. Raises ValueError, without it, where it cannot stand in a header."""
        if not token.isascii() or not token.isprintable() or " " in token or len(token) < 20:
            raise ValueError("notifiers.line.token: is no channel access token; see the LINE Developers Console")
        self._url = f"{base_url.rstrip('/')}/v2/bot/message/push"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._http = HttpClient(self.name, timeout_s)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; see ``Transport.send``."""
        seconds_left(self.name, outgoing)
        headers = {**self._headers, "X-Line-Retry-Key": retry_key(outgoing.key)}
        answer = await self._http.post(self._url, orjson.dumps(_push(outgoing)), headers)
        if 200 <= answer.status < 300 or _accepted_before(answer):
            return Accepted(self.name, _id_of(answer, outgoing), detail=f"http_{answer.status}")
        raise _refusal(answer)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def retry_key(key: str) -> str:
    """Return the ``X-Line-Retry-Key`` of an outbox row, the same for each attempt."""
    return str(uuid.uuid5(_KEYS, key))


def _push(outgoing: Outgoing) -> dict[str, Any]:
    if not _USER.fullmatch(outgoing.address):
        raise Unwritten(LineTransport.name, "to", "is no LINE user id (U and 32 digits)", Because.ADDRESS)
    # LINE counts UTF-16 code units.
    if len(outgoing.rendered.text.encode("utf-16-le")) // 2 > _LONGEST_TEXT:
        raise Unwritten(LineTransport.name, "too_long", "the text is longer than 5,000 characters")
    message: dict[str, Any] = {"type": "text", "text": outgoing.rendered.text}
    if outgoing.rendered.buttons:
        items = [
            {
                "type": "action",
                # The id comes back with its label, since LINE's event repeats the data alone.
                "action": {
                    "type": "postback",
                    "label": button.label[:_LONGEST_LABEL],
                    "data": f"{button.id} {button.label}",
                    "displayText": button.label,
                },
            }
            for button in outgoing.rendered.buttons[:_MOST_BUTTONS]
        ]
        message["quickReply"] = {"items": items}
    return {"to": outgoing.address, "messages": [message]}


def _accepted_before(answer: Answer) -> bool:
    """409 says so, with the id of the request that was accepted then; without it it is another conflict."""
    return answer.status == 409 and bool(answer.headers.get("X-Line-Accepted-Request-Id"))


def _id_of(answer: Answer, outgoing: Outgoing) -> str:
    sent = answer.json().get("sentMessages")
    first = sent[0] if isinstance(sent, list) and sent and isinstance(sent[0], dict) else {}
    number = first.get("id")
    # An answer without ids is still an acceptance: no receipt will ever ask for one.
    return number if isinstance(number, str) and number else retry_key(outgoing.key)


def _refusal(answer: Answer) -> NotifierError:
    name, said = LineTransport.name, answer.json()
    properties = {one.get("property") for one in objects(said.get("details"))}
    words = str(said.get("message", "")).casefold()
    if answer.status == 400 and ("to" in properties or "'to'" in words):
        advice = "there is no such user for this account; ask the customer to link LINE again"
        return Undeliverable(name, "400", advice, Because.ADDRESS)
    if answer.status == 429 and "monthly limit" in words:
        advice = "the account's messages of this month are used up; raise its plan in the LINE Official Account Manager"
        return TryLater(name, "quota", advice, _QUOTA_WAIT_S)
    return refusal(name, answer)
