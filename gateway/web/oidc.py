"""An OpenID Connect provider as we see it: discovery, keys, the code for a token, and whether the token is true.

Source: OpenID Connect Core 1.0 (§3.1 code flow, §3.1.3.7 what to check of an ID token, §5.3.2 of UserInfo), OpenID
Connect Discovery 1.0 §4, RFC 7636 (PKCE), RFC 9207 (``iss`` in the answer), OpenID Connect Back-Channel Logout 1.0.
Tokens go by real time, whatever the gateway's clock shows.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.claims import JWTClaims
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError, MissingClaimError
from joserfc.jwk import KeySet

from gateway.loopback import is_loopback
from gateway.settings.login import Oidc

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures that only the provider can make; ``none`` and those by a shared secret are not among them."""
BACK = "/login/provider/back"
"""Where the provider sends browsers back to."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
METADATA_LIFE_S = 3600.0
KEYS_ASKED_AGAIN_S = 30.0
"""A token with a key that nobody knows makes us ask for new ones at most this often."""
TIMEOUT_S = 10.0
LARGEST_ANSWER = 256 * 1024

log = structlog.get_logger()


class ProviderUnreachable(Exception):
    """The provider does not answer, or not as it should; trying again later may help. The message is for the person."""


class LoginRefused(Exception):
    """What came back proves nobody; beginning again may help. The message is for the person, without secrets."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the provider is asked what, from its discovery document."""

    authorization: str
    token: str
    jwks: str
    userinfo: str | None
    end_session: str | None
    secret_in_body: bool
    """Whether it takes the client's secret in the body alone."""
    names_itself: bool
    """Whether each answer says who gave it (RFC 9207)."""


@dataclass(frozen=True, slots=True)
class Proved:
    """Somebody the provider vouches for."""

    issuer: str
    subject: str
    claims: Mapping[str, Any]
    id_token: str


