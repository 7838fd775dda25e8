"""Whether a thing still is as its editor saw it: a tag of its state, and who changed it since.

A tag is the thing's part of an ETag (RFC 9110 §8.8.3). That of a case is its version. Another form is for people,
``s`` and the number of the last line of its timeline that they saw: what devices and customers do meanwhile is in no
one's way, what a colleague did is.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.commands import Stale, Unchanged
from gateway.store import schema
from gateway.store.case_work import macros, saved_views
from gateway.store.desk import tasks
from gateway.store.own_texts import own_texts
from gateway.store.ownership import device_people
from gateway.store.rule_drafts import rule_drafts
from gateway.store.rule_sets import rule_sets
from gateway.store.staff import rotas, sla_policies, team_members, teams, working_hours

_ROWS: Mapping[str, tuple[sa.Table, str]] = {
    "customer": (schema.customers, "id"),
    "device": (schema.devices, "id"),
    "draft": (rule_drafts, "id"),
    "hours": (working_hours, "name"),
    "macro": (macros, "name"),
    "message": (schema.notifications, "id"),
    "policy": (sla_policies, "name"),
    "rota": (rotas, "name"),
    "silence": (schema.silences, "id"),
    "task": (tasks, "id"),
    "team": (teams, "name"),
    "user": (schema.users, "name"),
    "view": (saved_views, "id"),
}
"""Where the row of a thing stands, and by which column it is found."""
_SECRET = frozenset({"password_hash", "totp_secret", "totp_step", "backtest", "trying"})
"""What nobody sees, or what changes without anybody's editing."""
_BESIDE_THE_WORK = ("note", "message_out", "told_together", "message_in", "reported", "step")
"""Lines of a timeline that overwrite nothing."""


@dataclass(frozen=True, slots=True)
class LastChange:
    """Who changed a thing last, as far as that is written down."""

    by: str
    at: datetime
    what: str
    """A kind of timeline entry, or an action of the audit log: ``resolved``, ``macro.save``."""


def tag_of(connection: sa.Connection, thing: str, ident: str) -> str | None:
    """Return the tag of a thing's state; None where there is no such thing."""
    if thing == "case":
        version = _scalar(connection, schema.cases.c.version, schema.cases.c.id, ident)
        return None if version is None else f"v{version}"
    if thing == "rules":
        newest = sa.select(rule_sets.c.version).order_by(rule_sets.c.id.desc()).limit(1)
        return connection.execute(newest).scalar() or "files"
    if thing == "text":
        saved = _newest_text(connection, ident)
        return f"t{saved.id if saved else 0}"
    table, key = _ROWS[thing]
    row = _row(connection, table, table.c[key], ident)
    if row is None:
        return None
    more: list[Any] = []
    if thing == "device":
        p = device_people.c
        query = sa.select(device_people).where(p.device_id == ident, p.ends_at.is_(None)).order_by(p.id)
        more = [dict(one) for one in connection.execute(query).mappings()]
    if thing == "team":
        of_team = sa.select(team_members).where(team_members.c.team == ident).order_by(team_members.c.user_name)
        more = [dict(one) for one in connection.execute(of_team).mappings()]
    return row_tag(dict(row), more)


def row_tag(row: Mapping[str, Any], more: object = ()) -> str:
    """Return the tag of one row: sixteen hexadecimal digits that change with anything that is seen of it."""
    said = [(name, value) for name, value in sorted(row.items()) if name not in _SECRET]
    return hashlib.sha256(repr((said, more)).encode()).hexdigest()[:16]


def seen_by_staff(connection: sa.Connection, case_id: int) -> str:
    """Return the tag of a case for people: up to where its timeline goes now."""
    t = schema.timeline.c
    return f"s{connection.execute(sa.select(sa.func.max(t.id)).where(t.case_id == case_id)).scalar() or 0}"


def holds(connection: sa.Connection, thing: str, ident: str, seen: str, by: str) -> bool:
    """Tell whether what ``by`` saw, as the tag ``seen``, is how the thing stands. ``*``: whether it is there."""
    now = tag_of(connection, thing, ident)
    if now is None:
        return False
    if thing == "case" and seen[:1] == "s" and seen[1:].isdecimal() and len(seen) < 20:
        return _by_colleagues(connection, ident, by, after=int(seen[1:])) is None
    return seen in ("*", now)


