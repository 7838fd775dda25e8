"""Zendesk Support by its REST API v2.

Source: developer.zendesk.com, "Tickets" (POST /api/v2/tickets.json, PUT /api/v2/tickets/{id}.json; ``external_id``,
``comment.public``, priorities low to urgent, status ``solved``; ``Idempotency-Key``: the same key answers with the same
ticket), "Ticket comments" (GET …/comments.json, side-loading ``users``), "Users" (GET /api/v2/users/me.json),
"Rate limits" (429 with ``Retry-After``), "Verifying webhooks" (base64 of HMAC-SHA256 over timestamp and raw body).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from gateway.help_desks.desk import Comment, NewTicket, Status, Ticket
from notifiers.callbacks import objects, part, text_of
from notifiers.errors import Unknown
from notifiers.transports.http import HttpClient, refusal

_PRIORITIES = {"critical": "urgent", "major": "high", "minor": "normal", "info": "low"}
_OVER = frozenset({"solved", "closed"})
_OLDEST_FIRST = "sort_order=asc&per_page=100"


class Zendesk:
    """One account, used as one login."""

    def __init__(self, name: str, url: str, user: str, token: str, timeout_s: float = 20.0) -> None:
        """``url`` is the account's (``https://acme.zendesk.com``), ``user`` the mail address that ``token`` is of."""
        self.name = name
        self._url = url.rstrip("/")
        login = base64.b64encode(f"{user}/token:{token}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {login}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self._http = HttpClient(name, timeout_s)
        self._own_id = ""

    async def create(self, ticket: NewTicket) -> str:
        """See ``Desk``."""
        wanted = {
            "external_id": ticket.external_id,
            "subject": ticket.subject,
            "comment": {"body": ticket.body, "public": False},
            "priority": _PRIORITIES.get(ticket.severity, "normal"),
            "tags": list(ticket.tags),
        }
        made = await self._ask(
            "POST", "/api/v2/tickets.json", {"ticket": wanted}, {"Idempotency-Key": ticket.external_id}
        )
        number = text_of(part(made, "ticket"), "id")
        if not number:
            raise Unknown(self.name, "no_id", "it made the ticket and named no id")
        return number

    async def comment(self, ticket_id: str, text: str, mark: str, *, status: Status | None, repeated: bool) -> None:
        """See ``Desk``."""
        if repeated and any(mark in one.text for one in (await self.read(ticket_id, 0)).comments):
            return
        update: dict[str, Any] = {"comment": {"body": f"{text}\n\n{mark}", "public": False}}
        if status is not None:
            update["status"] = status
        await self._ask("PUT", f"/api/v2/tickets/{quote(ticket_id, safe='')}.json", {"ticket": update})

    async def read(self, ticket_id: str, after: int) -> Ticket:
        """See ``Desk``."""
        own = await self._own()
        path = f"/api/v2/tickets/{quote(ticket_id, safe='')}"
        status = text_of(part(await self._ask("GET", f"{path}.json"), "ticket"), "status")
        comments: list[Comment] = []
        page = f"{path}/comments.json?include=users&{_OLDEST_FIRST}"
        while page:
            read = await self._ask("GET", page)
            names = {text_of(one, "id"): text_of(one, "name") for one in objects(read.get("users"))}
            for one in objects(read.get("comments")):
                author = text_of(one, "author_id")
                number = one.get("id")
                if isinstance(number, int) and number > after:
                    said = text_of(one, "plain_body") or text_of(one, "body")
                    comment = Comment(number, said, one.get("public") is True, names.get(author, author), author == own)
                    comments.append(comment)
            # Its address is absolute; only the part behind our own account is believed.
            page = text_of(read, "next_page").removeprefix(self._url)
            page = page if page.startswith("/api/") else ""
        return Ticket("solved" if status in _OVER else "open", sorted(comments, key=lambda one: one.id))

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    async def _own(self) -> str:
        if not self._own_id:
            self._own_id = text_of(part(await self._ask("GET", "/api/v2/users/me.json"), "user"), "id")
        return self._own_id

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        sent = orjson.dumps(body) if body is not None else b""
        answer = await self._http.request(method, self._url + path, sent, {**self._headers, **(headers or {})})
        if not 200 <= answer.status < 300:
            raise refusal(self.name, answer)
        return answer.json()


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Tell whether Zendesk posted this webhook; compares in constant time."""
    stamp = headers.get("X-Zendesk-Webhook-Signature-Timestamp", "")
    digest = hmac.digest(secret.encode(), stamp.encode("utf-8", "surrogateescape") + body, hashlib.sha256)
    given = headers.get("X-Zendesk-Webhook-Signature", "").encode("utf-8", "surrogateescape")
    return bool(stamp) and hmac.compare_digest(base64.b64encode(digest), given)
