"""The company's own app as a channel: JSON over HTTPS, signed as Standard Webhooks asks.

Source: Standard Webhooks 1.0.0 (headers ``webhook-id``, ``webhook-timestamp``, ``webhook-signature``; HMAC-SHA256 over
``id.timestamp.body``; secrets ``whsec_`` + base64 of 24 to 64 bytes). The receiver dedupes by ``webhook-id``.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from device_models.event import rfc3339
from notifiers.callbacks import Reading, parse_object
from notifiers.errors import Because, Unwritten
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import Receipt, SendState
from notifiers.transports.http import HttpClient, refusal

TOLERANCE_S = 300
"""How far an inbound timestamp may be off before it counts as replayed."""
_TYPE = "notification.created"


class WebhookTransport:
    """Posts each message to one URL of the company's."""

    name = "webhook"
    repeatable = False
    per_second = 100.0
    reports = frozenset({SendState.DELIVERED, SendState.READ, SendState.FAILED})

    def __init__(
        self, url: str, secrets: Sequence[str], channels: Iterable[str] = ("webhook",), timeout_s: float = 20.0
    ) -> None:
        """Send to ``url``, signed with each of ``secrets`` (``whsec_…``), several while one is being replaced.

        ``channels``: what it stands for, such as ``push``. Raises ValueError for a secret of another form.
        """
        if not secrets:
            raise ValueError("a webhook needs a secret: whsec_ and the base64 of 24 to 64 random bytes")
        self.channels = frozenset(channels)
        self._url = url
        self._keys = [secret_key(secret) for secret in secrets]
        self._http = HttpClient(self.name, timeout_s)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Post one message; see ``Transport.send``."""
        if outgoing.expires_at is not None and outgoing.expires_at <= outgoing.now:
            raise Unwritten(self.name, "expired", "its time ran out before it was sent", Because.EXPIRED)
        webhook_id = id_of(outgoing.key)
        body = orjson.dumps(_envelope(outgoing, webhook_id))
        timestamp = int(outgoing.now.timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(sign(key, webhook_id, timestamp, body) for key in self._keys),
        }
        answer = await self._http.post(self._url, body, headers)
        if not 200 <= answer.status < 300:
            raise refusal(self.name, answer)
        return Accepted(self.name, webhook_id, detail=f"http_{answer.status}")

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def id_of(key: str) -> str:
    """Return the ``webhook-id`` of an outbox row, the same for each attempt.

    It holds no full stop, which would make the signed text ambiguous.
    """
    return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _envelope(outgoing: Outgoing, webhook_id: str) -> dict[str, Any]:
    rendered = outgoing.rendered
    return {
        "type": _TYPE,
        "timestamp": rfc3339(outgoing.now),
        "data": {
            "id": webhook_id,
            "channel": outgoing.channel,
            "to": outgoing.address,
            "purpose": outgoing.purpose.value,
            "title": rendered.subject,
            "text": rendered.text,
            "language": rendered.language,
            "direction": rendered.direction,
            "page_url": outgoing.links.page_url,
            "stop_url": outgoing.links.stop_url,
            "status_callback_url": outgoing.status_callback_url,
            "expires_at": rfc3339(outgoing.expires_at) if outgoing.expires_at else None,
        },
    }


def secret_key(secret: str) -> bytes:
    """Read ``whsec_…`` into the HMAC's key. Raises ValueError, without the secret, for another form."""
    prefix, _, encoded = secret.partition("_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if prefix != "whsec" or not 24 <= len(key) <= 64:
        raise ValueError("a webhook secret is whsec_ and the base64 of 24 to 64 random bytes")
    return key


def sign(key: bytes, webhook_id: str, timestamp: int | str, body: bytes) -> str:
    """Return one signature of the header: ``v1,`` and base64."""
    digest = hmac.digest(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Tell whether a webhook the company sent us is genuine and fresh; compares in constant time.

    Args:
        secrets: each that may have signed it.
        headers: the request's, names in any case as its mapping allows.
        body: raw, as received.
        now: aware; a timestamp more than ``TOLERANCE_S`` away is refused.
    """
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not webhook_id or not (timestamp.isascii() and timestamp.isdecimal()):
        return False
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_S:
        return False
    given = headers.get("webhook-signature", "").encode().split()
    expected = [sign(secret_key(secret), webhook_id, timestamp, body).encode() for secret in secrets]
    # Every pair is compared before any is looked at, so that time tells nothing about which secret matched.
    matches = [hmac.compare_digest(one, other) for one in given for other in expected]
    return any(matches)


class WebhookCallbacks:
    """Reads what the company's app posts back."""

    provider = "webhook"

    def __init__(self, secrets: Sequence[str]) -> None:
        """Believe what one of ``secrets`` signed. Raises ValueError for a secret of another form."""
        self._secrets = [secret for secret in secrets if secret_key(secret)]

    def is_genuine(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """See ``CallbackReader``."""
        return verify(self._secrets, headers, body, now)

    def read(self, body: bytes, at: datetime) -> Reading:
        """See ``CallbackReader``."""
        receipt = parse_receipt(parse_object(body), at)
        return Reading() if receipt is None else Reading((receipt,))

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """See ``CallbackReader``; nothing is asked."""
        return None


def parse_receipt(payload: Mapping[str, Any], at: datetime) -> Receipt | None:
    """Read a receipt the company's app posts back.

    Shape: ``{"type": "notification.delivered"|"notification.read"|"notification.failed", "timestamp": RFC 3339,
    "data": {"id": …, "error_code": …}}``; None for any other. ``at``, aware, stands in for a missing timestamp.
    """
    area, _, word = str(payload.get("type")).partition(".")
    state = {"delivered": SendState.DELIVERED, "read": SendState.READ, "failed": SendState.FAILED}.get(word)
    data = payload.get("data")
    if area != "notification" or state is None or not isinstance(data, dict) or not isinstance(data.get("id"), str):
        return None
    code = data.get("error_code")
    return Receipt("webhook", data["id"], state, _time(payload.get("timestamp"), at), str(code) if code else None)


def _time(stamp: object, otherwise: datetime) -> datetime:
    try:
        parsed = datetime.fromisoformat(str(stamp))
    except ValueError:
        return otherwise
    return parsed.astimezone(UTC) if parsed.tzinfo else otherwise
