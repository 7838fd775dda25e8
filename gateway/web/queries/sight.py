"""What a customer may see of a case: their own, one they care for, and nothing of what was another owner's."""

from collections.abc import Iterable
from enum import Enum

import sqlalchemy as sa

from gateway.store.ownership import device_people
from gateway.store.schema import notifications
from gateway.web.queries.cases import CaseLine, TimelineEntry
from gateway.web.queries.devices import DeviceLine


class Sight(Enum):
    """How a case looks from a customer's side."""

    THEIRS = "theirs"
    ENDED = "ended"
    """It was theirs; the device has another owner now, or they hear of it no longer."""
    FOREIGN = "foreign"
    """It never was theirs."""


def sight_of(connection: sa.Connection, customer_id: str, case: CaseLine, device: DeviceLine | None) -> Sight:
    """Tell what ``customer_id`` may see of ``case``."""
    told = _was_told(connection, customer_id, case.id)
    if case.kind == "incident" and told:
        return Sight.THEIRS
    owner = device.customer_id if device else None
    if case.customer_id == customer_id:
        return Sight.THEIRS if owner == customer_id else Sight.ENDED
    if owner is not None and case.customer_id == owner and _cares_for(connection, customer_id, case):
        return Sight.THEIRS
    return Sight.ENDED if told else Sight.FOREIGN


def own_words(timeline: Iterable[TimelineEntry], case: CaseLine, customer_id: str) -> list[TimelineEntry]:
    """Leave out what was said with others: an owner and a caretaker each have a conversation of their own."""
    return [entry for entry in timeline if _concerns(entry, case, customer_id)]


def _concerns(entry: TimelineEntry, case: CaseLine, customer_id: str) -> bool:
    if entry.kind == "message_in":
        return bool(entry.body.get("from", case.customer_id) == customer_id)
    return entry.kind not in ("message_out", "told_together") or entry.message_to in (None, customer_id)


def _cares_for(connection: sa.Connection, customer_id: str, case: CaseLine) -> bool:
    p = device_people.c
    query = sa.select(p.purposes).where(
        p.device_id == case.device_id, p.customer_id == customer_id, p.ends_at.is_(None)
    )
    return case.purpose in (connection.execute(query).scalar() or ())


def _was_told(connection: sa.Connection, customer_id: str, case_id: int) -> bool:
    n = notifications.c
    query = sa.select(n.id).where(n.case_id == case_id, n.customer_id == customer_id).limit(1)
    return connection.execute(query).first() is not None
