"""Push to the company's own app by Firebase Cloud Messaging, HTTP v1.

Source: firebase.google.com/docs/reference/fcm/rest/v1/projects.messages (Message, AndroidConfig ``ttl`` up to four
weeks, ApnsConfig headers), /ErrorCode, and "Throttling and quotas". FCM takes no key and posts no receipts: the app
reports what it showed and what was opened to ``receipt_url``.
"""

import re
from datetime import timedelta
from typing import Any

import orjson

from device_models.purpose import Purpose
from notifiers.callbacks import objects, part, text_of
from notifiers.errors import Because, NotifierError, TryLater, Undeliverable, Unknown, Unwritten
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from notifiers.transports.http import Answer, HttpClient, refusal, retry_after_s
from notifiers.transports.lifetime import seconds_left
from notifiers.transports.oauth import ServiceAccount

_SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_LONGEST_TTL_S = 2_419_200
_LARGEST_BYTES = 4096
_TOKEN = re.compile(r"[A-Za-z0-9_:.-]{20,4096}")
_QUOTA_WAIT_S = 60.0
_SETTINGS_WAIT_S = 300.0


class FcmTransport:
    """Writes to the installations of one Firebase project."""

    name = "fcm"
    repeatable = False
    per_second = 200.0
    """Of the 600,000 a minute of a project (Firebase, "Throttling and quotas")."""
    channels = frozenset({"push"})
    reports = frozenset({SendState.DELIVERED, SendState.READ})

    def __init__(
        self, credentials: bytes, *, base_url: str = "https://fcm.googleapis.com", timeout_s: float = 20.0
    ) -> None:
        """Write as the service account of ``credentials``, its JSON file. Raises ValueError where it is none."""
        try:
            self._account = ServiceAccount.parse(credentials)
        except ValueError as error:
            raise ValueError(f"notifiers.fcm.credentials: {error}") from None
        self._url = f"{base_url.rstrip('/')}/v1/projects/{self._account.project_id}/messages:send"
        self._http = HttpClient(self.name, timeout_s)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; see ``Transport.send``."""
        body = orjson.dumps({"message": _message(outgoing)})
        token = await self._account.token(self._http, _SCOPE)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        answer = await self._http.post(self._url, body, headers)
        if answer.status != 200:
            if answer.status == 401:
                self._account.forget_token()
            raise _refusal(answer)
        name = text_of(answer.json(), "name")
        if not name:
            raise Unknown(self.name, "no_name", "it accepted the message and named no id")
        return Accepted(self.name, name)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def _message(outgoing: Outgoing) -> dict[str, Any]:
    left_s = seconds_left(FcmTransport.name, outgoing)
    if not _TOKEN.fullmatch(outgoing.address):
        raise Unwritten(FcmTransport.name, "token", "is no registration token", Because.ADDRESS)
    ttl_s = _LONGEST_TTL_S if left_s is None else min(left_s, _LONGEST_TTL_S)
    ends_at = outgoing.now + timedelta(seconds=ttl_s)
    urgent = outgoing.purpose in (Purpose.SAFETY, Purpose.FAULT)
    # Data are texts; what is absent is left out.
    data = {"page_url": outgoing.links.page_url, "receipt_url": outgoing.receipt_url, "purpose": outgoing.purpose.value}
    message: dict[str, Any] = {
        "token": outgoing.address,
        "notification": {"title": outgoing.rendered.subject, "body": outgoing.rendered.text},
        "data": {name: value for name, value in data.items() if value},
        "android": {"priority": "HIGH" if urgent else "NORMAL", "ttl": f"{ttl_s}s"},
        "apns": {
            "headers": {"apns-expiration": str(int(ends_at.timestamp())), "apns-priority": "10" if urgent else "5"}
        },
    }
    # A push card is a first word: what does not fit is on the page that it opens.
    over = len(orjson.dumps(message)) - _LARGEST_BYTES
    if over > 0:
        kept = outgoing.rendered.text.encode()[: max(0, len(outgoing.rendered.text.encode()) - over - 16)]
        message["notification"]["body"] = kept.decode(errors="ignore").rstrip() + " …"
    return message


def _refusal(answer: Answer) -> NotifierError:
    error, name = part(answer.json(), "error"), FcmTransport.name
    codes = [text_of(one, "errorCode") for one in objects(error.get("details")) if "errorCode" in one]
    code = codes[0] if codes else text_of(error, "status")
    words = text_of(error, "message").casefold()
    if code == "UNREGISTERED":
        return Undeliverable(name, code, "the app was removed, or its token is of another time", Because.ADDRESS)
    if code == "SENDER_ID_MISMATCH":
        return Undeliverable(name, code, "the token is of another Firebase project", Because.ADDRESS)
    if code == "INVALID_ARGUMENT" and "registration token" in words:
        return Undeliverable(name, code, "is no registration token", Because.ADDRESS)
    if code == "QUOTA_EXCEEDED" or answer.status == 429:
        wait_s = max(retry_after_s(answer.headers) or 0.0, _QUOTA_WAIT_S)
        return TryLater(name, code or "429", "its quota is used up for a minute", wait_s)
    if code == "THIRD_PARTY_AUTH_ERROR":
        advice = "Apple's key is missing or wrong in the Firebase console"
        return TryLater(name, code, advice, _SETTINGS_WAIT_S)
    return refusal(name, answer, code)
