"""An access token for a Google service account, fetched when it is needed and kept until it ends.

Source: RFC 7523 (JWT bearer grant), developers.google.com/identity/protocols/oauth2/service-account. Google's clock
decides here, so the wall clock is used, whatever the gateway's own says.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlencode

import jwt
import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from notifiers.errors import TryLater, Unknown
from notifiers.transports.http import HttpClient, retry_after_s

_LIFE_S = 3600
_RENEW_BEFORE_S = 300.0
_SETTINGS_WAIT_S = 300.0
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class ServiceAccount:
    """One service account and its current token. Its repr shows nothing of either."""

    def __init__(self, project_id: str, email: str, key_id: str, key: RSAPrivateKey, token_uri: str) -> None:
        """As the account's JSON file has them."""
        self.project_id = project_id
        self._email, self._key_id, self._key, self._token_uri = email, key_id, key, token_uri
        self._token, self._ends_at_s = "", 0.0
        self._lock = asyncio.Lock()

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read the JSON file that Google Cloud gives. Raises ValueError, without its content, where it is none."""
        try:
            data = orjson.loads(content)
            key = load_pem_private_key(data["private_key"].encode(), password=None)
            names = [data[name] for name in ("project_id", "client_email", "private_key_id", "token_uri")]
        except (ValueError, KeyError, TypeError, AttributeError, UnsupportedAlgorithm):
            raise ValueError("is no service account's JSON file; make a key in the Firebase console") from None
        if not isinstance(key, RSAPrivateKey) or not all(isinstance(name, str) and name for name in names):
            raise ValueError("is no service account's JSON file; make a key in the Firebase console")
        project_id, email, key_id, token_uri = names
        return cls(project_id, email, key_id, key, token_uri)

    async def token(self, http: HttpClient, scope: str) -> str:
        """Return a token for ``scope``, fetching one where there is none that lasts.

        Raises TryLater where none is given: nothing else was written yet.
        """
        async with self._lock:
            if time.time() > self._ends_at_s - _RENEW_BEFORE_S:
                self._token, life_s = await self._fetch(http, scope)
                self._ends_at_s = time.time() + life_s
            return self._token

    def forget_token(self) -> None:
        """Fetch another one next time: this one was refused."""
        self._ends_at_s = 0.0

    async def _fetch(self, http: HttpClient, scope: str) -> tuple[str, float]:
        body = urlencode({"grant_type": _GRANT, "assertion": self._assertion(scope)}).encode()
        try:
            answer = await http.post(self._token_uri, body, {"Content-Type": "application/x-www-form-urlencoded"})
        except Unknown as error:
            # Asking for a token twice harms nobody, and the message was not written yet.
            raise TryLater(error.provider, error.code, "no access token came; check the network") from None
        token, life_s = _granted(answer.json())
        if answer.status == 200 and token:
            return token, life_s
        if answer.status >= 500 or answer.status == 429:
            wait_s = retry_after_s(answer.headers)
            raise TryLater(http.provider, f"oauth_{answer.status}", "no access token is given just now", wait_s)
        advice = "the service account was refused; check its file, and that this machine's clock is right"
        raise TryLater(http.provider, f"oauth_{answer.status}", advice, _SETTINGS_WAIT_S)

    def _assertion(self, scope: str) -> str:
        now = int(time.time())
        claims = {"iss": self._email, "scope": scope, "aud": self._token_uri, "iat": now, "exp": now + _LIFE_S}
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})


def _granted(data: Mapping[str, Any]) -> tuple[str, float]:
    token, life = data.get("access_token"), data.get("expires_in")
    life_s = float(life) if isinstance(life, int) and life > 0 else float(_LIFE_S)
    return (token if isinstance(token, str) and token.isascii() else ""), life_s
