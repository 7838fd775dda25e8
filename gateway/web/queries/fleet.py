"""The fleet as a whole: health by what devices are, incidents with their devices, faults that come back, map cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from gateway.store.fleets import crowd_members, device_changes
from gateway.store.schema import alerts, cases, customers, devices
from gateway.web.queries.cases import CaseLine, load
from rules.response.alike import region_named

By = Literal["profile", "model", "firmware", "site", "hub", "region"]
BYS: tuple[By, ...] = ("profile", "model", "firmware", "site", "hub", "region")
GROUPS = 25
CHILDREN = 100
INCIDENTS = 25
FAULTS = 12
CELLS_AT_MOST = 2000
_FIRING: sa.ColumnElement[str] = sa.literal_column("'firing'")
_OPEN: sa.ColumnElement[str] = sa.literal_column("'open'")


@dataclass(frozen=True, slots=True)
class Health:
    """Devices that are alike in one respect, and how many of them fail now."""

    value: str | None
    """None: not known."""
    devices: int
    failing: int

    @property
    def share(self) -> float:
        """Of the devices, those that fail."""
        return self.failing / self.devices if self.devices else 0.0


@dataclass(frozen=True, slots=True)
class Child:
    """A device of an incident."""

    device_id: str
    name: str | None
    model: str | None
    firmware: str | None
    site: str | None
    customer_name: str | None
    since: datetime
    failing: bool

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.model or self.device_id


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule whose fault came back, over a time."""

    rule: str
    cases: int
    devices: int
    again: int
    """Devices that had it more than once, be it that their case was reopened."""
    title: Any
    """By language, of its newest case."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Devices near each other on the map."""

    latitude: float
    longitude: float
    devices: int
    failing: int


def health(connection: sa.Connection, by: By, limit: int = GROUPS) -> list[Health]:
    """Load the groups of devices in one respect, those first of which most fail."""
    value, fails = _region(connection) if by == "region" else devices.c[by], _failing()
    every = sa.select(value, sa.func.count()).select_from(devices).group_by(value)
    # What fails is few, so it is counted from its side and not by asking each device.
    failing = sa.select(value, sa.func.count()).select_from(fails.join(devices, devices.c.id == fails.c.device_id))
    bad: dict[str | None, int] = dict(connection.execute(failing.group_by(value)).all())
    found = [Health(_named(by, group), count, bad.get(group, 0)) for group, count in connection.execute(every)]
    return sorted(found, key=lambda group: (-group.failing, -group.devices, group.value or ""))[:limit]


def _named(by: By, value: str | None) -> str | None:
    if by != "region" or value is None:
        return value
    south, west = value.split()
    return region_named(int(south), int(west))


def total(connection: sa.Connection) -> Health:
    """Count all devices, and those that fail now."""
    count = connection.execute(sa.select(sa.func.count()).select_from(devices)).scalar_one()
    fails = _failing()
    registered = fails.c.device_id.in_(sa.select(devices.c.id))
    query = sa.select(sa.func.count()).select_from(fails).where(registered)
    return Health(None, count, connection.execute(query).scalar_one())


def incidents(
    connection: sa.Connection, *, is_open: bool, before_id: int | None = None, limit: int = INCIDENTS
) -> list[CaseLine]:
    """Load incidents, the newest first."""
    state = cases.c.state == _OPEN if is_open else cases.c.state != _OPEN
    query = sa.select(cases.c.id).where(cases.c.kind == sa.literal_column("'incident'"), state)
    if before_id is not None:
        query = query.where(cases.c.id < before_id)
    ids = connection.execute(query.order_by(cases.c.id.desc()).limit(limit)).scalars().all()
    return sorted(load(connection, ids), key=lambda case: -case.id)


