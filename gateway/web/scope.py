"""Roles bounded to teams and regions: somebody so bounded reads a store in which only their part exists.

Each statement of theirs is put behind common table expressions that bear the tables' own names, so that no list,
search, count or report can forget to ask. Both databases resolve a name to the expression before the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gateway.store import schema as s
from gateway.store.attachments import attachments
from gateway.store.desk import bookings, tasks
from gateway.store.readings import unjoined
from gateway.store.staff import scopes, staff_alerts

_DIGITS = 18
_BY_PATH: Mapping[str, sa.Column[Any]] = {
    "/cases": s.cases.c.id,
    "/preview": s.cases.c.id,
    "/fleet/incidents": s.cases.c.id,
    "/incidents": s.cases.c.id,
    "/messages": s.notifications.c.id,
    "/devices": s.devices.c.id,
    "/customers": s.customers.c.id,
    "/tasks": tasks.c.id,
    "/dates": bookings.c.id,
    "/unjoined": unjoined.c.inbound_id,
    "/silences": s.silences.c.id,
    "/would-be": s.transitions.c.id,
    "/alerts": staff_alerts.c.id,
    "/attachments": attachments.c.id,
}
"""What the ``{id}`` of an address names, by what stands before it."""
_BY_FIELD: Mapping[str, sa.Column[Any]] = {
    **dict.fromkeys(("case_id", "ids", "into", "other", "duplicate_of"), s.cases.c.id),
    "device_id": s.devices.c.id,
    "customer_id": s.customers.c.id,
}


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody may see and act on; an empty set is no bound."""

    teams: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()
    """Countries of the customers (ISO 3166-1 alpha-2)."""

    @property
    def bounded(self) -> bool:
        """Whether there is anything that they may not see."""
        return bool(self.teams or self.regions)

    def sees(self, team: str | None, region: str | None) -> bool:
        """Whether a case of this team, of a customer in this country, is within it."""
        return (not self.teams or team in self.teams) and (not self.regions or region in self.regions)

    def words(self) -> str:
        """Name it: team Berlin; customers in AT, DE."""
        named = (("team", self.teams), ("customers in", self.regions))
        return "; ".join(f"{what} {', '.join(sorted(names))}" for what, names in named if names)


_OF_CASE = "case_id IN (SELECT id FROM cases)"
_OF_CUSTOMER = "(customer_id IS NULL OR customer_id IN (SELECT id FROM customers))"
_OF_DEVICE = "device_id IN (SELECT id FROM devices)"
_OF_OTHER_CASE = "other_id IN (SELECT id FROM cases)"
_OF_NO_CASE = "(case_id IS NULL AND customer_id IN (SELECT id FROM customers))"
_OF_EITHER = f"({_OF_CASE} OR {_OF_NO_CASE})"
WITHIN = {
    "address_checks": _OF_CUSTOMER,
    "alerts": _OF_DEVICE,
    "attachments": _OF_EITHER,
    "bookings": _OF_EITHER,
    "case_links": f"{_OF_CASE} AND {_OF_OTHER_CASE}",
    "case_steps": _OF_CASE,
    "claim_codes": f"{_OF_DEVICE} AND {_OF_CUSTOMER}",
    "consent_log": _OF_CUSTOMER,
    "crowd_members": _OF_DEVICE,
    "customer_settings": _OF_CUSTOMER,
    "device_changes": _OF_DEVICE,
    "device_commands": _OF_DEVICE,
    "device_people": f"{_OF_DEVICE} AND {_OF_CUSTOMER}",
    "device_states": _OF_DEVICE,
    "history_erasures": _OF_DEVICE,
    "inbound": _OF_EITHER,
    "link_codes": _OF_CUSTOMER,
    "notifications": _OF_EITHER,
    "offer_decisions": f"{_OF_DEVICE} AND {_OF_CUSTOMER}",
    "outcomes": _OF_EITHER,
    "readings": "inbound_id IN (SELECT id FROM inbound)",
    "redemptions": _OF_CUSTOMER,
    "refused_events": f"(case_id IS NULL OR {_OF_CASE})",
    "silences": f"(device_id IS NULL OR {_OF_DEVICE}) AND {_OF_CUSTOMER}",
    "sla_clocks": _OF_CASE,
    "survey_answers": _OF_CASE,
    "tallies": _OF_CUSTOMER,
    "tasks": _OF_EITHER,
    "tickets": _OF_CASE,
    "timeline": _OF_CASE,
    "transitions": _OF_DEVICE,
    "tried_steps": _OF_CASE,
    "unjoined": "inbound_id IN (SELECT id FROM inbound)",
    "unreachable": _OF_CUSTOMER,
    "verdicts": f"(case_id IS NULL AND {_OF_DEVICE} OR {_OF_CASE})",
    "verified_addresses": _OF_CUSTOMER,
    "watches": _OF_CASE,
}
"""What of each table is within a scope, as said of ``cases``, ``customers`` and ``devices``."""


