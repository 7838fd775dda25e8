"""Routes say who may use them, and this door asks: session or token, role, CSRF."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

import orjson
import sqlalchemy as sa
from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from gateway.web import preconditions
from gateway.web.auth import SESSION_COOKIE, Identity, Role, csrf_matches, csrf_token, token_hash
from gateway.web.deps import DEPS
from gateway.web.language import speak
from gateway.web.queries import people
from gateway.web.scope import Scope, exists, narrow, subjects

IDENTITY = web.RequestKey("identity", Identity)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BEFORE_SECOND_FACTOR = frozenset({"/me", "/me/second-factor", "/logout"})
"""All that opens to somebody whose role wants a second factor, until it is there."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table of routes."""

    method: str
    path: str
    handler: Handler
    role: Role | None
    """The least role that may use it; None: public, and the handler knows whom to trust (a signed link or body)."""


async def read(
    request: web.Request, query: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a query in a thread, on a connection of its own that sees what whoever asks may see."""
    store, identity = request.app[DEPS].store, request.get(IDENTITY)

    def run() -> T:
        with store.read() as connection:
            if identity is not None:
                narrow(connection, identity.scope)
            return query(connection, *args, **kwargs)

    return await asyncio.to_thread(run)


def guarded(route: Route) -> Handler:
    """Put the door before a route's handler."""
    needed = route.role
    if needed is None:
        return route.handler

    async def door(request: web.Request) -> web.StreamResponse:
        identity = await identify(request)
        if identity is None:
            raise _unknown(request)
        if must_set_second_factor(request, identity) and route.path not in _BEFORE_SECOND_FACTOR:
            if wants_json(request) or request.method not in SAFE:
                raise web.HTTPForbidden(text="Set up your second factor first, under your account.")
            raise web.HTTPSeeOther("/me")
        if not identity.role.covers(needed):
            raise web.HTTPForbidden(text=f"This needs the role {needed}; you are {identity.role}.")
        if request.method not in SAFE and identity.session_hash is not None:
            await _check_csrf(request, identity.session_hash)
        request[IDENTITY] = identity
        if identity.language is not None and not is_api(request):
            speak(identity.language)
        if identity.scope.bounded:
            await keep_within(request, route, identity.scope)
        if request.method not in SAFE:
            preconditions.put(await _condition(request, route.path, identity.name))
            return await route.handler(request)
        tag = await read(request, partial(preconditions.tag_here, request, route.path)) if is_api(request) else None
        response = await route.handler(request)
        return preconditions.answered(request, response, tag) if is_api(request) else response

    return door


async def _condition(request: web.Request, path: str, by: str) -> preconditions.Condition | None:
    """Read what a change wants to find. Raises HTTPPreconditionRequired where it must say so and does not."""
    if preconditions.about(path) is None:
        return None
    named = "If-Match" in request.headers or request.headers.get("If-None-Match") == "*"
    if not named and preconditions.must_have_condition(request, path):
        raise web.HTTPPreconditionRequired(text="Send If-Match with the ETag of what you read, or * for any.")
    if not named and request.content_type == "application/json":
        return None
    return preconditions.wanted(request, path, await fields(request), by)


async def keep_within(request: web.Request, route: Route, scope: Scope) -> None:
    """Let somebody whose role is bounded do nothing to what they do not see, nor to what is everybody's."""
    changes = request.method not in SAFE
    if changes and route.role is not None and route.role.covers(Role.LEAD):
        raise web.HTTPForbidden(text=f"This changes things for everybody; you see {scope.words()}.")
    named = subjects(route.path, request.match_info.get("id"), await fields(request) if changes else {})
    store = request.app[DEPS].store

    def outside() -> bool:
        with store.read() as everything, store.read() as within:
            narrow(within, scope)
            return any(exists(everything, *one) and not exists(within, *one) for one in named)

    if await asyncio.to_thread(outside):
        raise web.HTTPForbidden(text=f"This is not yours to see: you see {scope.words()}.")


def must_set_second_factor(request: web.Request, identity: Identity) -> bool:
    """Whether this person's role wants a second factor that they have not set up. A token has none to give."""
    wanted = identity.role in request.app[DEPS].second_factor_for
    locally = identity.session_hash is not None and not identity.by_provider
    return wanted and locally and not identity.second_factor


async def identify(request: web.Request) -> Identity | None:
    """Tell who asks: by ``Authorization: Bearer`` under /api, else by the session's cookie."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if is_api(request) and scheme.lower() == "bearer":
        return await read(request, people.identity_of_token, token_hash(token.strip()))
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        return None
    return await read(request, people.identity_of_session, token_hash(cookie), request.app[DEPS].clock.now())


def csrf_of(request: web.Request) -> str:
    """Return the token that this user's forms carry; empty for an API token."""
    session = request[IDENTITY].session_hash
    return csrf_token(request.app[DEPS].secret, session) if session else ""


def is_api(request: web.Request) -> bool:
    """Whether a program is asking rather than a page."""
    return request.path.startswith("/api/")


def wants_json(request: web.Request) -> bool:
    """Whether the answer is read by code: the API, or a form that our script sent."""
    return is_api(request) or request.headers.get("Accept", "").startswith("application/json")


async def fields(request: web.Request) -> Mapping[str, Any]:
    """Return what was sent, as a form or as a JSON object.

    Raises HTTPBadRequest where it is neither.
    """
    if request.content_type != "application/json":
        return await form_of(request)
    body = await request.read()
    try:
        # orjson is strict where json is lax: UTF-8 alone, bounded depth, and no half of a surrogate pair, which
        # neither the database nor an answer could hold.
        sent = orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text="The body is no JSON.") from error
    if not isinstance(sent, dict):
        raise web.HTTPBadRequest(text="The body is no JSON object.")
    if b"\\u0000" in orjson.dumps(sent).replace(b"\\\\", b""):
        raise nul()
    return sent


def nul() -> web.HTTPBadRequest:
    """Refuse what PostgreSQL takes in no text, not even to compare with, and nobody types."""
    return web.HTTPBadRequest(text="A NUL character can be neither looked for nor kept.")


async def form_of(request: web.Request) -> Mapping[str, str]:
    """Return a form's texts; uploads are left out.

    Raises HTTPBadRequest where the body is not what its Content-Type says.
    """
    try:
        sent = await request.post()
    except (ValueError, LookupError) as error:
        # A multipart body without its boundaries; a charset that nobody knows.
        raise web.HTTPBadRequest(text="The body is no form.") from error
    texts = {name: value for name, value in sent.items() if isinstance(value, str)}
    if any("\0" in text for item in texts.items() for text in item):
        raise nul()
    return texts


def _unknown(request: web.Request) -> web.HTTPException:
    if wants_json(request) or request.method not in SAFE:
        return web.HTTPUnauthorized(text="Log in, or send an API token.", headers={"WWW-Authenticate": "Bearer"})
    return web.HTTPSeeOther(URL("/login").with_query(next=request.path_qs))


async def _check_csrf(request: web.Request, session: str) -> None:
    given = request.headers.get("X-CSRF-Token")
    if given is None and request.content_type != "application/json":
        given = (await form_of(request)).get("_csrf", "")
    if not csrf_matches(request.app[DEPS].secret, session, given or ""):
        raise web.HTTPForbidden(text="This form is from an older session. Reload the page and try again.")
