"""Silences as the console and the API list them, and every fault that fires without a case of its own."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.cases.silences import silence_of_row
from gateway.store.schema import HEARER, alerts, customers, devices, silences
from gateway.web.wording import moment
from rules.response.silence import Silence

LISTED_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class SilenceLine:
    """One silence and how much it withholds now."""

    silence: Silence
    created_at: datetime
    ended_by: str | None
    withheld: int
    names: Mapping[str, str]
    """Of the device and the customer that it is about, by ``device_id`` and ``customer_id``."""
    by_hearer: bool
    """Whether it keeps its author alone from being told."""

    def over(self, now: datetime) -> bool:
        """Whether it mutes nothing any more."""
        return self.silence.ended_at is not None or self.silence.ends_at <= now


@dataclass(frozen=True, slots=True)
class WithheldLine:
    """One fault that fires and has no case of its own, with why."""

    device_id: str
    device_label: str
    site: str | None
    customer_name: str | None
    rule: str
    severity: str
    since: datetime
    explanation: Mapping[str, Any]
    withheld: Mapping[str, Any]


def page(connection: sa.Connection, now: datetime) -> list[SilenceLine]:
    """Load silences, those in force first, then the newest of those that are over."""
    s = silences
    over = sa.or_(s.c.ended_at.is_not(None), s.c.ends_at <= now)
    query = sa.select(s).order_by(over, s.c.id.desc()).limit(LISTED_AT_MOST)
    count = sa.select(alerts.c.withheld_key, sa.func.count()).where(alerts.c.withheld_by == "silence")
    withheld = {str(key): int(n) for key, n in connection.execute(count.group_by(alerts.c.withheld_key))}
    rows = connection.execute(query).mappings().all()
    named = {"device_id": devices, "customer_id": customers}
    names = {column: _names(connection, table, {row[column] for row in rows}) for column, table in named.items()}
    return [
        SilenceLine(
            silence_of_row(row),
            row["created_at"],
            row["ended_by"],
            withheld.get(f"silence:{row['id']}", 0),
            {column: known[row[column]] for column, known in names.items() if row[column] in known},
            row["whose"] == HEARER,
        )
        for row in rows
    ]


def _names(connection: sa.Connection, table: sa.Table, ids: Collection[str | None]) -> dict[str, str]:
    query = sa.select(table.c.id, table.c.name).where(table.c.id.in_([i for i in ids if i]), table.c.name.is_not(None))
    return {row.id: row.name for row in connection.execute(query)}


def withheld_now(connection: sa.Connection, limit: int = LISTED_AT_MOST) -> list[WithheldLine]:
    """Load the faults that fire without a case of their own, the newest first."""
    a = alerts
    query = (
        sa.select(a, devices.c.name, devices.c.model, devices.c.site, customers.c.name.label("customer_name"))
        .select_from(
            a.outerjoin(devices, devices.c.id == a.c.device_id).outerjoin(
                customers, customers.c.id == devices.c.customer_id
            )
        )
        .where(a.c.withheld_by.is_not(None))
        .order_by(a.c.at.desc(), a.c.dedupe_key)
        .limit(limit)
    )
    return [_line(row) for row in connection.execute(query).mappings()]


def _line(row: sa.RowMapping) -> WithheldLine:
    until = {"until": row["due_at"].isoformat()} if row["due_at"] else {}
    earlier = row["explanation"].get("withheld")
    since = moment(earlier["from"]) if earlier else None
    return WithheldLine(
        row["device_id"],
        row["name"] or row["model"] or row["device_id"],
        row["site"],
        row["customer_name"],
        row["rule"],
        row["severity"],
        since or row["at"],
        row["explanation"],
        {"by": row["withheld_by"], **row["withheld"], **until},
    )
