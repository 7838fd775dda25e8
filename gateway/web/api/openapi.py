"""The API described for programs: OpenAPI 3.1, made from the table of routes, so that no address is missing in it.

Source: OpenAPI Specification 3.1.0; RFC 9457 for problems. What a command takes stands in ``FIELDS`` below; an address
that is not in it takes any JSON object.
"""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from aiohttp import web

from device_models.purpose import Severity
from gateway.web.access import Route
from gateway.web.api.present import answer
from gateway.web.auth import Role
from gateway.web.deps import DEPS
from gateway.web.preconditions import about
from gateway.web.queries.fleet import BYS

Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_FLAG: Schema = {"type": "boolean", "default": False}
_OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
_IDS: Schema = {"type": "array", "items": {"type": "string"}}
_OR_NULL: Schema = {"type": ["string", "null"]}
_ROLE: Schema = {"enum": [role.value for role in Role]}
_WHICH_TEXT: Mapping[str, tuple[Schema, bool]] = {
    "kind": ({"enum": ["template", "words", "article"]}, True),
    "name": (_TEXT, False),
    "language": (_TEXT, False),
}
_TRIED: Mapping[str, tuple[Schema, bool]] = {
    "template": (_TEXT, False),
    "channel": ({"enum": ["email", "sms", "whatsapp"], "default": "email"}, False),
    "rule": (_TEXT, False),
}

