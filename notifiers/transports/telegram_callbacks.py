"""What Telegram posts to a bot's webhook, and the check that it was Telegram.

Source: core.telegram.org/bots/api: setWebhook (``secret_token``, 1-256 of A-Z a-z 0-9 _ -, comes back in
``X-Telegram-Bot-Api-Secret-Token``), Update, CallbackQuery, ChatMemberUpdated, "Making requests when getting updates"
(a method may stand in the answer). An update is repeated until it is answered with 2xx; ``update_id`` is its identity.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifiers.callbacks import Item, Reading, objects, parse_object, part, text_of
from notifiers.inbound import Blocking, Inbound, Media
from notifiers.link_codes import read_link_code

SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")
_MEDIA = {
    "photo": "photo",
    "document": "document",
    "video": "video",
    "voice": "voice message",
    "audio": "sound",
    "video_note": "video",
    "sticker": "sticker",
    "location": "place",
    "contact": "contact",
}
_GIVEN_OUT = frozenset({"photo", "document", "video", "voice", "audio", "video_note"})
_LET_IN, _SHUT_OUT = frozenset({"member", "creator", "administrator"}), frozenset({"kicked", "left"})


class TelegramCallbacks:
    """Reads one bot's updates."""

    provider = "telegram"

    def __init__(self, secret: str) -> None:
        """``secret``: what setWebhook was given. Raises ValueError, without it, for a short one or odd characters."""
        if not SECRET.fullmatch(secret):
            raise ValueError("notifiers.telegram.secret: write 16 to 256 of A-Z a-z 0-9 _ -")
        self._secret = secret

    def is_genuine(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """See ``CallbackReader``. Telegram signs nothing: the shared secret is all there is."""
        given = headers.get("X-Telegram-Bot-Api-Secret-Token", "")
        return hmac.compare_digest(given.encode(), self._secret.encode())

    def read(self, body: bytes, at: datetime) -> Reading:
        """See ``CallbackReader``."""
        update = parse_object(body)
        number = text_of(update, "update_id")
        if not number:
            return Reading()
        if query := part(update, "callback_query"):
            # Without an answer the button shows that it is busy for a minute.
            response = {"method": "answerCallbackQuery", "callback_query_id": text_of(query, "id")}
            return Reading(_items(_tapped(query, number)), response)
        if message := part(update, "message"):
            return Reading(_items(_written(message, number)))
        if membership := part(update, "my_chat_member"):
            return Reading(_items(_membership(membership)))
        return Reading()

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """See ``CallbackReader``; Telegram asks nothing."""
        return None


def _items(item: Item | None) -> tuple[Item, ...]:
    return () if item is None else (item,)


def _written(message: Mapping[str, Any], number: str) -> Inbound | None:
    chat, sender = text_of(part(message, "chat"), "id"), part(message, "from")
    media = tuple(_media(message, name) for name in _MEDIA if name in message)
    text = text_of(message, "text") or text_of(message, "caption")
    if not chat or sender.get("is_bot") is True or not (text or media):
        return None
    answered = text_of(part(message, "reply_to_message"), "message_id")
    bare_start = text.strip() == "/start"
    return Inbound(
        provider="telegram",
        provider_id=f"update:{number}",
        channel="telegram",
        address=chat,
        text=text,
        media=media,
        # Telegram's own button says /start, which is no consent to anything: who pressed it wants to know what this is.
        keyword="help" if bare_start else None,
        answers=f"{chat}:{answered}" if answered else None,
        link_code=read_link_code(text),
    )


def _media(message: Mapping[str, Any], name: str) -> Media:
    # A photo comes in several sizes, the largest last.
    found = objects(message[name])[-1:] if name == "photo" else (part(message, name),)
    one = found[0] if found else {}
    size = one.get("file_size")
    ref = text_of(one, "file_id") if name in _GIVEN_OUT else ""
    return Media(_MEDIA[name], ref, text_of(one, "file_name"), size if isinstance(size, int) else None)


def _tapped(query: Mapping[str, Any], number: str) -> Inbound | None:
    message, data = part(query, "message"), text_of(query, "data")
    chat, answered = text_of(part(message, "chat"), "id"), text_of(message, "message_id")
    if not chat or not data:
        return None
    rows = part(message, "reply_markup").get("inline_keyboard")
    buttons = [button for row in (rows if isinstance(rows, list) else []) for button in objects(row)]
    label = next((text_of(b, "text") for b in buttons if text_of(b, "callback_data") == data), data)
    return Inbound(
        provider="telegram",
        provider_id=f"update:{number}",
        channel="telegram",
        address=chat,
        text=label,
        keyword=data,
        answers=f"{chat}:{answered}" if answered else None,
    )


def _membership(change: Mapping[str, Any]) -> Blocking | None:
    chat, status = text_of(part(change, "chat"), "id"), text_of(part(change, "new_chat_member"), "status")
    if not chat or status not in _LET_IN | _SHUT_OUT:
        return None
    return Blocking("telegram", "telegram", chat, blocked=status in _SHUT_OUT)
