"""Devices: the table, the map, and all that is kept of one."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from gateway.store.ownership import device_people, device_replacements
from gateway.store.schema import cases, customers, device_states, devices, rejections, shops, unknown_devices
from gateway.web.queries.search import contains, matcher

PAGE = 100
MAPPED_AT_MOST = 5000
_OPEN: sa.ColumnElement[str] = sa.literal_column("'open'")
_RANK = {"critical": 3, "major": 2, "minor": 1, "info": 0}


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One device, its owner, and how it is."""

    id: str
    profile: str
    name: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    site: str | None
    latitude: float | None
    longitude: float | None
    customer_id: str | None
    customer_name: str | None
    heard_at: datetime | None
    hub: str | None = None
    warranty_until: date | None = None
    state: bytes | None = None
    """``rules.state.DeviceState`` as JSON; only loaded for one device."""
    open_cases: tuple[tuple[int, str], ...] = ()
    """(case id, severity) of its open cases, the worst first."""

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or self.model or self.id

    @property
    def severity(self) -> str:
        """The worst of its open cases; ``ok`` where there is none."""
        return self.open_cases[0][1] if self.open_cases else "ok"


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """What the table may be narrowed by."""

    words: str = ""
    profile: str | None = None
    only_open: bool = False


@dataclass(frozen=True, slots=True)
class ShopLine:
    """A shop as the map draws it."""

    id: str
    name: str
    latitude: float
    longitude: float
    radius_m: float


_COLUMNS = (
    *devices.c,
    customers.c.name.label("customer_name"),
    device_states.c.heard_at,
)
_FROM = devices.outerjoin(customers, customers.c.id == devices.c.customer_id).outerjoin(
    device_states, device_states.c.device_id == devices.c.id
)


def page(
    connection: sa.Connection, wanted: DeviceFilter, after_id: str | None = None, limit: int = PAGE
) -> list[DeviceLine]:
    """Load devices by id, beginning after ``after_id``."""
    query = sa.select(*_COLUMNS).select_from(_FROM).order_by(devices.c.id).limit(limit)
    if after_id is not None:
        query = query.where(devices.c.id > after_id)
    return _lines(connection, query.where(*_conditions(connection, wanted)))


def placed(connection: sa.Connection, wanted: DeviceFilter) -> list[DeviceLine]:
    """Load devices for the map, at most MAPPED_AT_MOST."""
    query = sa.select(*_COLUMNS).select_from(_FROM).order_by(devices.c.id)
    return _lines(connection, query.where(*_conditions(connection, wanted)).limit(MAPPED_AT_MOST))


def one(connection: sa.Connection, device_id: str) -> DeviceLine | None:
    """Load one device with its state; None where it is not registered."""
    query = sa.select(*_COLUMNS, device_states.c.state).select_from(_FROM).where(devices.c.id == device_id)
    return next(iter(_lines(connection, query)), None)


def of_customer(connection: sa.Connection, customer_id: str) -> list[DeviceLine]:
    """Load a customer's devices."""
    query = sa.select(*_COLUMNS).select_from(_FROM).where(devices.c.customer_id == customer_id).order_by(devices.c.id)
    return _lines(connection, query.limit(PAGE))


def count(connection: sa.Connection) -> int:
    """Count the registered devices."""
    return connection.execute(sa.select(sa.func.count()).select_from(devices)).scalar_one()


def profiles(connection: sa.Connection) -> list[str]:
    """List the profiles in use."""
    return list(connection.execute(sa.select(devices.c.profile).distinct().order_by(devices.c.profile)).scalars())


def all_shops(connection: sa.Connection) -> list[ShopLine]:
    """Load the shops for the map."""
    columns = (shops.c.id, shops.c.name, shops.c.latitude, shops.c.longitude, shops.c.radius_m)
    return [
        ShopLine(*row) for row in connection.execute(sa.select(*columns).order_by(shops.c.id).limit(MAPPED_AT_MOST))
    ]