FIELDS: Mapping[str, Mapping[str, tuple[Schema, bool]]] = {
    "/api/cases/{id}/assign": {"assignee": (_OR_NULL, False)},
    "/api/cases/{id}/note": {"text": (_TEXT, True)},
    "/api/cases/{id}/reply": {"text": (_TEXT, True), "waits": (_FLAG, False)},
    "/api/cases/{id}/resolve": {
        **dict.fromkeys(("resolution", "cause", "fix"), (_TEXT, False)),
        "tell_customer": ({**_FLAG, "default": True}, False),
    },
    "/api/cases/{id}/translate": {"text": (_TEXT, True)},
    "/api/unjoined/{id}/join": {"case_id": ({"type": "integer"}, True)},
    "/api/cases/{id}/service": {"answer": ({"enum": ["done", "later"]}, True)},
    "/api/cases/{id}/verdict": {
        "verdict": ({"enum": ["real", "false_alarm", "duplicate", None]}, True),
        "duplicate_of": ({"type": "integer"}, False),
    },
    "/api/cases": {
        "title": (_TEXT, True),
        **dict.fromkeys(("device_id", "customer_id", "text"), (_TEXT, False)),
        "severity": ({"enum": [severity.value for severity in Severity], "default": "major"}, False),
        "missed": (_FLAG, False),
    },
    "/api/cases/{id}/snooze": {"until": ({"type": ["string", "null"], "format": "date-time"}, False)},
    "/api/cases/{id}/route": {"team": (_TEXT, True)},
    "/api/teams": {
        "name": (_TEXT, True),
        "position": ({"type": "integer"}, False),
        "members": (_OBJECTS, False),
        "assigns": (_FLAG, False),
        **dict.fromkeys(("new_name", "hours", "fallback", "rules", "profiles", "languages", "regions"), (_TEXT, False)),
    },
    "/api/teams/drop": {"name": (_TEXT, True)},
    "/api/teams/away": {"until": ({"type": ["string", "null"], "format": "date-time"}, False), "name": (_TEXT, False)},
    "/api/scopes": {"who": (_TEXT, True), "teams": (_TEXT, False), "regions": (_TEXT, False)},
    "/api/rota": {
        "name": (_TEXT, True),
        "zone": (_TEXT, True),
        "lines": (_OBJECTS, True),
        **dict.fromkeys(("team", "severities", "ack_within"), (_TEXT, False)),
        **dict.fromkeys(("breaches", "alarms"), (_FLAG, False)),
    },
    "/api/rota/drop": {"name": (_TEXT, True)},
    "/api/rota/swap": {
        **dict.fromkeys(("rota", "person"), (_TEXT, True)),
        **dict.fromkeys(("begins", "ends"), (_TIME, True)),
        "instead_of": (_TEXT, False),
    },
    "/api/rota/swap-drop": {"id": ({"type": "integer"}, True)},
    "/api/rota/contacts": {"contacts": (_OBJECTS, True)},
    "/api/rota/test": {"name": (_TEXT, True)},
    "/api/cases/{id}/wait": {"waiting": ({**_FLAG, "default": True}, False)},
    "/api/cases/{id}/merge": {"into": ({"type": "integer"}, True)},
    "/api/cases/{id}/split": {"entry": ({"type": "integer"}, True)},
    "/api/cases/{id}/link": {"other": ({"type": "integer"}, True), "linked": ({**_FLAG, "default": True}, False)},
    "/api/cases/{id}/escalate": {"reason": (_OR_NULL, False), "to": (_OR_NULL, False), "undo": (_FLAG, False)},
    "/api/cases/{id}/field": {"task": (_OR_NULL, False)},
    "/api/cases/{id}/step": {"step": (_TEXT, True), "done": ({**_FLAG, "default": True}, False)},
    "/api/cases/{id}/here": {"writing": (_FLAG, False), "gone": (_FLAG, False)},
    "/api/would-be/{id}/verdict": {"verdict": ({"enum": ["real", "false_alarm", None]}, True)},
    "/api/devices/{id}/command": {"name": (_TEXT, True), "case_id": ({"type": "integer"}, False)},
    "/api/macros": {"name": (_TEXT, True), "text": (_OR_NULL, False), "sends": (_FLAG, False)},
    "/api/phrases": {
        **dict.fromkeys(("text", "intent"), (_TEXT, True)),
        "language": (_TEXT, False),
        "inbound_id": ({"type": "integer"}, False),
    },
    "/api/texts": {**_WHICH_TEXT, "text": (_OR_NULL, False), "seen": ({"type": ["integer", "null"]}, False)},
    "/api/texts/draft": {**_WHICH_TEXT, "text": (_TEXT, True), "seen": ({"type": ["integer", "null"]}, False)},
    "/api/texts/draft-drop": dict(_WHICH_TEXT),
    "/api/texts/live": dict(_WHICH_TEXT),
    "/api/texts/preview": {**_WHICH_TEXT, "text": (_OR_NULL, False), **_TRIED},
    "/api/texts/test": {
        **_TRIED,
        "template": (_TEXT, True),
        "language": (_TEXT, False),
        "address": (_TEXT, True),
        "draft": (_FLAG, False),
    },
    "/api/rules/check": {"text": (_TEXT, True), "replaces": (_IDS, False)},
    "/api/suggestions": {
        "since": ({**_TEXT, "default": "90d"}, False),
        "keep": ({"type": "number", "minimum": 0, "maximum": 1, "default": 1}, False),
        "favour": ({"enum": ["precision", "recall"], "default": "precision"}, False),
    },
    "/api/suggestions/{id}/draft": {"try": (_FLAG, False)},
    "/api/drafts": {"text": (_TEXT, True), "replaces": (_IDS, False)},
    "/api/drafts/{id}": {"text": (_TEXT, True), "seen": ({"type": ["integer", "null"]}, False)},
    "/api/drafts/{id}/drop": {"back": (_FLAG, False)},
    "/api/drafts/{id}/live": {"seen": ({"type": "integer"}, True), "in_force": (_TEXT, True)},
    "/api/drafts/{id}/backtest": {"span": ({**_TEXT, "default": "30d"}, False), "zone": (_TEXT, False)},
    "/api/views": {
        "name": (_TEXT, True),
        **dict.fromkeys(("view", "severity", "owner", "team", "rule", "site", "q"), (_TEXT, False)),
        "shared": (_FLAG, False),
    },
    "/api/messages/{id}/approve": {"text": (_OR_NULL, False)},
    "/api/messages/{id}/discard": {"reason": (_TEXT, False)},
    "/api/release": {"discard": (_FLAG, False)},
    "/api/silences": {
        "reason": (_TEXT, True),
        "for": (_TEXT, False),
        "ends_at": (_TIME, False),
        "safety": (_FLAG, False),
        **dict.fromkeys(("device_id", "site", "profile", "customer_id", "rule"), (_TEXT, False)),
        **dict.fromkeys(("days", "from", "until", "zone"), (_TEXT, False)),
    },
    "/api/sla/hours": {
        **dict.fromkeys(("name", "hours", "zone"), (_TEXT, True)),
        **dict.fromkeys(("place", "closed_on"), (_TEXT, False)),
    },
    "/api/sla/hours-drop": {"name": (_TEXT, True)},
    "/api/sla/policy": {
        "name": (_TEXT, True),
        "position": ({"type": "integer"}, False),
        **dict.fromkeys(
            ("first_response", "next_response", "resolve", "warn_before", "hours", "new_name"), (_TEXT, False)
        ),
        **dict.fromkeys(("severities", "kinds", "segments", "tiers", "pauses"), (_TEXT, False)),
    },
    "/api/sla/policy-drop": {"name": (_TEXT, True)},
    "/api/subscriptions/resume": {"name": (_TEXT, True), "after": ({"type": ["integer", "null"]}, False)},
    "/api/import/{kind}": {"records": (_OBJECTS, True)},
    "/api/users": {"name": (_TEXT, True), "password": ({**_TEXT, "writeOnly": True}, True), "role": (_ROLE, True)},
    "/api/users/invite": {"name": (_TEXT, True), "role": (_ROLE, True), "email": (_TEXT, False)},
    "/api/users/email": {"name": (_TEXT, True), "email": (_TEXT, False)},
    "/api/users/reset": {"name": (_TEXT, True), "second_factor": (_FLAG, False)},
    "/api/users/role": {"name": (_TEXT, True), "role": (_ROLE, True)},
    "/api/users/disable": {"name": (_TEXT, True), "disabled": ({**_FLAG, "default": True}, False)},
    "/api/users/log-out": {"name": (_TEXT, True)},
    "/api/users/drop-second-factor": {"name": (_TEXT, True)},
    "/api/users/hand-to-provider": {"name": (_TEXT, True)},
    "/api/tokens": {"name": (_TEXT, True), "role": (_ROLE, True)},
    "/api/tokens/end": {"id": (_TEXT, True)},
    "/api/devices/{id}/transfer": {"customer_id": (_OR_NULL, True), "at": (_TIME, False)},
    "/api/devices/{id}/replace": {"new_id": (_TEXT, True)},
    "/api/devices/{id}/contacts": {
        "customer_id": (_TEXT, True),
        "role": (_TEXT, False),
        "purposes": ({"type": "array", "items": _TEXT}, False),
        "end": (_FLAG, False),
    },
    "/api/devices/learn": {
        "device_ids": ({"type": "array", "items": _TEXT}, True),
        **dict.fromkeys(("profile", "customer_id", "site"), (_TEXT, False)),
    },
    "/api/messages/{id}/resend": {"address": (_TEXT, False)},
    "/api/offers/redemptions": {"redemptions": (_OBJECTS, True)},
    "/api/tasks/{id}/settle": {"state": ({"enum": ["done", "missed", "cancelled"]}, True), "outcome": (_TEXT, False)},
}
"""What a POST takes: each field's schema, and whether it must be there."""
_PAGE: Mapping[str, Schema] = {
    "cursor": {"type": "string", "maxLength": 100},
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
}
_SPAN: Mapping[str, Schema] = {
    "span": {"enum": ["7d", "30d", "90d", "365d"], "default": "30d"},
    "since": _TIME,
    "until": _TIME,
}
QUERY: Mapping[str, Mapping[str, Schema]] = {
    "/api/texts/one": {name: schema for name, (schema, _) in _WHICH_TEXT.items()},
    "/api/cases": {
        **_PAGE,
        "state": {"enum": ["open", "resolved"]},
        "severity": {"enum": [severity.value for severity in Severity]},
        "on_arrival": {"enum": ["0", "1"]},
        "opened_since": _TIME,
        **dict.fromkeys(("rule", "device_id", "customer_id"), _TEXT),
    },
    "/api/devices": {**_PAGE, "q": _TEXT, "profile": _TEXT, "open": {"enum": ["0", "1"]}},
    "/api/devices/unknown": _PAGE,
    "/api/find": {"q": _TEXT},
    "/api/incidents": {"cursor": _PAGE["cursor"], "state": {"enum": ["open", "resolved"]}},
    "/api/incidents/{id}/devices": {"cursor": _PAGE["cursor"]},
    "/api/unjoined": {"cursor": _PAGE["cursor"]},
    "/api/fleet/health": {"by": {"enum": list(BYS), "default": "firmware"}},
    "/api/review": {"since": {**_TEXT, "default": "30d"}},
    "/api/audit": {**_PAGE, "who": _TEXT, "action": _TEXT},
    "/api/customers": {**_PAGE, "q": _TEXT},
    "/api/customers/{id}/export": {"format": {"enum": ["json", "zip"], "default": "json"}},
    "/api/devices/{id}/explain": {"at": _TIME, "rule": _TEXT},
    "/api/messages": {**_PAGE, "state": _TEXT, "case_id": {"type": "integer"}, "customer_id": _TEXT},
    "/api/offers/decisions": {**_PAGE, "made": {"enum": ["0", "1"]}},
    "/api/rejections": _PAGE,
    "/api/drafts/{id}/why": {"device_id": _TEXT},
    "/api/texts/versions": dict.fromkeys(("kind", "name", "language"), _TEXT),
    "/api/reports/{name}": _SPAN,
}
"""What narrows a GET."""
_SILENT = frozenset({"/api/customers/{id}/inbox/read"})
"""What answers without a body."""
_FILES: Mapping[str, str] = {"/api/versions/{id}/rules.yaml": "application/yaml"}
"""What answers with a file, and of which type."""
_PLACEHOLDER = re.compile(r"{(\w+)(?::[^{}]+)?}")
_PROBLEMS: Mapping[int, str] = {
    400: "The body is no JSON object, or a NUL character stands in it or in the query",
    401: "No token, or an unknown one",
    403: "The role is not enough",
    404: "There is no such thing",
    409: "It cannot be done as things stand; nothing was changed",
    412: "It was changed since it was read; `changed_by`, `changed_at` and `change` say how",
    422: "A value cannot be used; `field` names it",
    428: "This gateway wants If-Match (`web.require_if_match`)",
}


