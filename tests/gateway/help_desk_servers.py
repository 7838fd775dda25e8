"""Help desks to talk to: what Zendesk and Freshdesk answer, over real HTTP, with their own errors."""

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.notifiers.servers import Answer, Request, json_answer

AGENT, OWN = 11, 77
"""Ids of an agent there, and of the gateway's own login."""


@dataclass
class Stored:
    """A ticket of the pretended help desk."""

    id: int
    fields: dict[str, Any]
    status: str = "open"
    comments: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class HelpDeskServer(ABC):
    """What both share: tickets in memory, and a plan of what to answer first instead."""

    tickets: list[Stored] = field(default_factory=list)
    plan: list[Answer | str] = field(default_factory=list)
    """Answered, and used up, before anything is looked at."""
    late: list[Answer | str] = field(default_factory=list)
    """The same, after it was carried out: the answer is lost, not the deed."""
    numbers: int = 100
    base: str = ""
    keys: dict[str, Stored] = field(default_factory=dict)
    """Tickets by idempotency key."""

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def __call__(self, request: Request) -> Answer | str:
        if self.plan:
            return self.plan.pop(0)
        answer = self.act(request)
        return self.late.pop(0) if self.late and request.method != "GET" else answer

    @abstractmethod
    def act(self, request: Request) -> Answer:
        """Answer as the help desk does."""

    def says(self, ticket: Stored, text: str, *, public: bool, author: int = AGENT) -> None:
        """Somebody writes there."""
        ticket.comments.append({"id": self.number(), "text": text, "public": public, "author": author})

    def find(self, number: str) -> Stored | None:
        return next((ticket for ticket in self.tickets if str(ticket.id) == number), None)


class ZendeskServer(HelpDeskServer):
    """Zendesk Support's API v2, as far as it is used."""

    def act(self, request: Request) -> Answer:
        expected = "Basic " + base64.b64encode(b"bot@acme.example/token:zd-token").decode()
        if request.headers.get("authorization") != expected:
            return json_answer(401, {"error": "Couldn't authenticate you"})
        url = urlsplit(request.path)
        if (request.method, url.path) == ("GET", "/api/v2/users/me.json"):
            return json_answer(200, {"user": {"id": OWN, "name": "Support bot"}})
        if (request.method, url.path) == ("POST", "/api/v2/tickets.json"):
            return self._create(request)
        found = re.fullmatch(r"/api/v2/tickets/(\d+)(/comments)?\.json", url.path)
        ticket = self.find(found[1]) if found else None
        if found is None or ticket is None:
            return json_answer(404, {"error": "RecordNotFound", "description": "Not found"})
        if request.method == "GET" and found[2]:
            return self._comments(ticket, int(parse_qs(url.query).get("page", ["1"])[0]))
        if request.method == "GET":
            return json_answer(200, {"ticket": {"id": ticket.id, "status": ticket.status}})
        return self._update(ticket, json.loads(request.body)["ticket"])

    def _create(self, request: Request) -> Answer:
        key = request.headers.get("idempotency-key", "")
        if key not in self.keys:
            sent = json.loads(request.body)["ticket"]
            if not sent["comment"]["body"] or sent["priority"] not in ("low", "normal", "high", "urgent"):
                return json_answer(422, {"error": "RecordInvalid"})
            ticket = Stored(self.number(), sent)
            self.says(ticket, sent["comment"]["body"], public=sent["comment"]["public"], author=OWN)
            self.tickets.append(ticket)
            self.keys[key] = ticket
        return json_answer(201, {"ticket": {"id": self.keys[key].id}})

    def _update(self, ticket: Stored, sent: dict[str, Any]) -> Answer:
        if ticket.status == "closed":
            return json_answer(422, {"error": "RecordInvalid", "details": {"status": [{"description": "closed"}]}})
        self.says(ticket, sent["comment"]["body"], public=sent["comment"]["public"], author=OWN)
        ticket.status = sent.get("status", ticket.status)
        return json_answer(200, {"ticket": {"id": ticket.id}})

    def _comments(self, ticket: Stored, page: int, size: int = 3) -> Answer:
        shown = ticket.comments[(page - 1) * size : page * size]
        more = len(ticket.comments) > page * size
        following = f"{self.base}/api/v2/tickets/{ticket.id}/comments.json?include=users&page={page + 1}"
        comments = [
            {"id": one["id"], "body": one["text"], "plain_body": one["text"], "public": one["public"]}
            | {"author_id": one["author"]}
            for one in shown
        ]
        users = [{"id": AGENT, "name": "Zoe"}, {"id": OWN, "name": "Support bot"}]
        return json_answer(200, {"comments": comments, "users": users, "next_page": following if more else None})