class Provider:
    """One configured provider; its document and keys are kept for a while."""

    def __init__(self, settings: Oidc, redirect_uri: str) -> None:
        """Come back to ``redirect_uri``, as it is registered at the provider."""
        self.settings = settings
        self.redirect_uri = redirect_uri
        self._endpoints: tuple[float, Endpoints] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._renewed_at = -KEYS_ASKED_AGAIN_S
        self._lock = asyncio.Lock()

    async def begin(self, state: str, nonce: str, verifier: str) -> str:
        """Return the address at the provider to which the browser is sent. Raises ProviderUnreachable."""
        endpoints = await self.endpoints()
        return str(
            prepare_grant_uri(
                endpoints.authorization,
                self.settings.client_id,
                "code",
                redirect_uri=self.redirect_uri,
                scope=" ".join(self.settings.scopes),
                state=state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        )

    async def prove(self, code: str, nonce: str, verifier: str) -> Proved:
        """Change the code for tokens and check them. Raises ProviderUnreachable, LoginRefused."""
        endpoints = await self.endpoints()
        tokens = await self._exchange(endpoints, code, verifier)
        id_token, access_token = tokens.get("id_token"), tokens.get("access_token")
        if not isinstance(id_token, str):
            raise LoginRefused("The provider sent no ID token; is the scope openid allowed for this client?")
        settings, leeway = self.settings, int(self.settings.leeway.total_seconds())
        header, claims = await self._verified(id_token)
        checked = CodeIDToken(
            claims,
            header,
            {
                "iss": {"essential": True, "value": settings.issuer},
                "aud": {"essential": True, "value": settings.client_id},
            },
            {"nonce": nonce, "client_id": settings.client_id, "access_token": access_token},
        )
        _check(checked, leeway)
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise LoginRefused("The provider's token names nobody (sub).")
        amr = claims.get("amr")
        if settings.require_amr and not {*settings.require_amr} & {*(amr if isinstance(amr, list) else ())}:
            raise LoginRefused("The provider did not ask you for a second factor. Set one up there, then log in again.")
        wanted = {settings.name_claim, *([settings.role_claim] if settings.roles or settings.teams else [])}
        if endpoints.userinfo and isinstance(access_token, str) and any(claim_of(claims, w) is None for w in wanted):
            claims = await self._userinfo(endpoints.userinfo, access_token, claims["sub"]) | claims
        return Proved(settings.issuer, claims["sub"], claims, id_token)

    async def logged_out(self, logout_token: str) -> str:
        """Return whom the provider's own message logs out (``sub``). Raises ProviderUnreachable, LoginRefused."""
        settings = self.settings
        header, claims = await self._verified(logout_token)
        options = {
            "iss": {"essential": True, "value": settings.issuer},
            "aud": {"essential": True, "value": settings.client_id},
            **{name: {"essential": True} for name in ("iat", "exp", "jti", "sub", "events")},
        }
        _check(JWTClaims(claims, header, options), int(settings.leeway.total_seconds()))
        # An ID token must not pass for one of these: it has a nonce, and no event (§2.4, §2.6).
        if "nonce" in claims or not isinstance(claims["events"], dict) or LOGOUT_EVENT not in claims["events"]:
            raise LoginRefused("This token is about no log-out.")
        return str(claims["sub"])

    async def endpoints(self) -> Endpoints:
        """Return the provider's addresses, asked for once an hour. Raises ProviderUnreachable."""
        async with self._lock:
            if self._endpoints is None or time.monotonic() - self._endpoints[0] > METADATA_LIFE_S:
                try:
                    self._endpoints = (time.monotonic(), await self._discover())
                except ProviderUnreachable:
                    if self._endpoints is None:
                        raise
                    # What was true an hour ago is better than shutting everybody out.
                    log.warning("oidc.discovery_failed", kept=True)
            return self._endpoints[1]

    async def _discover(self) -> Endpoints:
        issuer = self.settings.issuer
        document = await _fetch("GET", issuer.rstrip("/") + "/.well-known/openid-configuration")
        if document.get("issuer") != issuer:
            raise ProviderUnreachable(
                "The provider names itself otherwise than web.oidc.issuer does; an admin must see to it."
            )
        found = {
            name: _address(document, name, needed=name in ("authorization_endpoint", "token_endpoint", "jwks_uri"))
            for name in (
                "authorization_endpoint",
                "token_endpoint",
                "jwks_uri",
                "userinfo_endpoint",
                "end_session_endpoint",
            )
        }
        methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Endpoints(
            found["authorization_endpoint"] or "",
            found["token_endpoint"] or "",
            found["jwks_uri"] or "",
            found["userinfo_endpoint"],
            found["end_session_endpoint"],
            secret_in_body="client_secret_basic" not in methods,
            names_itself=document.get("authorization_response_iss_parameter_supported") is True,
        )

    async def _exchange(self, endpoints: Endpoints, code: str, verifier: str) -> dict[str, Any]:
        secret = self.settings.client_secret
        method = (
            "none" if secret is None else "client_secret_post" if endpoints.secret_in_body else "client_secret_basic"
        )
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=self.redirect_uri, code_verifier=verifier
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        auth = ClientAuth(self.settings.client_id, secret.get_secret_value() if secret else None, method)
        url, headers, body = auth.prepare("POST", endpoints.token, headers, body)
        return await _fetch("POST", url, headers, body)

    async def _userinfo(self, url: str, access_token: str, subject: str) -> dict[str, Any]:
        told = await _fetch("GET", url, {"Authorization": f"Bearer {access_token}", "Accept": "application/json"})
        if told.get("sub") != subject:
            raise LoginRefused("The provider spoke of two different people; log in again.")
        return told

    async def _verified(self, token: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Return header and claims of a token that the provider signed; nothing of the claims is checked yet."""
        try:
            try:
                read = jwt.decode(token, await self._key_set(), algorithms=ALGORITHMS)
            except InvalidKeyIdError:
                # The provider has new keys since we asked.
                read = jwt.decode(token, await self._key_set(renewed=True), algorithms=ALGORITHMS)
        except (JoseError, ValueError) as error:
            log.warning("oidc.token_refused", reason=type(error).__name__)
            raise LoginRefused("The provider's token is not signed by its keys. Log in again.") from error
        return read.header, dict(read.claims)

    async def _key_set(self, *, renewed: bool = False) -> KeySet:
        now, known = time.monotonic(), self._keys
        if known is not None and now - (self._renewed_at if renewed else known[0]) < (
            KEYS_ASKED_AGAIN_S if renewed else METADATA_LIFE_S
        ):
            return known[1]
        if renewed:
            self._renewed_at = now
        document = await _fetch("GET", (await self.endpoints()).jwks)
        # A kind of key that we cannot read is no reason to do without the others.
        ours = [key for key in document.get("keys") or () if isinstance(key, dict) and key.get("use", "sig") == "sig"]
        try:
            keys = KeySet.import_key_set({"keys": [key for key in ours if key.get("kty") in ("RSA", "EC", "OKP")]})
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ProviderUnreachable("The provider's keys cannot be read.") from error
        self._keys = (now, keys)
        return keys


def claim_of(claims: Mapping[str, Any], path: str) -> Any:
    """Return a claim by name, or by a path of names with dots between; None where it is not there."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def name_in(claims: Mapping[str, Any], settings: Oidc) -> str:
    """Return what a person is called here. Raises LoginRefused where the provider does not say."""
    name = claim_of(claims, settings.name_claim)
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise LoginRefused(f"The provider does not say your name ({settings.name_claim}). Ask an admin to see to it.")
    if settings.name_claim == "email" and claims.get("email_verified") is not True:
        raise LoginRefused("The provider has not verified your mail address. Verify it there, then log in again.")
    return name.strip()


def role_in(claims: Mapping[str, Any], settings: Oidc) -> str | None:
    """Return the role that the claims give, the one that may do most; None where roles are given here alone.

    Raises LoginRefused where the provider decides, and none is for this person.
    """
    if not settings.roles:
        return None
    given = [settings.roles[group] for group in _groups(claims, settings) if group in settings.roles]
    order = ("viewer", "agent", "lead", "admin")
    if not given and settings.default_role is None:
        raise LoginRefused("None of your groups at the provider opens this. Ask an admin for one that does.")
    return max(given, key=order.index, default=settings.default_role)


def teams_in(claims: Mapping[str, Any], settings: Oidc) -> dict[str, bool]:
    """Return of each team that the provider decides on whether a person is in it; empty where it decides on none."""
    given = {settings.teams[group] for group in _groups(claims, settings) if group in settings.teams}
    return {team: team in given for team in settings.teams.values()}


def _groups(claims: Mapping[str, Any], settings: Oidc) -> frozenset[str]:
    held = claim_of(claims, settings.role_claim)
    listed = [held] if isinstance(held, str) else held if isinstance(held, list) else []
    return frozenset(group for group in listed if isinstance(group, str))


def _check(claims: JWTClaims, leeway_s: int) -> None:
    try:
        claims.validate(int(time.time()), leeway_s)
    except ExpiredTokenError as error:
        raise LoginRefused("That took too long, or the provider's clock is wrong. Log in again.") from error
    except MissingClaimError as error:
        raise LoginRefused(f"The provider's token does not say {error.claim}. Log in again.") from error
    except (ClaimError, JoseError, ValueError, TypeError) as error:
        claim = getattr(error, "claim", "what it should")
        log.warning("oidc.claim_refused", claim=claim)
        raise LoginRefused(f"The provider's token is not for this log-in ({claim}). Log in again.") from error


def _address(document: Mapping[str, Any], name: str, *, needed: bool) -> str | None:
    url = document.get(name)
    if url is None and not needed:
        return None
    parts = urlsplit(url) if isinstance(url, str) else None
    if parts is None or not (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))):
        raise ProviderUnreachable(f"The provider's {name} is no https address.")
    return str(url)


