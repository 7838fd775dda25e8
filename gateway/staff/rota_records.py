"""Rotas as they are kept."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gateway.staff.rota import Duty, Line, Override, duties, in_order
from gateway.staff.working_hours import WorkingHours, parse_hours
from gateway.store.staff import rota_overrides, rotas
from notifiers.public_holidays import public_holiday

HOLIDAYS = ("as usual", "off", "only")
"""What becomes of a line's shifts on public holidays of its ``place``."""
_ROTAS = sa.select(rotas).order_by(rotas.c.name)
_OVERRIDES = sa.select(rota_overrides).order_by(rota_overrides.c.id)


@dataclass(frozen=True, slots=True)
class Rota:
    """Who is told of what, in turn."""

    name: str
    zone: str
    team: str | None
    severities: frozenset[str]
    breaches: bool
    alarms: bool
    ack_within_s: float
    lines: tuple[Line, ...]
    overrides: tuple[Override, ...]

    def duties(self, since: datetime, until: datetime) -> list[Duty]:
        """List who is on call between two moments."""
        return duties(self.lines, self.overrides, since, until)

    def in_order(self, at: datetime) -> list[str]:
        """List whom to tell at a moment, the first first."""
        return in_order(self.lines, self.overrides, at)

    def is_for(self, severity: str, team: str | None) -> bool:
        """Tell whether a new case is to be told of."""
        return severity in self.severities and self.team in (None, team)


def load_rotas(connection: sa.Connection) -> list[Rota]:
    """Read all rotas, by name."""
    by_name = connection.execute(_ROTAS).mappings().all()
    if not by_name:
        return []
    kept: dict[str, list[Override]] = {}
    for row in connection.execute(_OVERRIDES).mappings():
        override = Override(row["starts_at"], row["ends_at"], row["person"], row["instead_of"])
        kept.setdefault(row["rota"], []).append(override)
    found = []
    for row in by_name:
        lines = tuple(line_of(line, row["zone"]) for line in row["lines"])
        named = {name: row[name] for name in ("name", "zone", "team", "breaches", "alarms", "ack_within_s")}
        severities = frozenset(row["severities"])
        found.append(Rota(**named, severities=severities, lines=lines, overrides=tuple(kept.get(row["name"], ()))))
    return found


def line_of(line: dict[str, Any], zone: str) -> Line:
    """Make a line of what was written. Raises ValueError, KeyError for what is none."""
    place, holidays = line.get("place"), line.get("holidays") or HOLIDAYS[0]

    def is_closed(day: date) -> bool:
        if holidays == HOLIDAYS[0] or place is None:
            return False
        return (public_holiday(place, day) is not None) == (holidays == "off")

    hours = WorkingHours("", ZoneInfo(zone), parse_hours(line["hours"]), is_closed)
    return Line(int(line["level"]), hours, tuple(line["people"]), date.fromisoformat(line["since"]))
