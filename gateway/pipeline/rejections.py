"""What could not be used: kept with its reason, bounded, counted."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from device_models.event import Event, Rejection
from gateway.store import schema
from gateway.transaction import Transaction

KEPT = 5000
"""How many rejections the store keeps; all are counted."""
_UNKNOWN_KEPT = 5000


def record_rejections(tx: Transaction, rejections: Sequence[Rejection]) -> None:
    """Keep ``rejections`` and drop the oldest beyond ``KEPT``."""
    if not rejections:
        return
    r = schema.rejections
    tx.connection.execute(
        sa.insert(r),
        [
            {
                "sequence": rejection.sequence,
                "topic": rejection.topic[:1000],
                "reason": rejection.reason[:1000],
                "first_bytes": rejection.first_bytes,
                "received_at": rejection.received_at,
            }
            for rejection in rejections[-KEPT:]
        ],
    )
    newest = tx.connection.execute(sa.select(sa.func.max(r.c.id))).scalar_one()
    tx.connection.execute(sa.delete(r).where(r.c.id <= newest - KEPT))
    tx.set_meta("rejected", int(tx.get_meta("rejected", 0)) + len(rejections))
    tx.changed("rejection", newest)


class UnknownDevice(NamedTuple):
    """What a batch brought of a device that nobody registered."""

    topic: str
    event: Event
    """The last one."""
    messages: int


def count_unknown_devices(tx: Transaction, unknown: Mapping[str, UnknownDevice]) -> None:
    """Note devices that speak and that nobody registered; beyond a bound only those known already are counted."""
    u = schema.unknown_devices
    for device_id, (topic, event, messages) in unknown.items():
        counted = tx.connection.execute(
            sa.update(u)
            .where(u.c.id == device_id)
            .values(messages=u.c.messages + messages, last_heard_at=event.received_at, topic=topic[:1000])
        )
        if counted.rowcount:
            continue
        if tx.connection.execute(sa.select(sa.func.count()).select_from(u)).scalar_one() >= _UNKNOWN_KEPT:
            continue
        tx.connection.execute(
            sa.insert(u).values(
                id=device_id,
                ecosystem=event.ecosystem,
                topic=topic[:1000],
                first_heard_at=event.received_at,
                last_heard_at=event.received_at,
                messages=messages,
            )
        )
        tx.changed("rejection", device_id)