def check(connection: sa.Connection, command: Unchanged) -> None:
    """Raise Stale unless the thing still is as ``command``'s author saw it."""
    thing, ident, by = command.thing, command.ident, command.by
    if command.seen:
        if any(holds(connection, thing, ident, seen, by) for seen in command.seen):
            return
    elif tag_of(connection, thing, ident) is None:
        return
    last = last_change(connection, thing, ident, by)
    raise Stale(thing, *((last.by, last.at, last.what) if last else (None, None, None)))


def last_change(connection: sa.Connection, thing: str, ident: str, by: str) -> LastChange | None:
    """Return who changed a thing last; of a case a colleague rather than what happened by itself."""
    if thing == "case":
        return _by_colleagues(connection, ident, by, after=0) or _newest_line(connection, ident)
    if thing == "draft":
        row = _row(connection, rule_drafts, rule_drafts.c.id, ident)
        return LastChange(row["saved_by"], row["saved_at"], "saved") if row else None
    if thing == "text":
        newest = _newest_text(connection, ident)
        return LastChange(newest.saved_by, newest.saved_at, "saved") if newest else None
    a = schema.audit.c
    about = a.action.like("rules.%") if thing == "rules" else a.subject == ident
    named = a.action.like(f"{_AUDITED_AS.get(thing, thing)}.%")
    found = sa.select(a.who, a.at, a.action).where(about, named).order_by(a.id.desc()).limit(1)
    last = connection.execute(found).first()
    return LastChange(last.who, last.at, last.action) if last else None


_AUDITED_AS: Mapping[str, str] = {"hours": "sla", "policy": "sla"}


def text_ident(kind: str, name: str, language: str) -> str:
    """Name a text for ``tag_of``, as it is stored: words are of a language alone, a template is of all of them."""
    return "/".join((kind, "" if kind == "words" else name, "" if kind == "template" else language))


def _newest_text(connection: sa.Connection, ident: str) -> Any | None:
    """The newest saving of a text (its row), by its name of ``text_ident`` or by the number of any version of it."""
    t = own_texts.c
    if ident.isdecimal() and len(ident) < 18:
        row = connection.execute(sa.select(t.kind, t.name, t.language).where(t.id == int(ident))).first()
        ident = text_ident(*row) if row else ""
    kind, name, language = (*ident.split("/"), "", "")[:3]
    query = sa.select(t.id, t.saved_by, t.saved_at).where(t.kind == kind, t.name == name, t.language == language)
    return connection.execute(query.order_by(t.id.desc()).limit(1)).first()


def _by_colleagues(connection: sa.Connection, ident: str, by: str, after: int) -> LastChange | None:
    t, u = schema.timeline.c, schema.users.c
    staff = sa.or_(t.author.in_(sa.select(u.name)), t.author.like("token:%"))
    query = (
        sa.select(t.author, t.at, t.kind)
        .where(t.case_id == int(ident), t.id > after, t.author != by, staff, t.kind.not_in(_BESIDE_THE_WORK))
        .order_by(t.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return LastChange(row.author, row.at, row.kind) if row else None


def _newest_line(connection: sa.Connection, ident: str) -> LastChange | None:
    t = schema.timeline.c
    query = sa.select(t.author, t.at, t.kind).where(t.case_id == int(ident)).order_by(t.id.desc()).limit(1)
    row = connection.execute(query).first()
    return LastChange(row.author, row.at, row.kind) if row else None


def _row(connection: sa.Connection, table: sa.Table, key: sa.Column[Any], ident: str) -> sa.RowMapping | None:
    if isinstance(key.type, sa.Integer) and not (ident.isdecimal() and len(ident) < 18):
        return None
    wanted = int(ident) if isinstance(key.type, sa.Integer) else ident
    return connection.execute(sa.select(table).where(key == wanted)).mappings().first()


def _scalar(connection: sa.Connection, column: sa.Column[Any], key: sa.Column[Any], ident: str) -> Any:
    if not (ident.isdecimal() and len(ident) < 18):
        return None
    return connection.execute(sa.select(column).where(key == int(ident))).scalar()
