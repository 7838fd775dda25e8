"""All that is held about one customer, as JSON and in a zip: what the law calls access and portability."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from device_models.event import rfc3339
from gateway.history import History
from gateway.people.ownership import visible_since
from gateway.people.personal import HELD, Held, Owned
from gateway.store import schema
from gateway.store.attachments import attachments
from gateway.store.ownership import device_people
from gateway.store.tables import metadata
from gateway.web.twin import twin_of

FILES = "files"
"""Under which an export holds the contents of files, by their names in a zip; JSON has what they are alone."""
_LONGEST = timedelta(days=3660)
_MOST_SAMPLES = 200_000
"""Of one field; beyond that the history thins them out, keeping extremes."""


class NoSuchCustomer(LookupError):
    """Nobody of this id is known. Its catcher says so."""


def gather(connection: sa.Connection, customer_id: str) -> dict[str, Any]:
    """Collect every row about a customer, by table, and the content of their files. Raises NoSuchCustomer."""
    c = schema.customers.c
    if connection.execute(sa.select(c.id).where(c.id == customer_id)).first() is None:
        raise NoSuchCustomer(f"there is no customer {customer_id}")
    held = {name: _rows(connection, name, table, customer_id) for name, table in HELD.items()}
    now_of = {device_id: _now_of(connection, device_id) for device_id in devices_of(connection, customer_id)}
    a = attachments.c
    files = sa.select(a.id, a.name, a.content).where(a.customer_id == customer_id, a.size > 0)
    named = {f"files/{number}-{name}": content for number, name, content in connection.execute(files)}
    return {"customer_id": customer_id, "held": held, "devices_now": now_of, FILES: named}


def view_of_past(connection: sa.Connection, customer_id: str) -> dict[str, datetime | None]:
    """Return the devices a customer owns, each with where their view of its past begins; None: at the beginning."""
    return {device: visible_since(connection, device, customer_id) for device in devices_of(connection, customer_id)}


async def gather_history(history: History, spans: Mapping[str, datetime | None], now: datetime) -> dict[str, Any]:
    """Collect samples and fixes by device, each since the given time. Raises HistoryUnavailable."""
    found = {}
    for device_id, begins in spans.items():
        since = begins or now - _LONGEST
        fields = {}
        for name in await history.fields(device_id):
            series = await history.series(device_id, name, since, now, _MOST_SAMPLES)
            numbers = [[rfc3339(at), value] for at, value in zip(series.times, series.values, strict=True)]
            fields[name] = numbers or [[rfc3339(at), text] for at, text in series.changes]
        fixes = await history.positions(device_id, since, now, _MOST_SAMPLES)
        found[device_id] = {
            "samples": fields,
            "fixes": [[rfc3339(f.observed_at), f.position.latitude, f.position.longitude] for f in fixes],
        }
    return found


def as_json(exported: Mapping[str, Any]) -> str:
    """Write an export as JSON for people and programs."""
    without = {name: value for name, value in exported.items() if name != FILES}
    return json.dumps(without, ensure_ascii=False, indent=1, default=_plain) + "\n"


def as_zip(exported: Mapping[str, Any]) -> bytes:
    """Write an export as a zip: ``customer.json``, the files of their conversations, and samples and fixes as CSV."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        rest = {name: value for name, value in exported.items() if name != "history"}
        archive.writestr("customer.json", as_json(rest))
        for name, content in exported.get(FILES, {}).items():
            archive.writestr(name, content)
        for number, (device_id, kept) in enumerate(exported.get("history", {}).items(), start=1):
            samples = [[name, at, value] for name, course in kept["samples"].items() for at, value in course]
            archive.writestr(
                f"history/{number}-samples.csv", _csv(["device_id", "field", "at", "value"], device_id, samples)
            )
            columns = ["device_id", "at", "latitude", "longitude"]
            archive.writestr(f"history/{number}-fixes.csv", _csv(columns, device_id, kept["fixes"]))
    return buffer.getvalue()


def devices_of(connection: sa.Connection, customer_id: str) -> list[str]:
    """List the devices a customer owns now."""
    d = schema.devices.c
    return list(connection.execute(sa.select(d.id).where(d.customer_id == customer_id).order_by(d.id)).scalars())


def condition_of(name: str, held: Held, customer_id: str) -> sa.ColumnElement[bool]:
    """Return what picks a customer's rows of a table."""
    table = metadata.tables[name]
    if name == "customers":
        return table.c.id == customer_id
    if held.owned is Owned.BY_CUSTOMER:
        return table.c.customer_id == customer_id
    if held.owned is Owned.BY_CASE:
        cases = sa.select(schema.cases.c.id).where(schema.cases.c.customer_id == customer_id)
        theirs = table.c.case_id.in_(cases)
        if name == "timeline":
            # What they said in somebody else's case, as a contact, is theirs too.
            return sa.or_(theirs, table.c.body["from"].as_string() == customer_id)
        return theirs
    key = table.c.id if name == "devices" else table.c.device_id
    if name == "devices":
        return table.c.customer_id == customer_id
    p, before = device_people.c, device_people.alias("before").c
    # What was heard of a device before its first owner was written down is nobody else's.
    first = ~sa.exists().where(before.device_id == p.device_id, before.role == "owner", before.starts_at < p.starts_at)
    spans = sa.select(p.id).where(
        p.device_id == key,
        p.customer_id == customer_id,
        p.role == "owner",
        sa.or_(table.c.at >= p.starts_at, first),
        sa.or_(p.ends_at.is_(None), table.c.at < p.ends_at),
    )
    return spans.exists()


def _rows(connection: sa.Connection, name: str, held: Held, customer_id: str) -> list[dict[str, Any]]:
    table = metadata.tables[name]
    query = sa.select(table).where(condition_of(name, held, customer_id)).order_by(*table.primary_key)
    return [
        {column: value for column, value in row.items() if column not in held.secret}
        for row in connection.execute(query).mappings()
    ]


def _now_of(connection: sa.Connection, device_id: str) -> dict[str, Any]:
    s = schema.device_states.c
    state = connection.execute(sa.select(s.state).where(s.device_id == device_id)).scalar()
    return twin_of(state).as_dict()


def _csv(columns: Sequence[str], device_id: str, rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([device_id, *row] for row in rows)
    return text.getvalue()


def _plain(value: object) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)
