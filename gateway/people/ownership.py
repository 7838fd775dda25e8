"""Owners as rows with start and end, and what follows from a change: what ends for one and begins for the other."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from device_models.contact import Role
from device_models.registry import Device
from gateway.cases.timeline import add_entry, touch
from gateway.outbox.digest import TEMPLATE as DIGEST
from gateway.outbox.queue import goes_on_without, set_state
from gateway.people.contacts import set_contacts
from gateway.store import schema
from gateway.store.ownership import device_people
from gateway.transaction import Transaction

_WAITING = ("awaiting_approval", "queued")
_PART = 500


def record_owners(tx: Transaction, devices: Iterable[Device], source: str) -> None:
    """Write down who owns ``devices`` from now on, where that is not written yet."""
    rows = [
        {
            "device_id": device.id,
            "customer_id": device.customer_id,
            "role": Role.OWNER.value,
            "purposes": sorted(Role.OWNER.purposes),
            "starts_at": tx.now,
            "source": source,
        }
        for device in devices
        if device.customer_id is not None
    ]
    p = device_people.c
    for start in range(0, len(rows), _PART):
        part = rows[start : start + _PART]
        ids = [row["device_id"] for row in part]
        owned = sa.select(p.device_id).where(p.role == Role.OWNER, p.ends_at.is_(None), p.device_id.in_(ids))
        known = set(tx.connection.execute(owned).scalars())
        if new := [row for row in part if row["device_id"] not in known]:
            tx.connection.execute(sa.insert(device_people), new)


def change_owner(tx: Transaction, device_id: str, customer_id: str | None, at: datetime, source: str) -> None:
    """End whoever had to do with a device at ``at`` and let ``customer_id`` own it from then on."""
    p = device_people.c
    tx.connection.execute(
        sa.update(device_people).where(p.device_id == device_id, p.ends_at.is_(None)).values(ends_at=at)
    )
    set_contacts(tx, device_id, ())
    if customer_id is not None:
        tx.connection.execute(
            sa.insert(device_people).values(
                device_id=device_id,
                customer_id=customer_id,
                role=Role.OWNER.value,
                purposes=sorted(Role.OWNER.purposes),
                starts_at=at,
                source=source,
            )
        )


def owned_since(connection: sa.Connection, device_id: str, customer_id: str) -> datetime | None:
    """Return since when a device is this person's, as owner or contact; None where it is not theirs."""
    p = device_people.c
    query = sa.select(p.starts_at).where(p.device_id == device_id, p.customer_id == customer_id, p.ends_at.is_(None))
    found: datetime | None = connection.execute(query).scalar()
    return found


def visible_since(connection: sa.Connection, device_id: str, customer_id: str) -> datetime | None:
    """Return where this person's view of a device's past begins; None where nobody else ever owned it.

    For a contact it is where the owner's begins.
    """
    p = device_people.c
    owners = sa.select(p.customer_id, p.starts_at, p.ends_at).where(p.device_id == device_id, p.role == Role.OWNER)
    rows = connection.execute(owners.order_by(p.starts_at)).all()
    current = next((row for row in rows if row.ends_at is None), None)
    if current is None or all(row.customer_id == current.customer_id for row in rows):
        return None
    return current.starts_at  # type: ignore[no-any-return]


def end_messages(tx: Transaction, device_id: str, reason: str, customer_id: str | None = None) -> int:
    """Withdraw what still waits to be said about a device, to one person or to all; return how many messages end.

    One that tells of other devices too goes on without this one.
    """
    n, c = schema.notifications.c, schema.cases.c
    cases = set(tx.connection.execute(sa.select(c.id).where(c.device_id == device_id)).scalars())
    about = sa.or_(
        n.device_id == device_id,
        n.case_id.in_(sa.select(c.id).where(c.device_id == device_id)),
        # Whatever its row is about, it may tell of this one as well.
        n.template == DIGEST,
    )
    query = sa.select(n.id).where(n.state.in_(_WAITING), about)
    if customer_id is not None:
        query = query.where(n.customer_id == customer_id)

    def is_over(item: Mapping[str, Any]) -> bool:
        return item["device_id"] == device_id or item["case_id"] in cases

    ended = [i for i in tx.connection.execute(query).scalars().all() if not goes_on_without(tx, i, is_over)]
    for notification_id in ended:
        set_state(tx, notification_id, "cancelled", reason=reason)
    return len(ended)


def end_cases(tx: Transaction, device_id: str, by: str, reason: str) -> list[sa.RowMapping]:
    """Close the open cases of a device without telling anybody; return them as they were."""
    c = schema.cases
    query = sa.select(c).where(c.c.device_id == device_id, c.c.state == "open", c.c.kind != "incident")
    rows = list(tx.connection.execute(query).mappings().all())
    for row in rows:
        values: dict[str, Any] = {"state": "resolved", "resolved_at": tx.now, "resolved_by": by, "resolution": reason}
        touch(tx, row["id"], needs_reply=False, **values)
        add_entry(tx, row["id"], "resolved", by, body={"resolution": reason})
    return rows


def firing_alerts(tx: Transaction, device_id: str) -> dict[str, sa.RowMapping]:
    """Read the alerts of a device that fire now, by dedupe key."""
    a = schema.alerts
    query = sa.select(a).where(a.c.device_id == device_id, a.c.state == "firing")
    return {row["dedupe_key"]: row for row in tx.connection.execute(query).mappings()}


def forget_unknown(tx: Transaction, device_ids: Iterable[str]) -> None:
    """Take devices out of the quarantine."""
    u = schema.unknown_devices
    tx.connection.execute(sa.delete(u).where(u.c.id.in_(list(device_ids))))
