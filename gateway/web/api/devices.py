"""POST under /api/devices: who owns a device, who hears of it, and which unit stands in its place."""

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from device_models.contact import Role
from device_models.purpose import Purpose
from gateway.commands.people import EndContact, LearnDevices, PeopleCommand, ReplaceDevice, SaveContact, TransferDevice
from gateway.web.access import IDENTITY, fields, is_api
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.forms import Sent, optional_text, text_of


async def transfer(request: web.Request) -> web.StreamResponse:
    """POST /api/devices/{id}/transfer: ``customer_id`` (null: nobody), ``at`` (RFC 3339; absent: now)."""
    sent = await fields(request)
    if "customer_id" not in sent:
        raise FieldError("customer_id", "customer_id: whose it is now; null for nobody")
    to = optional_text(sent, "customer_id") or None
    return await _do(request, TransferDevice(request.match_info["id"], to, _by(request), _at(sent)))


async def replace(request: web.Request) -> web.StreamResponse:
    """POST /api/devices/{id}/replace: ``new_id`` takes its place."""
    new_id = text_of(await fields(request), "new_id", what="the new unit's id")
    return await _do(request, ReplaceDevice(request.match_info["id"], new_id, _by(request)))


async def contact(request: web.Request) -> web.StreamResponse:
    """POST /api/devices/{id}/contacts: ``customer_id``, ``role``, ``purposes`` (a list), or ``end``: true."""
    sent = await fields(request)
    device_id, customer_id = request.match_info["id"], text_of(sent, "customer_id", what="the customer's id")
    if sent.get("end") in (True, "1", "true"):
        return await _do(request, EndContact(device_id, customer_id, _by(request)))
    given = sent.get("purposes")
    words = given.split() if isinstance(given, str) else given
    try:
        role = Role(str(sent.get("role", Role.HOUSEHOLD)))
        purposes = tuple(Purpose(str(word)) for word in words) if isinstance(words, list) else None
    except ValueError as error:
        raise FieldError("role", f"role or purposes: {error}") from error
    return await _do(request, SaveContact(device_id, customer_id, role, _by(request), purposes))


async def learn(request: web.Request) -> web.StreamResponse:
    """POST /devices/learn and /api/devices/learn: ``device_ids`` heard, ``profile``, ``customer_id``, ``site``."""
    sent = await fields(request)
    given = sent.get("device_ids")
    ids = [given] if isinstance(given, str) and given and not is_api(request) else given
    if not isinstance(ids, list) or not ids or not all(isinstance(one, str) for one in ids):
        raise FieldError("device_ids", "device_ids: a list of ids that were heard")
    profile = text_of(sent, "profile", what="their profile")
    owner, site = optional_text(sent, "customer_id") or None, optional_text(sent, "site") or None
    return await _do(request, LearnDevices(ids, profile, _by(request), owner, site))


async def _do(request: web.Request, command: PeopleCommand) -> web.StreamResponse:
    result: Any = await request.app[DEPS].commands.submit(command)
    return web.json_response({"ok": True, **(result if isinstance(result, dict) else {})})


def _by(request: web.Request) -> str:
    return request[IDENTITY].name


def _at(sent: Sent) -> datetime | None:
    given = sent.get("at")
    if not given:
        return None
    try:
        at = datetime.fromisoformat(str(given))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise FieldError("at", "at: no time with a zone, such as 2026-11-23T10:00:00Z")
    return at.astimezone(UTC)
