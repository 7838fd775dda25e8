"""Working hours and service levels as they are kept."""

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gateway.staff.sla import Pause, Policy, Target
from gateway.staff.working_hours import ALWAYS, WorkingHours, parse_hours
from gateway.store.staff import sla_policies, working_hours
from notifiers.public_holidays import public_holiday

_HOURS = sa.select(working_hours)
_POLICIES = sa.select(sla_policies).order_by(sla_policies.c.position, sla_policies.c.name)


def load_hours(connection: sa.Connection) -> dict[str | None, WorkingHours]:
    """Read all working hours by name; around the clock under None."""
    rows = connection.execute(_HOURS).mappings()
    return {None: ALWAYS} | {
        row["name"]: hours_of(row["name"], row["hours"], row["zone"], row["place"], tuple(row["closed_on"]))
        for row in rows
    }


@lru_cache(maxsize=256)
def hours_of(name: str, hours: str, zone: str, place: str | None, closed_on: tuple[str, ...]) -> WorkingHours:
    """Make working hours of what was written. Raises ValueError."""
    closed = frozenset(date.fromisoformat(day) for day in closed_on)

    def is_closed(day: date) -> bool:
        return day in closed or public_holiday(place, day) is not None

    return WorkingHours(name, ZoneInfo(zone), parse_hours(hours), is_closed)


def load_policies(connection: sa.Connection) -> list[Policy]:
    """Read the service levels, in the order in which they are tried."""
    return [_policy(row) for row in connection.execute(_POLICIES).mappings()]


def _policy(row: sa.RowMapping) -> Policy:
    within: Mapping[str, float] = row["within"]
    return Policy(
        row["name"],
        {Target(target): timedelta(seconds=seconds) for target, seconds in within.items()},
        row["hours"],
        frozenset(row["severities"]),
        frozenset(row["kinds"]),
        frozenset(row["segments"]),
        frozenset(row["tiers"]),
        frozenset(Pause(pause) for pause in row["pauses"]),
        timedelta(seconds=row["warn_before_s"]),
    )
