"""Rule sets that were live: what each changed, what differs from now, and the way back."""

from typing import Any

import sqlalchemy as sa
from aiohttp import web

from device_models.event import rfc3339
from gateway.commands import RollBackRules
from gateway.rulebook.versions import RuleVersion, live_versions
from gateway.web.access import IDENTITY, is_api, read, wants_json
from gateway.web.api import present
from gateway.web.deps import DEPS
from gateway.web.pages.drafts import desk_of
from gateway.web.pages.shell import show
from rules.authoring.migration import Difference, differences
from rules.schema import RuleSet

SHOWN = 100


async def show_versions(request: web.Request) -> web.StreamResponse:
    """GET /versions: what went live, when, by whom and what it changed; the newest first."""
    versions = await read(request, live_versions, SHOWN)
    return await show(request, "versions.html", "rules", versions=versions)


async def show_version(request: web.Request) -> web.StreamResponse:
    """GET /versions/{id}: what it changed then; and, where it is in force no more, what going back to it would do."""
    version, now = await read(request, _pair, request.match_info["id"])
    in_force = version.version == now.version
    old, new = _rules(version), _rules(now)
    back: list[Difference] = []
    migration: list[dict[str, Any]] = []
    if not in_force and old is not None and new is not None:
        back = differences(new, old)
        migration = await desk_of(request).migration(new, old)
    return await show(
        request,
        "version.html",
        "rules",
        version=version,
        current=now,
        in_force=in_force,
        usable=old is not None,
        back=back,
        migration=migration,
    )


async def download(request: web.Request) -> web.StreamResponse:
    """GET /versions/{id}/rules.yaml and its twin under /api: its rules as one rule file."""
    version, _ = await read(request, _pair, request.match_info["id"])
    rules = _rules(version)
    if rules is None:
        raise web.HTTPNotFound(text="Its rules are of a kind that this version of the gateway does not know.")
    text = await desk_of(request).written(rules)
    name = f"rules-{version.version[:12]}.yaml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(text=text, content_type="application/yaml", charset="utf-8", headers=headers)


async def roll_back(request: web.Request) -> web.StreamResponse:
    """POST /versions/{id}/roll-back and its twin under /api: put it live once more; answers what that did."""
    command = RollBackRules(request.match_info["id"], request[IDENTITY].name)
    result = await request.app[DEPS].commands.submit(command)
    if is_api(request) or wants_json(request):
        return web.json_response({"ok": True, **result})
    raise web.HTTPSeeOther(f"/versions/{result['version']}")


async def list_versions(request: web.Request) -> web.StreamResponse:
    """GET /api/versions: what went live, the newest first, with what became of open alerts."""
    versions = await read(request, live_versions, SHOWN)
    return present.answer({"items": [_present(version) for version in versions], "next": None})


async def get_version(request: web.Request) -> web.StreamResponse:
    """GET /api/versions/{id}: its rules, and ``back``: what going back to it would change and do to open alerts."""
    version, now = await read(request, _pair, request.match_info["id"])
    old, new = _rules(version), _rules(now)
    migration = await desk_of(request).migration(new, old) if old is not None and new is not None else None
    return present.answer(_present(version) | {"says": list(version.rules), "back": migration})


def _pair(connection: sa.Connection, said: str) -> tuple[RuleVersion, RuleVersion]:
    """Read a version by its first letters, as it went live last, and the one in force."""
    known = live_versions(connection, 1000)
    found = next((version for version in known if said and version.version.startswith(said)), None)
    if found is None:
        raise web.HTTPNotFound(text="No such version was live.")
    return found, known[0]


def _rules(version: RuleVersion) -> RuleSet | None:
    try:
        return version.ruleset
    except (KeyError, ValueError):
        # Written by a version of the gateway that knew other kinds of rules.
        return None


def _present(version: RuleVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "put_live_at": rfc3339(version.put_live_at),
        "by": version.who,
        "origin": version.origin,
        "rules": [rule["id"] for rule in version.rules],
        "migration": list(version.migration),
    }
