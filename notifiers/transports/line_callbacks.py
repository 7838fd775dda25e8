"""What LINE posts to a channel's webhook, and the check that it was LINE.

Source: developers.line.biz, "Receive messages (webhook)" and "Webhook event objects": ``X-Line-Signature`` is the
base64 of HMAC-SHA256 over the raw body, keyed with the channel secret; ``webhookEventId`` names an event, also where
it is delivered again. The console's "Verify" posts no events.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from notifiers.callbacks import Item, Reading, objects, parse_object, part, text_of
from notifiers.inbound import Blocking, Inbound, Media
from notifiers.link_codes import read_link_code


def signature(secret: str, body: bytes) -> str:
    """Compute ``X-Line-Signature``."""
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


class LineCallbacks:
    """Reads one channel's events."""

    provider = "line"

    def __init__(self, secret: str) -> None:
        """``secret``: the channel's. Raises ValueError where there is none."""
        if len(secret) < 16:
            raise ValueError("notifiers.line.secret: is no channel secret; see the LINE Developers Console")
        self._secret = secret

    def is_genuine(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """See ``CallbackReader``."""
        return hmac.compare_digest(signature(self._secret, body).encode(), headers.get("X-Line-Signature", "").encode())

    def read(self, body: bytes, at: datetime) -> Reading:
        """See ``CallbackReader``."""
        events = objects(parse_object(body).get("events"))
        return Reading(tuple(item for event in events if (item := _item(event)) is not None))

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """See ``CallbackReader``; LINE asks nothing."""
        return None


def _item(event: Mapping[str, Any]) -> Item | None:
    user, event_id = text_of(part(event, "source"), "userId"), text_of(event, "webhookEventId")
    if not user or not event_id:
        return None
    match text_of(event, "type"):
        case "message":
            return _written(part(event, "message"), user, event_id)
        case "postback":
            id_, _, label = text_of(part(event, "postback"), "data").partition(" ")
            return Inbound("line", event_id, "line", user, text=label or id_, keyword=id_) if id_ else None
        case "follow":
            return Blocking("line", "line", user, blocked=False)
        case "unfollow":
            return Blocking("line", "line", user, blocked=True)
        case _:
            return None


def _written(message: Mapping[str, Any], user: str, event_id: str) -> Inbound:
    text = text_of(message, "text") if text_of(message, "type") == "text" else ""
    return Inbound(
        provider="line",
        provider_id=event_id,
        channel="line",
        address=user,
        text=text,
        media=() if text else (_media(message),),
        answers=text_of(message, "quotedMessageId") or None,
        link_code=read_link_code(text),
    )


_KINDS = {"image": "photo", "audio": "voice message", "file": "document", "location": "place"}
_GIVEN_OUT = frozenset({"image", "video", "audio", "file"})


def _media(message: Mapping[str, Any]) -> Media:
    kind, size = text_of(message, "type"), message.get("fileSize")
    # What lies elsewhere ("external") LINE does not give out.
    there = kind in _GIVEN_OUT and text_of(part(message, "contentProvider"), "type") in ("", "line")
    ref = text_of(message, "id") if there else ""
    return Media(_KINDS.get(kind, kind), ref, text_of(message, "fileName"), size if isinstance(size, int) else None)
