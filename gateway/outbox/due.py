"""Which messages may be handed over now: what is urgent first, then the oldest, each channel by itself."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from gateway.outbox.channels import CHANNELS
from gateway.outbox.checking import STAFF_ALERT
from gateway.store import schema
from gateway.transaction import Transaction

Line = tuple[str, str]
"""(customer, channel): what is kept in order; the channel is empty where none is chosen."""
_PAGE = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """What may be begun on one channel."""

    channel: str
    most: int
    """So many lines."""
    urgent_only: bool = False


def is_urgent(row: sa.RowMapping | Mapping[str, Any]) -> bool:
    """Whether a message does not wait for a provider that is down: a safety notice, or what is critical."""
    return bool(row["purpose"] == Purpose.SAFETY.value or row["severity"] == Severity.CRITICAL.value)


def first_in_line(
    connection: sa.Connection, now: datetime, wanted: Collection[Wanted], skip: Collection[Line] = ()
) -> list[sa.RowMapping]:
    """Read the message that goes next on each line, what is urgent first; while all is held, those to staff alone.

    Args:
        connection: Of the store.
        now: What is due.
        wanted: By channel. Of a channel that is not named, which nobody serves (any more), all are read: another is
            chosen for them.
        skip: Lines that nothing may follow on now. However many messages they have, they keep nobody else's back.
    """
    held = connection.execute(_HELD).scalar()
    asked = {"now": now, "template": STAFF_ALERT if held else None}
    served = {one.channel for one in wanted}
    nobodys = [Wanted(channel, _PAGE) for channel in ("", *CHANNELS) if channel not in served]
    rows = chain.from_iterable(_of_channel(connection, one, asked, skip) for one in (*wanted, *nobodys) if one.most > 0)
    return sorted(rows, key=lambda row: (not is_urgent(row), row["id"]))


def _of_channel(
    connection: sa.Connection, wanted: Wanted, asked: Mapping[str, Any], skip: Collection[Line]
) -> Iterator[sa.RowMapping]:
    passed = set(skip)
    found = 0
    for urgent in (True,) if wanted.urgent_only else (True, False):
        for row in _paged(connection, urgent, wanted.channel, asked):
            if line_of(row) in passed:
                continue
            passed.add(line_of(row))
            yield row
            found += 1
            if found == wanted.most:
                return


def _paged(connection: sa.Connection, urgent: bool, channel: str, asked: Mapping[str, Any]) -> Iterator[sa.RowMapping]:
    query, after = _DUE[urgent, bool(channel)], 0
    given = {**asked, **({"on": channel} if channel else {})}
    while page := connection.execute(query, {**given, "after": after}).mappings().all():
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]["id"]


def line_of(row: sa.RowMapping) -> Line:
    """Return the line that a message stands in."""
    return row["customer_id"], row["channel"] or ""


def next_due(connection: sa.Connection) -> datetime | None:
    """Return when the next message that waits for a time may go, None if none waits."""
    n = schema.notifications
    found: datetime | None = connection.execute(
        sa.select(n.c.not_before).where(n.c.state == "queued").order_by(n.c.not_before).limit(1)
    ).scalar()
    return found


def is_behind_a_retry(tx: Transaction, row: sa.RowMapping) -> bool:
    """Whether one message has to wait for an earlier one's next attempt; what is critical never does."""
    if row["severity"] == Severity.CRITICAL.value:
        return False
    return tx.connection.execute(_BEHIND_A_RETRY, {"of_id": row["id"], "now": tx.now}).first() is not None


def _behind_a_retry() -> sa.Exists:
    """Whether an earlier message of the same customer and channel waits for its next attempt: it goes first.

    ``:now`` is given when the statement is run.
    """
    n = schema.notifications
    earlier = n.alias("earlier")
    return (
        sa.select(earlier.c.id)
        .where(
            earlier.c.customer_id == n.c.customer_id,
            earlier.c.channel == n.c.channel,
            earlier.c.id < n.c.id,
            earlier.c.state == _QUEUED,
            earlier.c.attempts > sa.literal_column("0"),
            earlier.c.not_before > sa.bindparam("now"),
        )
        .exists()
    )


def _due(urgent: bool, chosen: bool) -> sa.Select[Any]:
    """Messages of one channel, or those without one, beyond the one with the id ``:after``."""
    n = _n.c
    is_urgent_ = sa.or_(n.purpose == sa.literal_column("'safety'"), n.severity == sa.literal_column("'critical'"))
    return (
        sa.select(n.id, n.customer_id, n.channel, n.purpose, n.severity)
        .where(n.state == _QUEUED, is_urgent_ if urgent else ~is_urgent_)
        .where(n.channel == sa.bindparam("on") if chosen else n.channel.is_(None))
        .where(sa.or_(n.not_before.is_(None), n.not_before <= sa.bindparam("now")))
        .where(sa.or_(~_behind_a_retry(), n.severity == Severity.CRITICAL.value))
        .where(sa.or_(sa.bindparam("template", type_=sa.Text).is_(None), n.template == sa.bindparam("template")))
        .where(n.id > sa.bindparam("after"))
        .order_by(n.id)
        .limit(_PAGE)
    )


# Literal, word for word as in the conditions of partial indexes: a value given later would not let them be used.
_QUEUED: sa.ColumnElement[str] = sa.literal_column("'queued'")
_n = schema.notifications
_HELD = sa.select(schema.meta.c.value).where(schema.meta.c.key == "hold")
_BEHIND_A_RETRY = sa.select(_n.c.id).where(_n.c.id == sa.bindparam("of_id"), _behind_a_retry())
_DUE = {(urgent, chosen): _due(urgent, chosen) for urgent in (True, False) for chosen in (True, False)}
