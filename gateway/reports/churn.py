"""Customers who leave, simply and adjusted, and those who may be next, each with the reason."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from device_models.purpose import Purpose
from gateway.reports.report import Cell, Column, Figure, Period, Report, Unit, share
from gateway.reports.satisfaction import BAD
from gateway.store.desk import survey_answers
from gateway.store.ownership import device_people
from gateway.store.schema import cases, customers

LOOKED_BACK = timedelta(days=90)
"""How far back a reason lies at the most."""
LONG_OPEN = timedelta(days=7)
MANY_FAULTS = 3
_MOST = 200
_HELP = frozenset({Purpose.FAULT.value, Purpose.MAINTENANCE.value})
"""Who objects to these wants no help any more; offers and news are another matter."""


@dataclass(frozen=True, slots=True)
class Stay:
    """How long somebody is a customer."""

    customer_id: str
    since: datetime
    """When they came to own their first device."""
    until: datetime | None
    """When they left; None: they are still here."""
    guessed: bool
    """Nobody said that they left: their last device has another owner, or none."""

    def here(self, at: datetime) -> bool:
        """Whether they are a customer at a time."""
        return self.since <= at and (self.until is None or self.until > at)


def churn(connection: sa.Connection, period: Period) -> Report:
    """Count who left within ``period``, and list who may leave next as things stand at its end."""
    stays = load_stays(connection)
    left = [s for s in stays if s.until is not None and period.since <= s.until < period.until]
    first, last = (sum(s.here(at) for s in stays) for at in (period.since, period.until))
    before = period.before
    figures = (
        Figure(
            "churn",
            "Left, of those at its beginning",
            *_rate(stays, period, adjusted=False),
            before=_rate(stays, before, adjusted=False)[0],
            better="down",
            note="" if first else "nobody was a customer when the period began",
        ),
        Figure(
            "churn_adjusted",
            "Left, of the mean of beginning and end",
            *_rate(stays, period, adjusted=True),
            before=_rate(stays, before, adjusted=True)[0],
            better="down",
            note="" if first + last else "nobody was a customer",
        ),
        Figure("left", "Left", len(left), Unit.COUNT, len(left)),
        Figure("left_guessed", "Of these by guess", sum(s.guessed for s in left), Unit.COUNT, len(left)),
    )
    columns = (
        Column("customer", "Customer"),
        Column("name", "Name"),
        Column("segment", "Segment"),
        Column("country", "Country"),
        Column("open_days", "Days with an open fault", Unit.COUNT),
        Column("faults", "Faults in 90 days", Unit.COUNT),
        Column("rated", "Worst rating, of 5", Unit.COUNT),
        Column("refused", "Wants no messages of"),
    )
    return Report(
        "churn",
        "Who leaves, and who may be next?",
        "Somebody leaves at the time that the company recorded (left_at); where none is recorded, when the last of"
        " their devices passed to another owner, which is a guess and counted beside. At risk is who has a fault open"
        " for more than 7 days, 3 faults or more in 90 days, gave 1 or 2 of 5, or wants no more messages about faults"
        " or service; who has most reasons stands first.",
        figures,
        columns,
        tuple(_at_risk(connection, stays, period.until)),
    )


def load_stays(connection: sa.Connection) -> list[Stay]:
    """Read how long each customer who ever owned a device was one."""
    p = device_people.c
    query = (
        sa.select(
            p.customer_id,
            sa.func.min(p.starts_at, type_=p.starts_at.type).label("since"),
            sa.func.max(p.ends_at, type_=p.ends_at.type).label("ended"),
            sa.func.sum(sa.case((p.ends_at.is_(None), 1), else_=0)).label("owns"),
            customers.c.left_at,
        )
        .select_from(device_people.outerjoin(customers, customers.c.id == p.customer_id))
        .where(p.role == "owner")
        .group_by(p.customer_id, customers.c.left_at)
        .order_by(p.customer_id)
    )
    stays = []
    for row in connection.execute(query):
        guess = row.ended if not row.owns else None
        stays.append(Stay(row.customer_id, row.since, row.left_at or guess, guessed=row.left_at is None))
    return stays


def _rate(stays: Sequence[Stay], period: Period, *, adjusted: bool) -> tuple[float | None, Unit, int]:
    """Return the rate and what it rests on."""
    first, last = (sum(s.here(at) for s in stays) for at in (period.since, period.until))
    left = [s for s in stays if s.until is not None and period.since <= s.until < period.until]
    if adjusted:
        return (len(left) / ((first + last) / 2) if first + last else None), Unit.SHARE, first + last
    # Who came and went within the period was none of those it began with.
    return share(sum(s.here(period.since) for s in left), first), Unit.SHARE, first


@dataclass(slots=True)
class _Risk:
    """Why somebody may leave; None: not for this."""

    open_days: int | None = None
    faults: int | None = None
    rated: int | None = None
    refused: str | None = None

    def __len__(self) -> int:
        return sum(reason is not None for reason in (self.open_days, self.faults, self.rated, self.refused))


def _at_risk(connection: sa.Connection, stays: Sequence[Stay], now: datetime) -> list[tuple[Cell, ...]]:
    risks = _risks(connection, now)
    here = [s.customer_id for s in stays if s.here(now) and s.customer_id in risks]
    here.sort(key=lambda customer_id: (-len(risks[customer_id]), customer_id))
    rows: list[tuple[Cell, ...]] = []
    for customer_id in here[:_MOST]:
        c, risk = customers.c, risks[customer_id]
        known = connection.execute(sa.select(c.name, c.segment, c.country).where(c.id == customer_id)).first()
        if known is not None:
            reasons = (risk.open_days, risk.faults, risk.rated, risk.refused)
            rows.append((customer_id, known.name, known.segment, known.country, *reasons))
    return rows


def _risks(connection: sa.Connection, now: datetime) -> Mapping[str, _Risk]:
    c, a = cases.c, survey_answers.c
    found: defaultdict[str, _Risk] = defaultdict(_Risk)
    fault = (c.purpose.in_((Purpose.FAULT.value, Purpose.SAFETY.value)), c.on_arrival.is_(sa.false()))
    whose = (c.customer_id.is_not(None), c.opened_at <= now)
    oldest = sa.func.min(c.opened_at, type_=c.opened_at.type)
    still_open = sa.select(c.customer_id, oldest).where(*fault, *whose, c.state == "open").group_by(c.customer_id)
    for customer_id, since in connection.execute(still_open.having(oldest <= now - LONG_OPEN)):
        found[customer_id].open_days = (now - since).days
    recent = sa.select(c.customer_id, sa.func.count()).where(*fault, *whose, c.opened_at > now - LOOKED_BACK)
    for customer_id, faults in connection.execute(
        recent.group_by(c.customer_id).having(sa.func.count() >= MANY_FAULTS)
    ):
        found[customer_id].faults = faults
    worst = sa.select(a.customer_id, sa.func.min(a.satisfaction)).where(a.at > now - LOOKED_BACK, a.at <= now)
    for customer_id, rated in connection.execute(worst.where(a.satisfaction <= BAD).group_by(a.customer_id)):
        found[customer_id].rated = rated
    for customer_id, objections in connection.execute(sa.select(customers.c.id, customers.c.objections)):
        if refused := _HELP & set(objections):
            found[customer_id].refused = ", ".join(sorted(refused))
    return found