async def _fetch(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: str | None = None
) -> dict[str, Any]:
    """Ask the provider and return the JSON object it answers. Raises ProviderUnreachable, LoginRefused (a 4xx)."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            # A redirect of a POST would carry the secret elsewhere.
            session.request(method, url, headers=headers, data=body, allow_redirects=method == "GET") as answer,
        ):
            text, status = b"", answer.status
            async for chunk in answer.content.iter_any():
                text += chunk
                if len(text) > LARGEST_ANSWER:
                    break
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        log.warning("oidc.unreachable", error=type(error).__name__)
        raise ProviderUnreachable("The provider cannot be reached just now. Try again in a minute.") from error
    try:
        told = orjson.loads(text) if len(text) <= LARGEST_ANSWER else None
    except orjson.JSONDecodeError:
        told = None
    if status >= 500 or not isinstance(told, dict):
        log.warning("oidc.unreadable", status=status)
        raise ProviderUnreachable("The provider answers, but not as it should. Try again in a minute.")
    if status >= 300:
        reason = str(told.get("error", ""))[:60]
        log.warning("oidc.refused", status=status, reason=reason)
        if reason in ("invalid_client", "unauthorized_client"):
            raise LoginRefused("The provider does not know this gateway (client_id or client_secret). Tell an admin.")
        raise LoginRefused("The provider did not take the log-in; it may have been used before. Begin again.")
    return told