async def show_openapi(request: web.Request) -> web.StreamResponse:
    """GET /api/openapi.json: this very description."""
    from gateway.web.routes import API

    return answer(describe(API, request.app[DEPS].public_url))


def describe(routes: Iterable[Route], url: str) -> dict[str, Any]:
    """Write the description of ``routes``, served at ``url``."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = _PLACEHOLDER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Proactive support gateway",
            "version": version("proactive-support-gateway"),
            "description": "All that the console shows and does. Times are RFC 3339; unknown is null.",
        },
        "servers": [{"url": url}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM},
        },
    }


def _operation(route: Route, path: str) -> dict[str, Any]:
    role = route.role.value if route.role else "nobody's"
    operation: dict[str, Any] = {
        "operationId": _name(route.method, path),
        "tags": [path.split("/")[2]],
        "summary": _summary(route),
        "description": f"Needs the role {role}.",
        "parameters": [
            *_path_parameters(route.path),
            *_query_parameters(path if route.method == "GET" else ""),
            *_header_parameters(route),
        ],
        "responses": _responses(route, path),
    }
    if route.method != "GET":
        taken = FIELDS.get(path, {})
        schema = {"type": "object", "properties": {name: field for name, (field, _) in taken.items()}}
        needed = [name for name, (_, must) in taken.items() if must]
        content = {"application/json": {"schema": schema | ({"required": needed} if needed else {})}}
        operation["requestBody"] = {"required": bool(needed), "content": content}
    return operation


def _header_parameters(route: Route) -> list[dict[str, Any]]:
    """If-None-Match of what is read, If-Match of what is changed."""
    if route.method == "GET":
        known = "The ETag of an earlier answer: 304 if this would be the same"
        return [{"name": "If-None-Match", "in": "header", "schema": _TEXT, "description": known}]
    if about(route.path) is None:
        return []
    told = "The ETag of what was read, or *: 412 if it was changed since"
    return [{"name": "If-Match", "in": "header", "schema": _TEXT, "description": told}]


def _responses(route: Route, path: str) -> dict[str, Any]:
    happens = {400, 401, 403}
    if route.method != "GET":
        happens |= {409, 422} | ({412, 428} if about(route.path) else set())
    elif path in QUERY:
        happens.add(422)
    if "{" in path:
        happens.add(404)
    file = {_FILES[path]: {"schema": _TEXT}} if path in _FILES else None
    done = {"description": "Done", "content": file or {"application/json": {"schema": {"type": "object"}}}}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        **({"204": {"description": "Done"}} if path in _SILENT else {"200": done}),
        **({"304": {"description": "As it was"}} if route.method == "GET" else {}),
        **{str(status): {"description": _PROBLEMS[status], "content": problem} for status in sorted(happens)},
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    found = []
    for match in _PLACEHOLDER.finditer(path):
        schema = {"type": "integer", "minimum": 0} if r"\d" in match[0] else {"type": "string", "minLength": 1}
        found.append({"name": match[1], "in": "path", "required": True, "schema": schema})
    return found


def _query_parameters(path: str) -> list[dict[str, Any]]:
    return [{"name": name, "in": "query", "schema": dict(schema)} for name, schema in QUERY.get(path, {}).items()]


def _summary(route: Route) -> str:
    """The handler's own words behind its address, or the address's last word where it has none."""
    words = " ".join((route.handler.__doc__ or "").split("\n\n")[0].replace("``", "`").split())
    said = words.partition(": ")[2] if words.startswith(("GET ", "POST ")) else words
    return said or route.path.rpartition("/")[2].replace("-", " ").capitalize()


def _name(method: str, path: str) -> str:
    parts = [part.strip("{}").replace("-", "_") for part in path.split("/")[2:]]
    return "_".join([method.lower(), *parts]).replace(".", "_")


_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "field": {**_TEXT, "description": "What was sent that cannot be used, such as records.1.latitude"},
        **dict.fromkeys(("changed_by", "changed_at", "change"), _OR_NULL),
    },
}