def count_children(connection: sa.Connection, incident_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Count the devices of incidents: (of all, that fail still), by the incident's case."""
    keys = dict(connection.execute(sa.select(cases.c.dedupe_key, cases.c.id).where(cases.c.id.in_(incident_ids))).all())
    found = dict.fromkeys(incident_ids, (0, 0))
    m, a = crowd_members, alerts
    counted = sa.select(m.c.incident, sa.func.count(), sa.func.sum(sa.case((m.c.failing.is_(True), 1), else_=0))).where(
        m.c.incident.in_(incident_ids)
    )
    for incident, every, failing in connection.execute(counted.group_by(m.c.incident)):
        found[incident] = (every, int(failing or 0))
    withheld = sa.select(a.c.withheld_key, sa.func.count(a.c.device_id.distinct())).where(
        a.c.withheld_key.in_(list(keys))
    )
    for key, failing in connection.execute(withheld.group_by(a.c.withheld_key)):
        every, known = found[keys[key]]
        found[keys[key]] = (max(every, failing), max(known, failing))
    return found


def children(
    connection: sa.Connection, incident_id: int, after_id: str | None = None, limit: int = CHILDREN
) -> list[Child]:
    """Load the devices of an incident by id, beginning after ``after_id``."""
    key = sa.select(cases.c.dedupe_key).where(cases.c.id == incident_id).scalar_subquery()
    m, a = crowd_members, alerts
    members = sa.select(
        m.c.device_id, m.c.counted_at.label("since"), sa.case((m.c.failing.is_(True), 1), else_=0).label("failing")
    ).where(m.c.incident == incident_id)
    withheld = sa.select(a.c.device_id, a.c.at.label("since"), sa.literal(1).label("failing")).where(
        a.c.withheld_key == key
    )
    both = sa.union_all(members, withheld).subquery()
    each = (
        sa.select(
            both.c.device_id,
            sa.func.min(both.c.since, type_=cases.c.opened_at.type).label("since"),
            sa.func.max(both.c.failing).label("failing"),
        )
        .group_by(both.c.device_id)
        .order_by(both.c.device_id)
        .limit(limit)
    )
    if after_id is not None:
        each = each.where(both.c.device_id > after_id)
    one = each.subquery()
    d = devices.c
    query = (
        sa.select(one.c.device_id, d.name, d.model, d.firmware, d.site, customers.c.name, one.c.since, one.c.failing)
        .select_from(
            one.outerjoin(devices, d.id == one.c.device_id).outerjoin(customers, customers.c.id == d.customer_id)
        )
        .order_by(one.c.device_id)
    )
    return [Child(*row[:7], failing=bool(row[7])) for row in connection.execute(query)]


def recurring(connection: sa.Connection, since: datetime) -> list[Fault]:
    """Load the faults that came back on the same devices, or came on most, since a time."""
    per_device = (
        sa.select(
            cases.c.rule,
            cases.c.device_id,
            (sa.func.count() + sa.func.sum(cases.c.reopened)).label("times"),
            sa.func.count().label("cases"),
            sa.func.max(cases.c.id).label("newest"),
        )
        .where(_counted(since))
        .group_by(cases.c.rule, cases.c.device_id)
        .subquery()
    )
    p = per_device.c
    again = sa.func.sum(sa.case((p.times > 1, 1), else_=0))
    query = (
        sa.select(p.rule, sa.func.sum(p.cases), sa.func.count(), again, sa.func.max(p.newest))
        .group_by(p.rule)
        .order_by(again.desc(), sa.func.sum(p.cases).desc())
        .limit(FAULTS)
    )
    rows = connection.execute(query).all()
    titles = {
        row.id: row.explanation.get("title")
        for row in connection.execute(
            sa.select(cases.c.id, cases.c.explanation).where(cases.c.id.in_([row[4] for row in rows]))
        )
    }
    return [Fault(row[0], int(row[1]), row[2], int(row[3]), titles.get(row[4])) for row in rows]


def changes_of(connection: sa.Connection, device_id: str, limit: int = 20) -> list[sa.RowMapping]:
    """Load what changed about a device, the newest first."""
    query = sa.select(device_changes).where(device_changes.c.device_id == device_id)
    return list(connection.execute(query.order_by(device_changes.c.id.desc()).limit(limit)).mappings())


def cells(connection: sa.Connection, step: float, bounds: tuple[float, float, float, float] | None) -> list[Cell]:
    """Gather devices into squares of ``step`` degrees, within (south, west, north, east), the fullest first.

    Only things at registered places: a person's phone has none.
    """
    d = devices.c
    row, column = _whole(connection, (d.latitude + 90) / step), _whole(connection, (d.longitude + 180) / step)
    failing = _failing()
    query = (
        sa.select(
            sa.func.avg(d.latitude), sa.func.avg(d.longitude), sa.func.count(), sa.func.count(failing.c.device_id)
        )
        .select_from(devices.outerjoin(failing, failing.c.device_id == d.id))
        .where(d.latitude.is_not(None), d.longitude.is_not(None))
        .group_by(row, column)
        .order_by(sa.func.count(failing.c.device_id).desc(), sa.func.count().desc())
        .limit(CELLS_AT_MOST)
    )
    if bounds is not None:
        south, west, north, east = bounds
        query = query.where(d.latitude.between(south, north), d.longitude.between(west, east))
    return [Cell(float(a), float(b), count, bad) for a, b, count, bad in connection.execute(query)]


def _failing() -> sa.Subquery:
    """The devices on which an alert fires now, with a case of their own or without."""
    return sa.select(alerts.c.device_id).where(alerts.c.state == _FIRING).distinct().subquery("failing")


def _counted(since: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        cases.c.opened_at >= since,
        cases.c.on_arrival.is_(False),
        cases.c.kind.not_in(("incident", "maintenance")),
        cases.c.device_id != "",
    )


def _whole(connection: sa.Connection, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The whole part of what is not below 0; a cast cuts off on SQLite and rounds on PostgreSQL."""
    return sa.func.floor(value) if connection.dialect.name == "postgresql" else sa.cast(value, sa.Integer)


def _region(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """The cell of one degree, as ``rules.response.alike.region_of`` names it by its south-west corner: "48 11"."""
    south = sa.cast(_whole(connection, devices.c.latitude + 90), sa.Integer) - 90
    west = sa.cast(_whole(connection, devices.c.longitude + 180), sa.Integer) - 180
    return sa.cast(south, sa.Text) + sa.literal_column("' '") + sa.cast(west, sa.Text)
