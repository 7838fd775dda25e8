"""Push to a customer's browser, where they allowed it on their page.

Source: RFC 8030 (Web Push: 201, ``TTL``, ``Urgency``, ``Topic``; 404 and 410: the subscription is gone), RFC 8291
(encryption, by ``pywebpush``), RFC 8292 (VAPID, by ``py_vapid``: the token is for one origin and ends within 24 hours).
Push services report nothing; the page's service worker does, to ``receipt_url``.
"""

import base64
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from py_vapid import Vapid02
from pywebpush import WebPusher, WebPushException

from device_models.purpose import Purpose
from notifiers.errors import Because, NotifierError, Undeliverable, Unwritten
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from notifiers.transports.http import Answer, HttpClient, refusal
from notifiers.transports.lifetime import seconds_left

PUSH_SERVICES = ("fcm.googleapis.com", ".push.services.mozilla.com", ".push.apple.com", ".notify.windows.com")
"""Hosts of the browsers' push services; with a dot in front, all below. A subscription comes from outside: one that
names another host is refused, so that nobody makes the gateway post into its own network."""
_LONGEST_TTL_S = 2_419_200
_LARGEST_BYTES = 3993
"""What fits 4,096 bytes once encrypted (RFC 8291 §4)."""
_TOKEN_LIFE_S = 12 * 3600
_TOKEN_RENEW_S = 3600
_URGENCY = {Purpose.SAFETY: "high", Purpose.FAULT: "high", Purpose.MAINTENANCE: "normal"}


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser gave the page (W3C Push API, ``PushSubscription.toJSON``). Its repr shows nothing."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)


def parse_subscription(text: str) -> Subscription:
    """Read a subscription's JSON, as a customer's address on ``webpush`` is kept. Raises ValueError, without it."""
    try:
        data = orjson.loads(text)
        endpoint, keys = data["endpoint"], data["keys"]
        lengths = [len(base64.urlsafe_b64decode(keys[name] + "==")) for name in ("p256dh", "auth")]
    except (ValueError, KeyError, TypeError):
        raise ValueError("is no push subscription") from None
    if not isinstance(endpoint, str) or lengths != [65, 16]:
        raise ValueError("is no push subscription")
    return Subscription(endpoint, keys["p256dh"], keys["auth"])


