"""An OpenID Connect provider to log in at, over real HTTP: it signs, takes a code once, checks PKCE and the client."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import ECKey, KeyParameters, KeySet, RSAKey
from yarl import URL

CLIENT_ID, CLIENT_SECRET = "gateway", "a secret of the client"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
Key = RSAKey | ECKey


def signed_with_secret(claims: dict[str, Any], secret: bytes) -> str:
    """Write a token that a shared secret signs; by hand, as no library takes a public key for one."""

    def encoded(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    header = {"alg": "HS256", "typ": "JWT", "kid": "first"}
    signing = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(claims).encode())}"
    return f"{signing}.{encoded(hmac.new(secret, signing.encode(), hashlib.sha256).digest())}"


def new_key(kid: str, kind: str = "RSA") -> Key:
    """Make a key to sign with."""
    parameters: KeyParameters = {"kid": kid, "use": "sig"}
    if kind == "EC":
        return ECKey.generate_key("P-256", parameters)
    return RSAKey.generate_key(2048, parameters)


@dataclass
class Grant:
    """What a code is good for."""

    redirect_uri: str
    nonce: str
    challenge: str


@dataclass
class IdentityProvider:
    """Whoever comes is logged in as ``person``; tests change what it says and how it signs."""

    person: dict[str, Any] = field(default_factory=lambda: {"sub": "p-1", "preferred_username": "Nia"})
    thin: bool = False
    """Tokens say ``sub`` alone; the rest is UserInfo's."""
    key: Key = field(default_factory=lambda: new_key("first"))
    published: list[Key] | None = None
    """None: the key that signs."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Laid over an ID token's own; None takes one out."""
    sign: Callable[[dict[str, Any]], str] | None = None
    answer: Mapping[str, str] | None = None
    """What the browser is sent back with, instead of a code."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    userinfo: Mapping[str, Any] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)
    grants: dict[str, Grant] = field(default_factory=dict)
    issuer: str = ""

    def id_token(self, nonce: str) -> str:
        """Write the ID token of ``person``."""
        now = int(time.time())
        own = {"sub": self.person["sub"]} if self.thin else dict(self.person)
        said = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce, **own}
        claims = {name: value for name, value in {**said, **self.claims}.items() if value is not None}
        return self.sign(claims) if self.sign else self.signed(claims)

    def signed(self, claims: dict[str, Any], key: Key | None = None) -> str:
        """Sign claims with the provider's key, or another."""
        key = key or self.key
        alg = "ES256" if isinstance(key, ECKey) else "RS256"
        return jwt.encode({"alg": alg, "kid": key.kid or ""}, claims, key)

    def logout_token(self, subject: str, **changes: Any) -> str:
        """Write what the provider posts when somebody logs out there."""
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": secrets.token_hex()}
        claims = {**said, "sub": subject, "events": {LOGOUT_EVENT: {}}, **changes}
        return self.signed({name: value for name, value in claims.items() if value is not None})

    def app(self) -> web.Application:
        """Make the provider's web."""
        app = web.Application(middlewares=[self._down])
        app.router.add_get("/realm/.well-known/openid-configuration", self._discovery)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/userinfo", self._userinfo)
        return app

    @web.middleware
    async def _down(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        return web.Response(status=503, text="<h1>Later</h1>") if self.down else await handler(request)

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        base = str(request.url.origin())
        names = ("authorize", "token", "keys", "userinfo", "bye")
        keys = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint")
        document = {"issuer": self.issuer, **{key: f"{base}/{name}" for key, name in zip(keys, names, strict=True)}}
        return web.json_response({k: v for k, v in {**document, **self.metadata}.items() if v is not None})

    async def _authorize(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        assert query["client_id"] == CLIENT_ID
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.grants[code] = Grant(query["redirect_uri"], query["nonce"], query["code_challenge"])
        sent = {"code": code} if self.answer is None else dict(self.answer)
        raise web.HTTPFound(URL(query["redirect_uri"]).with_query({"state": query["state"], **sent}))

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if not self._knows_client(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        grant = self.grants.pop(str(form.get("code")), None)
        verifier = str(form.get("code_verifier", ""))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if grant is None or grant.challenge != challenge or grant.redirect_uri != form.get("redirect_uri"):
            return web.json_response({"error": "invalid_grant"}, status=400)
        tokens = {"access_token": "access", "token_type": "Bearer", "id_token": self.id_token(grant.nonce)}
        return web.json_response(tokens)

    def _knows_client(self, request: web.Request, form: Mapping[str, Any]) -> bool:
        methods = self.metadata.get("token_endpoint_auth_methods_supported")
        if methods == ["client_secret_post"]:
            return (form.get("client_id"), form.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        if methods == ["none"]:
            return form.get("client_id") == CLIENT_ID
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Basic" and unquote(base64.b64decode(given).decode()) == f"{CLIENT_ID}:{CLIENT_SECRET}"

    async def _keys(self, _request: web.Request) -> web.StreamResponse:
        keys = [self.key] if self.published is None else self.published
        return web.json_response(KeySet(list(keys)).as_dict(private=False))

    async def _userinfo(self, request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer access"
        return web.json_response({**self.person, **self.userinfo})


@asynccontextmanager
async def running(provider: IdentityProvider) -> AsyncIterator[IdentityProvider]:
    """Serve on a port of the loopback."""
    async with TestServer(provider.app()) as server:
        provider.issuer = str(server.make_url("/realm"))
        yield provider
