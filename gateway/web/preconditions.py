"""Conditional requests: ETag and If-None-Match on what is read, If-Match on what is changed. Source: RFC 9110 §13.

An ETag is ``"tag.bytes"``: the state of the thing, then a digest of this very answer. If-None-Match looks at all of it,
If-Match at the state alone, so that a case whose chart grew by a minute is still the one that somebody read.
"""

import hashlib
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from aiohttp import web

from gateway.commands import Command, Commands, Unchanged
from gateway.unchanged import tag_of, text_ident
from gateway.web.deps import DEPS

FORM_FIELD = "_if_match"
"""What a form sends instead of the header; ``new``: it must not be there yet."""
_AT: Mapping[str, tuple[str, str] | None] = {
    "/cases/{id}": ("case", "id"),
    "/customers/{id}": ("customer", "id"),
    "/devices/{id}": ("device", "id"),
    "/drafts/{id}": ("draft", "id"),
    "/import/{kind}": ("", "record"),
    "/macros": ("macro", "name"),
    "/messages/{id}": ("message", "id"),
    "/rota": ("rota", "name"),
    **dict.fromkeys(("/rota/swap", "/rota/swap-drop", "/rota/contacts", "/rota/test"), None),
    "/rules/{id}": ("rules", "id"),
    "/silences/{id}": ("silence", "id"),
    "/sla/hours": ("hours", "name"),
    "/sla/hours-drop": ("hours", "name"),
    "/sla/policy": ("policy", "name"),
    "/sla/policy-drop": ("policy", "name"),
    "/tasks/{id}": ("task", "id"),
    "/teams": ("team", "name"),
    "/teams/away": None,
    "/texts": ("text", "text"),
    "/texts/{id}": ("text", "id"),
    **dict.fromkeys(
        (
            "/texts/draft",
            "/texts/draft-drop",
            "/texts/drafts",
            "/texts/mail",
            "/texts/messages",
            "/texts/preview",
            "/texts/test",
            "/texts/versions",
        ),
        None,
    ),
    "/users": ("user", "name"),
    "/versions/{id}": ("rules", "id"),
    "/views/{id}": ("view", "id"),
}
"""By the beginning of an address (without /api, /admin): what it is about, and where its name stands: in the address
(``id``), in the body (``name``), in the one record that is sent, or in which text it is (``text``). None: it is about
no thing, though it lies below the address of one."""
_FREE = ("/here", "/translate", "/note", "/reply", "/export", "/inbox/read", "/backtest", "/backtest/stop", "/command")
"""Endings of what overwrites nothing, so that no condition is demanded."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What a request wants to find."""

    thing: str
    ident: str
    seen: tuple[str, ...]
    by: str


_condition: ContextVar[Condition | None] = ContextVar("condition", default=None)


class Conditional:
    """Commands whose first one in a request is run under the request's condition; handlers need not know of it."""

    def __init__(self, commands: Commands) -> None:
        """Hand on to ``commands``."""
        self._commands = commands

    async def submit(self, command: Command) -> Any:
        """See ``Commands.submit``; raises Stale where the condition does not hold."""
        condition = _condition.get()
        if condition is None:
            return await self._commands.submit(command)
        # A second command of the same request meets what the first one changed.
        _condition.set(None)
        wanted = Unchanged(command, condition.thing, condition.ident, condition.seen, condition.by)
        return await self._commands.submit(wanted)


def about(path: str) -> tuple[str, str] | None:
    """Return what the address of a route is about, and where its name stands; None for what is no thing."""
    bare = path.replace(r"{id:\d+}", "{id}").removeprefix("/api").removeprefix("/admin")
    found = [start for start in _AT if bare == start or bare.startswith(start + "/")]
    return _AT[max(found, key=len)] if found else None


def must_have_condition(request: web.Request, path: str) -> bool:
    """Whether the configuration demands a condition here: of programs that change a thing which may be there."""
    demanded = request.app[DEPS].require_if_match and path.startswith("/api/") and not path.endswith(_FREE)
    return demanded and about(path) is not None and not path.startswith("/api/import/")


def wanted(request: web.Request, path: str, sent: Mapping[str, Any], by: str) -> Condition | None:
    """Read the condition of a request that changes something; None where it names none, or no thing."""
    header = request.headers.get("If-Match") or (sent.get(FORM_FIELD) if FORM_FIELD in sent else None)
    new = request.headers.get("If-None-Match") == "*" or header == "new"
    known = about(path)
    if known is None or not (header or new):
        return None
    thing, where = known
    ident: Any = request.match_info.get("id") if where == "id" else sent.get(where)
    if where == "text":
        ident = text_ident(*(str(sent.get(name) or "").strip() for name in ("kind", "name", "language")))
    if where == "record":
        thing = request.match_info["kind"].removesuffix("s")
        records = sent.get("records")
        one = records[0] if isinstance(records, list) and len(records) == 1 else None
        ident = one.get("id") if isinstance(one, dict) else None
    if thing in ("shop", "offer") or not isinstance(ident, str) or not ident:
        return None
    return Condition(thing, ident.strip(), () if new else tags_in(str(header)), by)


def put(condition: Condition | None) -> None:
    """Let commands from here on be run under ``condition``; each request sets its own, or none."""
    _condition.set(condition)


def tags_in(header: str) -> tuple[str, ...]:
    """Read If-Match: the states that its ETags name; ``*`` is any. What cannot be an ETag matches nothing."""
    if header.strip() == "*":
        return ("*",)
    tags = [part.strip() for part in header.split(",")]
    strong = [tag[1:-1] for tag in tags if len(tag) > 2 and tag[0] == tag[-1] == '"']
    return tuple(tag.split(".")[0] for tag in strong) or ("",)


def quoted(tag: str) -> str:
    """Write a tag as an entity tag."""
    return f'"{tag}"'


def tag_here(request: web.Request, path: str, connection: sa.Connection) -> str | None:
    """Return the tag of what a GET is about."""
    known = about(path)
    if known == ("text", "text") and "kind" in request.query:
        return tag_of(connection, "text", text_ident(*(request.query.get(n, "") for n in ("kind", "name", "language"))))
    if known is None or known[1] != "id" or request.match_info.get("id") is None:
        return None
    return tag_of(connection, known[0], request.match_info["id"])


def answered(request: web.Request, response: web.StreamResponse, tag: str | None) -> web.StreamResponse:
    """Give an answer its ETag, or say 304 to who has it already."""
    if response.status != 200 or not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return response
    digest = hashlib.sha256(response.body).hexdigest()[:16]
    etag = quoted(f"{tag}.{digest}" if tag else digest)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    asked = [part.strip().removeprefix("W/") for part in request.headers.get("If-None-Match", "").split(",")]
    if etag in asked or "*" in asked:
        return web.Response(status=304, headers=headers)
    response.headers.update(headers)
    return response


def with_etags(
    connection: sa.Connection, thing: str, rows: Sequence[Mapping[str, Any]], key: str = "id"
) -> list[dict[str, Any]]:
    """Add to each row of a list the ``etag`` that If-Match takes."""
    return [{**row, "etag": quoted(tag_of(connection, thing, str(row[key])) or "")} for row in rows]
