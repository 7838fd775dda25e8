"""Telegram by its Bot API.

Source: core.telegram.org/bots/api (sendMessage, InlineKeyboardMarkup, ResponseParameters, "Making requests": an error
answers ``{"ok": false, "error_code", "description", "parameters"}``) and /bots/faq (limits). The API takes no
idempotency key and reports neither delivery nor reading. Only the customer can begin: see ``notifiers.link_codes``.
"""

import re
from typing import Any

import orjson

from notifiers.errors import Because, NotifierError, TryLater, Undeliverable, Unknown, Unwritten
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from notifiers.transports.http import Answer, HttpClient, refusal
from notifiers.transports.lifetime import seconds_left

TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{30,100}")
_CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{4,64}")
_LONGEST_TEXT = 4096
_LONGEST_WAIT_S = 86_400.0
_SETTINGS_WAIT_S = 300.0
_GONE = ("chat not found", "user is deactivated", "peer_id_invalid", "group chat was deleted", "bot was kicked")
_BLOCKED = ("bot was blocked by the user",)


class TelegramTransport:
    """Writes as one bot to the chats that its customers began."""

    name = "telegram"
    repeatable = False
    per_second = 25.0
    """Telegram takes some 30 a second from one bot (core.telegram.org/bots/faq)."""
    channels = frozenset({"telegram"})
    reports: frozenset[SendState] = frozenset()

    def __init__(self, token: str, *, base_url: str = "https://api.telegram.org", timeout_s: float = 20.0) -> None:
        """Write as the bot whose ``token`` BotFather gave. Raises ValueError, without the token, for another form."""
        if not TOKEN.fullmatch(token):
            raise ValueError("notifiers.telegram.token: is not of the form 123456:ABC…, as BotFather gives it")
        # The token is part of the path: this URL must never reach a log (``HttpClient`` keeps it to itself).
        self._url = f"{base_url.rstrip('/')}/bot{token}/sendMessage"
        self._http = HttpClient(self.name, timeout_s)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; see ``Transport.send``."""
        seconds_left(self.name, outgoing)
        answer = await self._http.post(self._url, orjson.dumps(_message(outgoing)), _JSON)
        if answer.status != 200:
            raise _refusal(answer)
        result = answer.json().get("result")
        number = result.get("message_id") if isinstance(result, dict) else None
        if not isinstance(number, int):
            raise Unknown(self.name, "no_id", "it accepted the message and named no id; look into the chat")
        return Accepted(self.name, f"{outgoing.address}:{number}")

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


_JSON = {"Content-Type": "application/json", "Accept": "application/json"}


def _message(outgoing: Outgoing) -> dict[str, Any]:
    if not _CHAT.fullmatch(outgoing.address):
        raise Unwritten(TelegramTransport.name, "chat_id", "is no Telegram chat id", Because.ADDRESS)
    if len(outgoing.rendered.text.encode("utf-16-le")) // 2 > _LONGEST_TEXT:
        raise Unwritten(TelegramTransport.name, "too_long", "the text is longer than 4,096 characters")
    message: dict[str, Any] = {
        "chat_id": outgoing.address,
        "text": outgoing.rendered.text,
        # No parse_mode: whatever a customer named a product, it is shown as written.
        "link_preview_options": {"is_disabled": True},
    }
    if outgoing.rendered.buttons:
        keyboard = [[{"text": b.label, "callback_data": b.id}] for b in outgoing.rendered.buttons]
        message["reply_markup"] = {"inline_keyboard": keyboard}
    return message


def _refusal(answer: Answer) -> NotifierError:
    """Tell refusals apart; Telegram's words are only looked at, never passed on."""
    name = TelegramTransport.name
    said = answer.json()
    code = str(said["error_code"]) if isinstance(said.get("error_code"), int) else f"http_{answer.status}"
    words = str(said.get("description", "")).casefold()
    parameters = said.get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if answer.status == 429:
        wait_s = min(float(wait), _LONGEST_WAIT_S) if isinstance(wait, int) and wait >= 0 else None
        return TryLater(name, code, "it asks for fewer messages", wait_s)
    if answer.status in (401, 404):
        # 404 for the whole path: there is no such bot.
        advice = "it does not know our token; check notifiers.telegram.token"
        return TryLater(name, code, advice, _SETTINGS_WAIT_S)
    if any(sign in words for sign in _BLOCKED):
        advice = "the customer has blocked the bot"
        return Undeliverable(name, code, advice, Because.OPTED_OUT)
    if any(sign in words for sign in _GONE):
        advice = "there is no such chat (any more); ask the customer to link it again"
        return Undeliverable(name, code, advice, Because.ADDRESS)
    if answer.status == 403:
        advice = "the bot may not write to this chat: the customer has to begin it"
        return Undeliverable(name, code, advice, Because.ADDRESS)
    return refusal(name, answer, code)
