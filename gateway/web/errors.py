"""Refusals as people and programs read them: a page, or problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import sqlalchemy as sa
from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.commands import CommandRefused, Stale
from gateway.store.dialect import may_pass
from gateway.web.access import IDENTITY, nul, wants_json
from gateway.web.customer.session import gone
from gateway.web.language import _, refusal, say
from gateway.web.render import html


class FieldError(Exception):
    """Something sent cannot be used; ``field`` names it, the message says how to mend it. Its catcher answers 422."""

    def __init__(self, field: str, message: str) -> None:
        """Name the field and the mend."""
        super().__init__(message)
        self.field = field


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what handlers refuse into answers; anything unforeseen stays an exception and is logged as one."""
    try:
        if "\0" in request.path:
            raise web.HTTPNotFound  # Nothing has such a name, and PostgreSQL cannot even look for it.
        if "\0" in request.query_string:
            raise nul()
        return await handler(request)
    except Stale as stale:
        told = {"changed_by": stale.by, "changed_at": stale.at, "change": stale.what}
        by_whom = stale.by, (stale.what or "").replace("_", " ")
        known = say("{1} changed this meanwhile ({2}); look at it again, then decide.", *by_whom)
        said = known if stale.by else _("This was changed meanwhile; look at it again, then decide.")
        return answer(request, HTTPStatus.PRECONDITION_FAILED, said, told)
    except CommandRefused as error:
        return answer(request, HTTPStatus.CONFLICT, refusal(str(error)))
    except FieldError as error:
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, refusal(str(error)), {"field": error.field})
    except sa.exc.OperationalError as error:
        if may_pass(error):
            raise
        return answer(request, HTTPStatus.UNPROCESSABLE_ENTITY, _("Something in it is too long to be kept."))
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        refused = answer(request, HTTPStatus(error.status), refusal(error.text or ""))
        for name in ("Allow", "WWW-Authenticate", "Retry-After"):
            if name in error.headers:
                refused.headers[name] = error.headers[name]
        return refused


def answer(
    request: web.Request, status: HTTPStatus, detail: str, more: Mapping[str, Any] | None = None
) -> web.Response:
    """Say no: as problem+json to code, as a page to a person."""
    if request.path.startswith("/p/"):
        return gone(request, status)
    if wants_json(request):
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
        body = orjson.dumps({**problem, **(more or {})}, option=orjson.OPT_UTC_Z)
        return web.Response(body=body, status=status, content_type="application/problem+json")
    # The framework's own words ("404: Not Found") say nothing that the heading does not.
    said = "" if detail.startswith(f"{status.value}:") else detail
    known = request.get(IDENTITY) is not None
    return html(request, "error.html", {"status": status, "detail": said, "logged_in": known}, status=status)
