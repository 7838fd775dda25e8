"""Users and API tokens: what an admin changes."""

import asyncio

from aiohttp import web

from gateway.commands import SaveApiToken, SaveUser
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, is_api, wants_json
from gateway.web.auth import Role, hash_password, new_token, token_hash
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.pages.case import done
from gateway.web.pages.shell import show

SHORTEST_PASSWORD = 10
LONGEST_NAME = 60


async def save_user(request: web.Request) -> web.StreamResponse:
    """POST /admin/users: create a user, or set their password and role."""
    sent = await fields(request)
    name, role, password = _name(sent), _role(sent), str(sent.get("password") or "")
    if len(password) < SHORTEST_PASSWORD:
        raise FieldError("password", f"Use at least {SHORTEST_PASSWORD} characters.")
    hashed = await asyncio.to_thread(hash_password, password)
    await request.app[DEPS].commands.submit(SaveUser(name, hashed, role.value, request[IDENTITY].name))
    return done(request, "/admin")


async def save_token(request: web.Request) -> web.StreamResponse:
    """POST /admin/tokens: make an API token; it is shown this once and kept only as a hash."""
    sent = await fields(request)
    name, role, token = _name(sent), _role(sent), new_token()
    await request.app[DEPS].commands.submit(SaveApiToken(token_hash(token), name, role.value, request[IDENTITY].name))
    if wants_json(request) or is_api(request):
        return web.json_response({"token": token})
    return await show(request, "token.html", "admin", token=token, name=name, role=role)


def _name(sent: forms.Sent) -> str:
    name = forms.text_of(sent, "name", what="a name")
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise FieldError("name", f"Use at most {LONGEST_NAME} printable characters.")
    return name


def _role(sent: forms.Sent) -> Role:
    try:
        return Role(str(sent.get("role", "")))
    except ValueError:
        raise FieldError("role", f"Choose one of {', '.join(Role)}.") from None
