"""Freshdesk by its REST API v2.

Source: developers.freshdesk.com/api, "Tickets" (POST and PUT /api/v2/tickets, status 2 open, 4 resolved, 5 closed;
priority 1 to 4), "Conversations" (POST …/notes, GET …/conversations), "Filter tickets" (GET /api/v2/search/tickets,
``tag:``), "Rate limit" (429 with ``Retry-After``). There is no idempotency key, so a ticket is looked for by its tag
before it is made; the search lags some seconds behind.
"""

import base64
import hmac
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote

import orjson

from gateway.help_desks.desk import Comment, NewTicket, Status, Ticket
from notifiers.callbacks import objects, text_of
from notifiers.errors import Unknown
from notifiers.transports.http import Answer, HttpClient, refusal

_PRIORITIES = {"critical": 4, "major": 3, "minor": 2, "info": 1}
_STATUS: Mapping[Status, int] = {"open": 2, "solved": 4}
_OVER = (4, 5)
_PAGE = 100


class Freshdesk:
    """One account, used as one login."""

    def __init__(self, name: str, url: str, token: str, requester_email: str, timeout_s: float = 20.0) -> None:
        """``url`` is the account's (``https://acme.freshdesk.com``); tickets need a requester: ``requester_email``."""
        self.name = name
        self._url = url.rstrip("/")
        self._requester = requester_email
        login = base64.b64encode(f"{token}:X".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        self._http = HttpClient(name, timeout_s)
        self._own_id = ""

    async def create(self, ticket: NewTicket) -> str:
        """See ``Desk``."""
        query = quote(f"\"tag:'{ticket.external_id}'\"", safe="")
        found = objects((await self._ask("GET", f"/api/v2/search/tickets?query={query}")).json().get("results"))
        if found and (number := text_of(found[0], "id")):
            return number
        wanted = {
            "subject": ticket.subject,
            "description": _html(ticket.body),
            "email": self._requester,
            "priority": _PRIORITIES.get(ticket.severity, 2),
            "status": _STATUS["open"],
            "tags": [*ticket.tags, ticket.external_id],
        }
        number = text_of((await self._ask("POST", "/api/v2/tickets", wanted)).json(), "id")
        if not number:
            raise Unknown(self.name, "no_id", "it made the ticket and named no id")
        return number

    async def comment(self, ticket_id: str, text: str, mark: str, *, status: Status | None, repeated: bool) -> None:
        """See ``Desk``. The status comes last, so that a repeat after half of it sets it again."""
        path = f"/api/v2/tickets/{quote(ticket_id, safe='')}"
        there = repeated and any(mark in one.text for one in (await self.read(ticket_id, 0)).comments)
        if not there:
            await self._ask("POST", f"{path}/notes", {"body": _html(f"{text}\n\n{mark}"), "private": True})
        if status is not None:
            await self._ask("PUT", path, {"status": _STATUS[status]})

    async def read(self, ticket_id: str, after: int) -> Ticket:
        """See ``Desk``."""
        own = await self._own()
        path = f"/api/v2/tickets/{quote(ticket_id, safe='')}"
        status = (await self._ask("GET", path)).json().get("status")
        comments: list[Comment] = []
        page, full = 1, True
        while full:
            read = _listed(await self._ask("GET", f"{path}/conversations?per_page={_PAGE}&page={page}"))
            for one in read:
                number, author = one.get("id"), text_of(one, "user_id")
                # What the customer wrote there is theirs to answer there; it is not the gateway's conversation.
                if isinstance(number, int) and number > after and one.get("incoming") is not True:
                    public = one.get("private") is False
                    comments.append(
                        Comment(number, text_of(one, "body_text"), public, f"agent {author}", author == own)
                    )
            page, full = page + 1, len(read) == _PAGE
        return Ticket("solved" if status in _OVER else "open", sorted(comments, key=lambda one: one.id))

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    async def _own(self) -> str:
        if not self._own_id:
            self._own_id = text_of((await self._ask("GET", "/api/v2/agents/me")).json(), "id")
        return self._own_id

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        sent = orjson.dumps(body) if body is not None else b""
        answer = await self._http.request(method, self._url + path, sent, self._headers)
        if not 200 <= answer.status < 300:
            raise refusal(self.name, answer)
        return answer


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether our automation rule posted this. Freshdesk signs nothing: the rule sends a token of its own."""
    given = headers.get("X-Support-Token", "").encode("utf-8", "surrogateescape")
    return bool(secret) and hmac.compare_digest(secret.encode(), given)


def _listed(answer: Answer) -> list[dict[str, Any]]:
    try:
        return [*objects(orjson.loads(answer.body))]
    except orjson.JSONDecodeError:
        return []


def _html(text: str) -> str:
    return "<br>".join(escape(line) for line in text.splitlines())
