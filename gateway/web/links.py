"""The customer's links: signed, expiring, and revocable by taking their key away."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from device_models.purpose import Purpose

_SALT, _RECEIPT_SALT, _STAFF_SALT = "customer-link", "receipt-link", "staff-link"


def twilio_status_url(public_url: str, key: str) -> str:
    """Return where Twilio posts the receipts of one message, which brings the message's own key back.

    In base64url: what a proxy or a client may write in two ways (``:``, ``%3A``) would break Twilio's signature.
    """
    coded = base64.urlsafe_b64encode(key.encode()).rstrip(b"=").decode()
    return f"{public_url}/webhooks/twilio/status?key={coded}"


def read_status_key(coded: str | None) -> str | None:
    """Read the key of such an address; None where there is none."""
    try:
        return base64.urlsafe_b64decode(f"{coded}==").decode() if coded else None
    except ValueError:
        return None


class LinkError(Exception):
    """Nobody here signed this link, or its key was revoked. Its catcher answers 404."""


class LinkExpiredError(LinkError):
    """It was ours and is too old. Its catcher says so, and that STOP still works."""


@dataclass(frozen=True, slots=True)
class CustomerLink:
    """What a link lets its holder see and do."""

    customer_id: str
    case_id: int | None = None
    purpose: Purpose | None = None
    """What STOP on this link ends first; None where the link came with no message of a purpose."""
    issued_at: datetime | None = None
    """When it was signed, to the second."""


class LinkSigner:
    """Makes and reads the tokens in ``/p/{token}``."""

    def __init__(
        self,
        keys: Mapping[str, str],
        current: str,
        now: Callable[[], datetime],
        public_url: str,
        max_age: timedelta = timedelta(days=90),
    ) -> None:
        """Sign with ``keys[current]`` and read what any of ``keys`` signed; take a key out to revoke its links.

        ``now`` is the injected clock. Raises ValueError where ``current`` is no key, or a key is shorter than 16
        characters.
        """
        if current not in keys:
            raise ValueError(f"links: there is no key '{current}'")
        short = next((name for name, key in keys.items() if len(key) < 16 or not name or "." in name), None)
        if short is not None:
            raise ValueError(f"links: key '{short}' needs a name without dots and at least 16 characters")
        self._current = current
        self._public_url = public_url.rstrip("/")
        self._max_age_s = int(max_age.total_seconds())
        self._serializers = {name: _serializer(key, now) for name, key in keys.items()}
        self._staff = {name: _serializer(key, now, _STAFF_SALT) for name, key in keys.items()}
        self._receipts = {name: _serializer(key, now, _RECEIPT_SALT) for name, key in keys.items()}

    def token(self, customer_id: str, case_id: int | None = None, purpose: Purpose | None = None) -> str:
        """Sign a link's token; safe in a URL's path."""
        payload = [customer_id, case_id, purpose.value if purpose else None]
        return f"{self._current}.{self._serializers[self._current].dumps(payload)}"

    def page_url(self, customer_id: str, case_id: int | None = None, purpose: Purpose | None = None) -> str:
        """Return the customer's page for a message."""
        return f"{self._public_url}/p/{self.token(customer_id, case_id, purpose)}"

    def stop_url(self, customer_id: str, case_id: int | None = None, purpose: Purpose | None = None) -> str:
        """Return where STOP is said; POST there is RFC 8058's one click."""
        return self.page_url(customer_id, case_id, purpose) + "/stop"

    def receipt_url(self, key: str) -> str:
        """Return where the app or page that shows a message reports on it; ``key`` is the message's."""
        return f"{self._public_url}/r/{self._current}.{self._receipts[self._current].dumps(key)}"

    def alert_url(self, alert_id: int, name: str) -> str:
        """Return where somebody of the staff takes an alert, or passes it on, without logging in."""
        return f"{self._public_url}/a/{self.seal('alert', [alert_id, name])}"

    def seal(self, what: str, payload: Any) -> str:
        """Sign a token of the staff's; one for ``what`` is of no use for anything else."""
        return f"{self._current}.{self._staff[self._current].dumps([what, payload])}"

    def unseal(self, what: str, token: str) -> Any:
        """Read such a token. Raises LinkError or LinkExpiredError."""
        name, _, signed = token.partition(".")
        serializer = self._staff.get(name)
        if serializer is None:
            raise LinkError
        try:
            found, payload = serializer.loads(signed, max_age=self._max_age_s if what == "alert" else None)
        except SignatureExpired as error:
            raise LinkExpiredError from error
        except (BadData, ValueError, TypeError) as error:
            raise LinkError from error
        if found != what:
            raise LinkError
        return payload

    def read_receipt(self, token: str) -> str:
        """Read the key of a message from its receipt's token. Raises LinkError or LinkExpiredError."""
        name, _, signed = token.partition(".")
        serializer = self._receipts.get(name)
        if serializer is None:
            raise LinkError
        try:
            return str(serializer.loads(signed, max_age=self._max_age_s))
        except SignatureExpired as error:
            raise LinkExpiredError from error
        except BadData as error:
            raise LinkError from error

    def read(self, token: str, *, even_expired: bool = False) -> CustomerLink:
        """Read a token. ``even_expired``: STOP is heeded from a link of any age.

        Raises LinkError or LinkExpiredError.
        """
        key, _, signed = token.partition(".")
        serializer = self._serializers.get(key)
        if serializer is None:
            raise LinkError
        try:
            payload: Any
            payload, issued_at = serializer.loads(
                signed, max_age=None if even_expired else self._max_age_s, return_timestamp=True
            )
        except SignatureExpired as error:
            raise LinkExpiredError from error
        except BadData as error:
            raise LinkError from error
        customer_id, case_id, purpose = payload
        return CustomerLink(customer_id, case_id, Purpose(purpose) if purpose else None, issued_at)


def _serializer(key: str, now: Callable[[], datetime], salt: str = _SALT) -> URLSafeTimedSerializer:
    class ClockSigner(TimestampSigner):
        """Stamps by the injected clock, so that links age as the demo's time does."""

        def get_timestamp(self) -> int:
            return int(now().timestamp())

    return URLSafeTimedSerializer(
        key, salt=salt, signer=ClockSigner, signer_kwargs={"key_derivation": "hmac", "digest_method": sha256}
    )