class FreshdeskServer(HelpDeskServer):
    """Freshdesk's API v2, as far as it is used."""

    def act(self, request: Request) -> Answer:
        if request.headers.get("authorization") != "Basic " + base64.b64encode(b"fd-token:X").decode():
            return json_answer(401, {"code": "invalid_credentials"})
        url = urlsplit(request.path)
        if (request.method, url.path) == ("GET", "/api/v2/agents/me"):
            return json_answer(200, {"id": OWN})
        if (request.method, url.path) == ("GET", "/api/v2/search/tickets"):
            wanted = re.fullmatch(r"\"tag:'([^']+)'\"", unquote(url.query.removeprefix("query=")))
            assert wanted is not None, url.query
            found = [t for t in self.tickets if wanted[1] in t.fields["tags"]]
            return json_answer(200, {"total": len(found), "results": [{"id": t.id} for t in found]})
        if (request.method, url.path) == ("POST", "/api/v2/tickets"):
            sent = json.loads(request.body)
            if "@" not in sent.get("email", "") or sent["status"] not in (2, 3, 4, 5):
                return json_answer(400, {"description": "Validation failed"})
            ticket = Stored(self.number(), sent)
            self.tickets.append(ticket)
            return json_answer(201, {"id": ticket.id})
        return self._about(request, url.path)

    def _about(self, request: Request, path: str) -> Answer:
        found = re.fullmatch(r"/api/v2/tickets/(\d+)(/notes|/conversations)?", path)
        ticket = self.find(found[1]) if found else None
        if found is None or ticket is None:
            return Answer(404)
        act: dict[tuple[str, str | None], Callable[[], Answer]] = {
            ("GET", None): lambda: json_answer(
                200, {"id": ticket.id, "status": {"open": 2, "solved": 4}[ticket.status]}
            ),
            ("PUT", None): lambda: self._put(ticket, json.loads(request.body)),
            ("POST", "/notes"): lambda: self._note(ticket, json.loads(request.body)),
            ("GET", "/conversations"): lambda: self._conversations(ticket, parse_qs(urlsplit(request.path).query)),
        }
        return act[request.method, found[2]]()

    def _put(self, ticket: Stored, sent: dict[str, Any]) -> Answer:
        ticket.status = {2: "open", 4: "solved"}[sent["status"]]
        return json_answer(200, {"id": ticket.id})

    def _note(self, ticket: Stored, sent: dict[str, Any]) -> Answer:
        self.says(ticket, sent["body"].replace("<br>", "\n"), public=not sent["private"], author=OWN)
        return json_answer(201, {"id": self.numbers})

    def _conversations(self, ticket: Stored, query: dict[str, list[str]]) -> Answer:
        size, page = int(query["per_page"][0]), int(query["page"][0])
        shown = ticket.comments[(page - 1) * size : page * size]
        listed = [
            {"id": one["id"], "body_text": one["text"], "private": not one["public"], "incoming": False}
            | {"user_id": one["author"]}
            for one in shown
        ]
        return Answer(200, json.dumps(listed).encode(), (("Content-Type", "application/json"),))