def scope_of(connection: sa.Connection, who: str) -> Scope:
    """Read what somebody is bounded to."""
    row = connection.execute(sa.select(scopes).where(scopes.c.who == who)).mappings().first()
    return _scope(row) if row else Scope()


def scopes_of(connection: sa.Connection) -> dict[str, Scope]:
    """Read what each user and token that is bounded is bounded to."""
    return {row["who"]: _scope(row) for row in connection.execute(sa.select(scopes)).mappings()}


def _scope(row: sa.RowMapping) -> Scope:
    return Scope(frozenset(row["teams"]), frozenset(row["regions"]))


def narrow(connection: sa.Connection, scope: Scope) -> None:
    """Let this connection see no more than ``scope``."""
    if not scope.bounded:
        return
    dialect = connection.dialect
    within = f"WITH {_expressions(scope, dialect.default_schema_name or 'main')}"
    if dialect.paramstyle in ("format", "pyformat"):
        # A percent sign begins a parameter there.
        within = within.replace("%", "%%")

    def bound(_c: sa.Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> tuple[str, Any]:
        words = statement.lstrip()
        if words.upper().startswith("WITH RECURSIVE"):
            return f"WITH RECURSIVE {within[5:]}, {words[14:]}", parameters
        if words.upper().startswith("WITH "):
            return f"{within}, {words[5:]}", parameters
        return (f"{within} {words}" if words.upper().startswith("SELECT") else statement), parameters

    sa.event.listen(connection, "before_cursor_execute", bound, retval=True)


def subjects(path: str, identity: str | None, sent: Mapping[str, Any]) -> list[tuple[sa.Column[Any], Any]]:
    """Tell what a request is about: by its route's ``path`` with the ``identity`` in it, and by the fields it sends."""
    found: list[tuple[sa.Column[Any], Any]] = []
    first = path.removeprefix("/api")
    for prefix, column in _BY_PATH.items():
        if identity is not None and first.startswith(f"{prefix}/{{id"):
            found.append((column, identity))
    for field, column in _BY_FIELD.items():
        value = sent.get(field)
        many = value if isinstance(value, list) else str(value or "").split(",") if field == "ids" else [value]
        found += [(column, one) for one in many if one not in (None, "")]
    return found


def exists(connection: sa.Connection, column: sa.Column[Any], value: Any) -> bool:
    """Tell whether there is such a thing within what a connection sees."""
    if not isinstance(column.type, sa.Text):
        text = str(value).strip().removeprefix("#")
        if not text.isdecimal() or len(text) > _DIGITS:
            return False
        value = int(text)
    else:
        value = str(value)
    return connection.execute(sa.select(column).where(column == value)).first() is not None


def _expressions(scope: Scope, schema: str) -> str:
    regions, teams = _among("country", scope.regions), _among("team", scope.teams)
    of_customers = "customer_id IN (SELECT id FROM customers)" if scope.regions else "TRUE"
    conditions = {
        "customers": regions,
        "devices": of_customers,
        "cases": f"{teams} AND {_among('region', scope.regions)}",
        # An alert tells of many cases; those of a team's own rota are all the team's.
        "staff_alerts": f"rota IN (SELECT name FROM rotas WHERE {teams})" if scope.teams else "FALSE",  # noqa: S608
        **WITHIN,
    }
    # NOT MATERIALIZED, so that the tables' indexes are used as if the conditions stood in the statement itself.
    return ", ".join(
        f"{name} AS NOT MATERIALIZED (SELECT * FROM {schema}.{name} WHERE {condition})"  # noqa: S608 - all our own words
        for name, condition in conditions.items()
    )


def _among(column: str, names: frozenset[str]) -> str:
    if not names:
        return "TRUE"
    # As literals, since the statement's own parameters are counted by their place.
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in sorted(names))
    return f"{column} IN ({listed})"
