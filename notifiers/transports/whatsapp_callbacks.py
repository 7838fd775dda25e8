"""What Meta posts to a WhatsApp app's webhook, and the check that it was Meta.

Source: developers.facebook.com, "Webhooks: getting started" (GET ``hub.mode``, ``hub.verify_token``, ``hub.challenge``;
``X-Hub-Signature-256: sha256=`` and the hex of HMAC-SHA256 over the raw body, keyed with the app secret) and WhatsApp's
"messages webhook reference" and "status messages webhook reference" (``pricing``). Posts come at
least once, in any order, several things in one.
"""

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from device_models.purpose import Purpose
from notifiers.callbacks import Item, Reading, objects, parse_object, part, text_of
from notifiers.errors import Because
from notifiers.inbound import Blocking, Inbound, Media
from notifiers.link_codes import read_link_code
from notifiers.receipts import Receipt, SendState
from notifiers.transports.whatsapp_errors import because

_PROVIDER = "whatsapp_cloud"
_STATES = {
    "sent": SendState.ACCEPTED,
    "delivered": SendState.DELIVERED,
    "read": SendState.READ,
    "failed": SendState.FAILED,
}
_MARKETING = frozenset({Purpose.OFFER, Purpose.NEWS})


_KINDS = {"image": "photo", "audio": "voice message"}


def signature(secret: str, body: bytes) -> str:
    """Compute ``X-Hub-Signature-256``."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class WhatsAppCallbacks:
    """Reads what comes for one sender."""

    provider = _PROVIDER

    def __init__(self, app_secret: str, verify_token: str, phone_number_id: str) -> None:
        """Read what comes for one number.

        Args:
            app_secret: signs what Meta posts.
            verify_token: what Meta's GET must bring; a word of our own.
            phone_number_id: our sender; what comes for another number of the same app is left out.
        Raises ValueError where one is empty.
        """
        if len(app_secret) < 16:
            raise ValueError("notifiers.whatsapp.app_secret: is no app secret; see App settings, Basic")
        if len(verify_token) < 8:
            raise ValueError("notifiers.whatsapp.verify_token: make up a word of 8 characters or more")
        self._secret, self._token, self._sender = app_secret, verify_token, phone_number_id

    def is_genuine(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """See ``CallbackReader``."""
        given = headers.get("X-Hub-Signature-256", "")
        return hmac.compare_digest(signature(self._secret, body).encode(), given.encode())

    def read(self, body: bytes, at: datetime) -> Reading:
        """See ``CallbackReader``."""
        return Reading(tuple(self._items(parse_object(body), at)))

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """See ``CallbackReader``."""
        known = hmac.compare_digest(query.get("hub.verify_token", "").encode(), self._token.encode())
        return query.get("hub.challenge") if known and query.get("hub.mode") == "subscribe" else None

    def _items(self, data: Mapping[str, Any], at: datetime) -> Iterator[Item]:
        for entry in objects(data.get("entry")):
            for change in objects(entry.get("changes")):
                value = part(change, "value")
                if text_of(part(value, "metadata"), "phone_number_id") != self._sender:
                    continue
                found: list[Item | None] = [_receipt(one, at) for one in objects(value.get("statuses"))]
                found += [_inbound(one) for one in objects(value.get("messages"))]
                found += [_preference(one) for one in objects(value.get("user_preferences"))]
                yield from (item for item in found if item is not None)


def _receipt(status: Mapping[str, Any], at: datetime) -> Receipt | None:
    number, state = text_of(status, "id"), _STATES.get(text_of(status, "status"))
    if not number or state is None:
        return None
    stamp = text_of(status, "timestamp")
    when = datetime.fromtimestamp(int(stamp), UTC) if stamp.isdecimal() and len(stamp) <= 11 else at
    errors = objects(status.get("errors")) if state is SendState.FAILED else ()
    code = text_of(errors[0], "code") if errors else ""
    return Receipt(
        _PROVIDER,
        number,
        state,
        when,
        code or None,
        because(code) if code else Because.MESSAGE,
        text_of(status, "biz_opaque_callback_data") or None,
        _billing(part(status, "pricing")),
    )


def _billing(pricing: Mapping[str, Any]) -> str | None:
    """What Meta bills a message as. ``type`` says whether it does; ``billable``, which goes, where there is no type."""
    kind, category = text_of(pricing, "type"), text_of(pricing, "category")
    if pricing.get("billable") is False or kind not in ("", "regular"):
        return "free"
    return category if category.replace("_", "").isalpha() and len(category) <= 40 else None


def _inbound(message: Mapping[str, Any]) -> Inbound | None:
    number, sender, kind = text_of(message, "id"), text_of(message, "from"), text_of(message, "type")
    if not number or not sender.isdecimal() or kind in ("reaction", "system", "unsupported", "request_welcome", ""):
        return None
    text, keyword, media = "", None, tuple[Media, ...]()
    match kind:
        case "text":
            text = text_of(part(message, "text"), "body")
        case "button":
            text = text_of(part(message, "button"), "text")
            keyword = text_of(part(message, "button"), "payload") or None
        case "interactive":
            chosen = part(message, "interactive", "button_reply") or part(message, "interactive", "list_reply")
            text, keyword = text_of(chosen, "title"), text_of(chosen, "id") or None
        case _:
            content = part(message, kind)
            text = text_of(content, "caption")
            media = (Media(_KINDS.get(kind, kind), text_of(content, "id"), text_of(content, "filename")),)
    if not text and not media:
        return None
    return Inbound(
        provider=_PROVIDER,
        provider_id=number,
        channel="whatsapp",
        address=f"+{sender}",
        text=text,
        media=media,
        keyword=keyword,
        answers=text_of(part(message, "context"), "id") or None,
        link_code=read_link_code(text),
    )


def _preference(preference: Mapping[str, Any]) -> Blocking | None:
    """The customer used "stop" or "resume" in the app, which is about marketing alone."""
    person, value = text_of(preference, "wa_id"), text_of(preference, "value")
    if not person.isdecimal() or value not in ("stop", "resume"):
        return None
    return Blocking(_PROVIDER, "whatsapp", f"+{person}", blocked=value == "stop", purposes=_MARKETING)