def load_vapid_key(pem: bytes) -> EllipticCurvePrivateKey:
    """Read the key that browsers know us by. Raises ValueError, without it, where it is no P-256 key in PEM."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ValueError("is no P-256 key; make one: openssl ecparam -genkey -name prime256v1 -noout -out vapid.pem")
    return key


def application_server_key(key: EllipticCurvePrivateKey) -> str:
    """Return what ``pushManager.subscribe`` takes as ``applicationServerKey``: base64url of the uncompressed point."""
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


class WebPushTransport:
    """Writes to the browsers that subscribed with one key."""

    name = "web_push"
    repeatable = False
    per_second = 50.0
    channels = frozenset({"webpush"})
    reports = frozenset({SendState.DELIVERED, SendState.READ})

    def __init__(
        self,
        key: bytes,
        subject: str,
        push_services: Sequence[str] = PUSH_SERVICES,
        *,
        timeout_s: float = 20.0,
    ) -> None:
        """Sign with ``key``.

        Args:
            key: A P-256 private key in PEM.
            subject: Whom a push service writes to when something goes wrong: ``mailto:`` or ``https:`` (RFC 8292 §2.1).
            push_services: Hosts that subscriptions may name (``.example.com``: all below), or whole origins
                (``http://127.0.0.1:8085``) of a service of one's own.
            timeout_s: Bounds connecting and waiting for the answer.
        Raises ValueError where key or subject cannot be used.
        """
        try:
            self._vapid = Vapid02(private_key=load_vapid_key(key))
        except ValueError as error:
            raise ValueError(f"notifiers.webpush.key: {error}") from None
        if not subject.startswith(("mailto:", "https://")):
            raise ValueError("notifiers.webpush.subject: write it like mailto:help@acme.example")
        self._subject, self._services = subject, tuple(push_services)
        self._tokens: dict[str, tuple[str, float]] = {}
        self._http = HttpClient(self.name, timeout_s)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; see ``Transport.send``."""
        left_s = seconds_left(self.name, outgoing)
        subscription = self._subscription(outgoing.address)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(_LONGEST_TTL_S if left_s is None else min(left_s, _LONGEST_TTL_S)),
            "Urgency": _URGENCY.get(outgoing.purpose, "low"),
            # While the browser is away a later attempt takes the place of an earlier one, of this message alone.
            "Topic": hashlib.sha256(outgoing.key.encode()).hexdigest()[:32],
            "Authorization": self._authorization(_origin(subscription.endpoint)),
        }
        answer = await self._http.post(subscription.endpoint, _encrypted(subscription, _payload(outgoing)), headers)
        if not 200 <= answer.status < 300:
            raise _refusal(answer)
        return Accepted(self.name, answer.headers.get("Location") or headers["Topic"], detail=f"http_{answer.status}")

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _subscription(self, address: str) -> Subscription:
        try:
            subscription = parse_subscription(address)
        except ValueError as error:
            raise Unwritten(self.name, "subscription", str(error), Because.ADDRESS) from None
        if not self._is_push_service(subscription.endpoint):
            advice = "the subscription names no push service of notifiers.webpush.push_services"
            raise Unwritten(self.name, "endpoint", advice, Because.ADDRESS)
        return subscription

    def _is_push_service(self, endpoint: str) -> bool:
        try:
            parts = urlsplit(endpoint)
            plain = parts.username is None and parts.password is None and parts.port in (None, 443)
        except ValueError:
            return False
        host = parts.hostname or ""
        for service in self._services:
            if "://" in service:
                if _origin(endpoint) == service.rstrip("/") and parts.username is None:
                    return True
            elif parts.scheme == "https" and plain and _matches(host, service):
                return True
        return False

    def _authorization(self, origin: str) -> str:
        """One token an origin, kept for some hours. The wall clock: the push service's decides."""
        token, made_at_s = self._tokens.get(origin, ("", 0.0))
        now_s = time.time()
        if now_s - made_at_s > _TOKEN_RENEW_S:
            # A dict of its own each time: signing adds to it.
            claims = {"aud": origin, "exp": int(now_s) + _TOKEN_LIFE_S, "sub": self._subject}
            token = self._vapid.sign(claims)["Authorization"]
            self._tokens[origin] = (token, now_s)
        return token


def _matches(host: str, service: str) -> bool:
    return host.endswith(service) if service.startswith(".") else host == service


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _payload(outgoing: Outgoing) -> bytes:
    """What the service worker shows: title, body and where a tap leads."""
    rendered = outgoing.rendered
    data: dict[str, Any] = {
        "title": rendered.subject,
        "body": rendered.text,
        "url": outgoing.links.page_url,
        "receipt_url": outgoing.receipt_url,
        "lang": rendered.language,
        "dir": rendered.direction,
        "tag": hashlib.sha256(outgoing.key.encode()).hexdigest()[:16],
        "actions": [{"action": button.id, "title": button.label} for button in rendered.buttons],
    }
    over = len(orjson.dumps(data)) - _LARGEST_BYTES
    if over > 0:
        body = rendered.text.encode()
        data["body"] = body[: max(0, len(body) - over - 16)].decode(errors="ignore").rstrip() + " …"
    return orjson.dumps(data)


def _encrypted(subscription: Subscription, payload: bytes) -> bytes:
    info = {
        "endpoint": subscription.endpoint,
        "keys": {"p256dh": subscription.p256dh, "auth": subscription.auth},
    }
    try:
        body: bytes = WebPusher(info).encode(payload, "aes128gcm")["body"]
    except (WebPushException, ValueError):
        # A point that is not on the curve, for one.
        raise Unwritten(
            WebPushTransport.name, "keys", "the subscription's keys are not valid", Because.ADDRESS
        ) from None
    return body


def _refusal(answer: Answer) -> NotifierError:
    if answer.status in (404, 410):
        advice = "the browser's subscription has ended"
        return Undeliverable(WebPushTransport.name, f"http_{answer.status}", advice, Because.ADDRESS)
    return refusal(WebPushTransport.name, answer)