def unknown(connection: sa.Connection) -> list[sa.RowMapping]:
    """Load the quarantine: devices that speak and that nobody registered, the last heard first."""
    # Whoever was registered since stays in the table, but is unknown no more.
    registered = sa.exists().where(devices.c.id == unknown_devices.c.id)
    query = sa.select(unknown_devices).where(~registered).order_by(unknown_devices.c.last_heard_at.desc()).limit(PAGE)
    return list(connection.execute(query).mappings())


@dataclass(frozen=True, slots=True)
class PersonLine:
    """Somebody who is or was something to a device."""

    customer_id: str
    name: str | None
    role: str
    purposes: tuple[str, ...]
    starts_at: datetime
    ends_at: datetime | None


def people_of(connection: sa.Connection, device_id: str, limit: int = 20) -> list[PersonLine]:
    """Load who is what to a device: those of now first, then those of before, the latest first."""
    p = device_people.c
    columns = (p.customer_id, customers.c.name, p.role, p.purposes, p.starts_at, p.ends_at)
    query = (
        sa.select(*columns)
        .select_from(device_people.outerjoin(customers, customers.c.id == p.customer_id))
        .where(p.device_id == device_id)
        .order_by(p.ends_at.is_not(None), p.role != "owner", p.ends_at.desc(), p.id)
        .limit(limit)
    )
    return [PersonLine(**{**row, "purposes": tuple(row["purposes"])}) for row in connection.execute(query).mappings()]


def replacements_of(connection: sa.Connection, device_id: str) -> tuple[str | None, str | None]:
    """Return (the unit whose place it took, the unit that took its place)."""
    r = device_replacements.c
    before = connection.execute(sa.select(r.old_id).where(r.new_id == device_id)).scalar()
    after = connection.execute(sa.select(r.new_id).where(r.old_id == device_id)).scalar()
    return before, after


def last_rejections(connection: sa.Connection, device_id: str, limit: int = 10) -> list[sa.RowMapping]:
    """Load the newest rejected messages whose topic names the device."""
    named = rejections.c.topic.like(contains(device_id), escape="\\")
    query = sa.select(rejections).where(named).order_by(rejections.c.id.desc()).limit(limit)
    return list(connection.execute(query).mappings())


def _conditions(connection: sa.Connection, wanted: DeviceFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = []
    for word in wanted.words.split()[:6]:
        columns = (devices.c.id, devices.c.name, devices.c.model, devices.c.serial, devices.c.site, customers.c.name)
        conditions.append(matcher(connection)(contains(word), *columns))
    if wanted.profile:
        conditions.append(devices.c.profile == wanted.profile)
    if wanted.only_open:
        # The open cases are few: found first, and only their devices are read.
        conditions.append(devices.c.id.in_(sa.select(cases.c.device_id).where(cases.c.state == _OPEN)))
    return conditions


def _lines(connection: sa.Connection, query: sa.Select[tuple[object, ...]]) -> list[DeviceLine]:
    rows = list(connection.execute(query).mappings())
    open_cases = _open_cases(connection, [row["id"] for row in rows])
    return [DeviceLine(**row, open_cases=open_cases.get(row["id"], ())) for row in rows]


def _open_cases(connection: sa.Connection, device_ids: list[str]) -> dict[str, tuple[tuple[int, str], ...]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for begin in range(0, len(device_ids), 500):
        query = sa.select(cases.c.device_id, cases.c.id, cases.c.severity).where(
            cases.c.state == _OPEN, cases.c.device_id.in_(device_ids[begin : begin + 500])
        )
        for device_id, case_id, severity in connection.execute(query):
            found.setdefault(device_id, []).append((case_id, severity))
    return {
        device_id: tuple(sorted(cases_of, key=lambda case: (-_RANK.get(case[1], 0), case[0])))
        for device_id, cases_of in found.items()
    }
