"""A fault that comes back, as engineering wants to read it: on which devices, since when, what was found and done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gateway.store.schema import alerts, cases, devices
from gateway.web.queries.cases import CaseLine, load

READ_AT_MOST = 20_000
"""Cases that a report counts; the newest of a fault that has more."""
EXAMPLES = 10
REPEATED = 15
GROUPS = 12


@dataclass(frozen=True, slots=True)
class Kind:
    """Devices of one model and firmware, and how many of them had the fault."""

    model: str | None
    firmware: str | None
    affected: int
    devices: int

    @property
    def share(self) -> float:
        """Of the devices, those that had it."""
        return self.affected / self.devices if self.devices else 0.0


@dataclass(frozen=True, slots=True)
class FaultReport:
    """One rule's cases over a time."""

    rule: str
    since: datetime
    until: datetime
    cases: int
    devices: int
    again: int
    """Devices that had it more than once."""
    open: int
    joined: int
    """Devices that have it now as part of an incident, without a case of their own."""
    hours: float | None
    """Median of how long it lasted, of those that are over."""
    weeks: Sequence[tuple[datetime, int]]
    """Cases by the week they opened in, oldest first."""
    kinds: Sequence[Kind]
    causes: Sequence[tuple[str, int]]
    """What staff found, and how often."""
    fixes: Sequence[tuple[str, int]]
    repeated: Sequence[tuple[str, str, int]]
    """(device, what it is called, times) of those that had it most often."""
    examples: Sequence[CaseLine]
    """The newest, with their evidence."""


def report_on(connection: sa.Connection, rule: str, since: datetime, until: datetime) -> FaultReport | None:
    """Gather the report on a rule; None where it had no case in that time and has none now."""
    rows = _rows(connection, rule, since, until)
    joined = _in_incidents(connection, rule)
    if not rows and not joined:
        return None
    times: Counter[str] = Counter()
    names: dict[str, str] = {}
    affected: dict[tuple[str | None, str | None], set[str]] = {}
    for row in rows:
        times[row["device_id"]] += 1 + row["reopened"]
        names[row["device_id"]] = row["name"] or row["model"] or row["device_id"]
        affected.setdefault((row["model"], row["firmware"]), set()).add(row["device_id"])
    for part in joined:
        # Part of an incident, so it has no case of its own.
        times.setdefault(part["device_id"], 1)
        names.setdefault(part["device_id"], part["name"] or part["model"] or part["device_id"])
        affected.setdefault((part["model"], part["firmware"]), set()).add(part["device_id"])
    lasted = sorted(
        (row["resolved_at"] - row["opened_at"]) / timedelta(hours=1)
        for row in rows
        if row["resolved_at"] is not None and row["resolved_by"] != "incident"
    )
    examples = [row["id"] for row in rows[:EXAMPLES]]
    return FaultReport(
        rule=rule,
        since=since,
        until=until,
        cases=len(rows),
        devices=len(times),
        again=sum(count > 1 for count in times.values()),
        open=sum(row["state"] == "open" for row in rows),
        joined=len(joined),
        hours=lasted[len(lasted) // 2] if lasted else None,
        weeks=_weeks(rows, since, until),
        kinds=_kinds(connection, affected),
        causes=_most(row["cause"] for row in rows),
        fixes=_most(row["fix"] for row in rows),
        repeated=[(name, names[name], count) for name, count in times.most_common(REPEATED) if count > 1],
        examples=sorted(load(connection, examples), key=lambda case: -case.id),
    )


def rows_for_download(
    connection: sa.Connection, rule: str, since: datetime, until: datetime
) -> Sequence[sa.RowMapping]:
    """Load the cases that a report counts, each with its device and evidence; no customer stands in it."""
    return _rows(connection, rule, since, until)


def _rows(connection: sa.Connection, rule: str, since: datetime, until: datetime) -> Sequence[sa.RowMapping]:
    names = ("id", "device_id", "fault", "severity", "state", "opened_at", "resolved_at", "resolved_by", "reopened")
    query = (
        sa.select(
            *(cases.c[name] for name in names),
            cases.c.cause,
            cases.c.fix,
            cases.c.explanation,
            devices.c.name,
            devices.c.model,
            devices.c.serial,
            devices.c.firmware,
            devices.c.hub,
        )
        .select_from(cases.outerjoin(devices, devices.c.id == cases.c.device_id))
        .where(
            cases.c.rule == rule,
            cases.c.opened_at >= since,
            cases.c.opened_at <= until,
            cases.c.on_arrival.is_(False),
        )
        .order_by(cases.c.id.desc())
        .limit(READ_AT_MOST)
    )
    return connection.execute(query).mappings().all()


def _in_incidents(connection: sa.Connection, rule: str) -> Sequence[sa.RowMapping]:
    """The devices on which the fault fires as part of an incident; what fires is few, whatever the fleet's size."""
    a = alerts.c
    query = (
        sa.select(a.device_id, devices.c.name, devices.c.model, devices.c.firmware)
        .select_from(alerts.outerjoin(devices, devices.c.id == a.device_id))
        .where(a.state == sa.literal_column("'firing'"), a.rule == rule, a.withheld_by == "incident")
    )
    return connection.execute(query).mappings().all()


def _weeks(rows: Sequence[sa.RowMapping], since: datetime, until: datetime) -> list[tuple[datetime, int]]:
    week = timedelta(days=7)
    counts = Counter(int((row["opened_at"] - since) / week) for row in rows)
    return [(since + number * week, counts[number]) for number in range(int((until - since) / week) + 1)]


def _kinds(connection: sa.Connection, affected: Mapping[tuple[str | None, str | None], set[str]]) -> list[Kind]:
    d = devices.c
    models = [model for model, _ in affected if model is not None]
    query = sa.select(d.model, d.firmware, sa.func.count()).group_by(d.model, d.firmware)
    query = query.where(sa.or_(d.model.in_(models), d.model.is_(None)))
    kinds = [
        Kind(model, firmware, len(affected.get((model, firmware), ())), count)
        for model, firmware, count in connection.execute(query)
        if (model, firmware) in affected or model is not None
    ]
    return sorted(kinds, key=lambda kind: (-kind.share, -kind.affected, str(kind.firmware)))[:GROUPS]


def _most(said: Any) -> list[tuple[str, int]]:
    return Counter(one for one in said if one).most_common(8)
