"""Where people were is reduced and forgotten on schedule: a visit is a place and a time, even without coordinates."""

from collections.abc import Sequence

import sqlalchemy as sa

from gateway.store.schema import notifications, offer_decisions
from gateway.transaction import Transaction

_REDUCED = {"forgotten": True}
_PART = 500
_MOST = 1000
"""In one transaction; what is left is forgotten by the next look."""


def forget_visits(tx: Transaction) -> int:
    """Delete visits that brought no offer, and of the others keep which offer it was and when; return how many.

    ``[offers] forget_visits_after`` says when. What is reduced says no longer where, how near, how fast, or by which
    device, and neither does the message that told of it. Who was left out of an offer stays counted likewise, since the
    gain is measured against them.
    """
    d = offer_decisions
    old = d.c.at < tx.now - tx.config.offers.forget_visits_after
    counted = sa.or_(d.c.reason.is_(None), d.c.reason == "holdout")
    gone = tx.connection.execute(sa.select(d.c.id).where(old, sa.not_(counted)).limit(_MOST)).scalars().all()
    tx.connection.execute(sa.delete(d).where(d.c.id.in_(gone)))
    kept = sa.select(d.c.id).where(old, counted, d.c.shop_id != "").limit(_MOST)
    reduced = tx.connection.execute(kept).scalars().all()
    told = sa.select(d.c.notification_id).where(d.c.id.in_(reduced), d.c.notification_id.is_not(None))
    _reduce_messages(tx, tx.connection.execute(told).scalars().all())
    values = {"explanation": _REDUCED, "shop_id": "", "device_id": ""}
    tx.connection.execute(sa.update(d).where(d.c.id.in_(reduced)).values(**values))
    return len(gone) + len(reduced)


def _reduce_messages(tx: Transaction, ids: Sequence[int]) -> None:
    """Keep of an offer's message, and of its copies on other channels, that and when there was one."""
    n = notifications
    keys = list(tx.connection.execute(sa.select(n.c.key).where(n.c.id.in_(ids))).scalars())
    copies = [f"{key}+{number}" for key in keys for number in range(2, len(tx.config.notifiers.channels) + 2)]
    for start in range(0, len(copies), _PART):
        found = sa.select(n.c.id).where(n.c.key.in_(copies[start : start + _PART]))
        ids = [*ids, *tx.connection.execute(found).scalars()]
    for notification_id in ids:
        # The key names shop and minute.
        values = {"key": f"offer:forgotten:{notification_id}", "device_id": "", "facts": _REDUCED, "why": []}
        empty = dict.fromkeys(("text", "subject", "body"))
        tx.connection.execute(sa.update(n).where(n.c.id == notification_id).values(**values, **empty))


def count_to_forget(connection: sa.Connection, before: object) -> int:
    """Count the visits from ``before`` that still say where somebody was."""
    d = offer_decisions
    query = sa.select(sa.func.count()).select_from(d).where(d.c.at < before, d.c.shop_id != "")
    return connection.execute(query).scalar_one()
