"""Who is asking: passwords, sessions, API tokens, roles, and how often one may guess."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.web.scope import Scope

SESSION_COOKIE = "session"
SESSION_LIFE = timedelta(hours=12)
SHORTEST_PASSWORD = 10
_HASHER = PasswordHasher()


def _hash_of_nothing() -> str:
    """What no password hashes to, made without hashing: to start would otherwise take as long as to log in."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).decode().rstrip("=")
        for length in (_HASHER.salt_len, _HASHER.hash_len)
    )
    cost = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${digest}"


# Verified where a user does not exist, so that an answer takes as long as for one who does.
_NOBODY = _hash_of_nothing()


class Role(StrEnum):
    """What a user may do; each role may do what the ones before it may."""

    VIEWER = "viewer"
    AGENT = "agent"
    LEAD = "lead"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        """Tell whether this role is enough where ``needed`` is asked for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who made a request, once that is known."""

    name: str
    role: Role
    session_hash: str | None = None
    """None for an API token: no cookie, so no CSRF to fear."""
    second_factor: bool = False
    """Whether an authenticator's code was asked for."""
    language: str | None = None
    """What they chose for the console; None: as their browser says."""
    by_provider: bool = False
    """Whether the identity provider let them in, whose business their second factor is then."""
    scope: Scope = field(default_factory=Scope)
    """What of the cases and customers they see."""


def hash_password(password: str) -> str:
    """Hash with argon2id at the library's defaults (RFC 9106, low memory). Takes some 50 ms: call it in a thread."""
    return _HASHER.hash(password)


def password_matches(password: str, password_hash: str | None) -> bool:
    """Check a password; None as hash (no such user) costs the same time and is never right. Call it in a thread."""
    try:
        return _HASHER.verify(password_hash or _NOBODY, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def new_token() -> str:
    """Make a session's or an API's token: 256 random bits, safe in a header."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Hash a token for keeping. A plain SHA-256 will do: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(_bytes_of(token)).hexdigest()


def csrf_token(secret: str, bound_to: str) -> str:
    """Make the token that forms carry, bound to a session (or to the login page's cookie)."""
    return hmac.new(secret.encode(), b"csrf:" + _bytes_of(bound_to), hashlib.sha256).hexdigest()


def csrf_matches(secret: str, bound_to: str, given: str) -> bool:
    """Check a form's token in constant time."""
    return hmac.compare_digest(csrf_token(secret, bound_to).encode(), _bytes_of(given))


def _bytes_of(sent: str) -> bytes:
    """Return the bytes of a header or cookie; aiohttp keeps those that are no UTF-8 as lone surrogates."""
    return sent.encode("utf-8", "surrogateescape")


class LoginThrottle:
    """Counts failed logins by user and address, in memory: a restart forgives, a guesser is slowed to a crawl."""

    def __init__(
        self, now: Callable[[], datetime], window: timedelta, allowed: int = 5, remembered: int = 10_000
    ) -> None:
        """Allow ``allowed`` failures within ``window`` for each key; at most ``remembered`` keys are kept."""
        self._now = now
        self._window = window
        self._allowed = allowed
        self._remembered = remembered
        self._failures: dict[tuple[str, str], list[datetime]] = {}

    def wait(self, user: str, address: str) -> timedelta:
        """Return how long this pair must wait before the next try; zero where it may go on."""
        recent = self._recent((user, address))
        return timedelta(0) if len(recent) < self._allowed else recent[-self._allowed] + self._window - self._now()

    def failed(self, user: str, address: str) -> None:
        """Note a failure."""
        key = (user, address)
        recent = [*self._recent(key), self._now()]
        self._failures.pop(key, None)
        self._failures[key] = recent
        while len(self._failures) > self._remembered:
            self._failures.pop(next(iter(self._failures)))

    def was_right(self, user: str, address: str) -> None:
        """Take the newest failure back: it was noted before it was known to be none."""
        recent = self._failures.get((user, address))
        if recent:
            self._failures[(user, address)] = recent[:-1]

    def succeeded(self, user: str, address: str) -> None:
        """Forget the failures of one who got in."""
        self._failures.pop((user, address), None)

    def _recent(self, key: tuple[str, str]) -> list[datetime]:
        since = self._now() - self._window
        return [at for at in self._failures.get(key, []) if at > since]
