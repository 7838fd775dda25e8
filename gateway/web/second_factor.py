"""The authenticator app as second factor: time-based one-time passwords (RFC 6238), and codes for when it is lost."""

import base64
import hashlib
import io
import secrets
from datetime import UTC, datetime

import pyotp
import segno
from cryptography.fernet import Fernet, InvalidToken

from gateway.web.auth import token_hash

STEP_S = 30
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter that is taken for another on paper."""


class Sealer:
    """Encrypts with the installation's key, such as authenticators' secrets: a copy of the database opens nothing."""

    def __init__(self, key: str, purpose: str = "totp") -> None:
        digest = hashlib.sha256(f"{purpose}:{key}".encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def seal(self, secret: str) -> str:
        """Encrypt; safe in a form and in the store."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str, max_age_s: int | None = None) -> str | None:
        """Decrypt; None for what another key sealed, or what is older than ``max_age_s`` seconds."""
        try:
            return self._fernet.decrypt(sealed.encode("utf-8", "surrogateescape"), ttl=max_age_s).decode()
        except InvalidToken:
            return None


def new_secret() -> str:
    """Make an authenticator's secret: 160 random bits in base 32 (RFC 4226 §4, R6)."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, user: str, brand: str) -> str:
    """Return what the QR code says; authenticator apps agree on this form of URI."""
    return pyotp.TOTP(secret, interval=STEP_S).provisioning_uri(name=user, issuer_name=brand)


def qr_svg(text: str) -> str:
    """Draw a QR code as SVG markup without style of its own; ``currentcolor`` is the page's ink."""
    drawn = io.BytesIO()
    made = segno.make(text, error="m", micro=False)
    made.save(drawn, kind="svg", xmldecl=False, svgns=True, scale=4, border=4, dark="#000", light="#fff", omitsize=True)
    return drawn.getvalue().decode()


def step_of(code: str, secret: str, wall: datetime | None = None) -> int | None:
    """Return the time step that a six-digit code belongs to, None where it is wrong.

    One step before and after counts too: people type slowly and phones go wrong (RFC 6238 §5.2). ``wall`` is real
    time, by which authenticators go whatever the gateway's clock shows; None: now.
    """
    code = code.replace(" ", "")
    if len(code) != 6 or not code.isascii() or not code.isdecimal():
        return None
    totp = pyotp.TOTP(secret, interval=STEP_S)
    now = int((wall or datetime.now(UTC)).timestamp()) // STEP_S
    right = [step for step in (now - 1, now, now + 1) if secrets.compare_digest(totp.generate_otp(step), code)]
    return right[-1] if right else None


def new_recovery_codes() -> tuple[str, ...]:
    """Make codes such as ``k7pm2-9wqxa``, 49 random bits each: shown once, kept as hashes."""
    return tuple(f"{_letters(5)}-{_letters(5)}" for _ in range(RECOVERY_CODES))


def recovery_hash(code: str) -> str:
    """Hash a recovery code as it was typed, whatever its case and spaces."""
    return token_hash("recovery:" + "".join(code.split()).replace("-", "").lower())


def _letters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))
