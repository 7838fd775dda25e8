"""Where each system stands that is told what happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from gateway.store.schema import timeline
from gateway.store.subscriptions import refused_events, subscriptions

LISTED = 50


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that a system would not take."""

    subscription: str
    entry_id: int
    case_id: int
    kind: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """One system."""

    name: str
    position: int
    state: str
    failures: int
    failing_since: datetime | None
    next_try_at: datetime | None
    reason: str | None
    behind: int
    """Entries that it was not told of yet."""
    refused: Sequence[Refused] = ()
    """The newest that were put aside."""


def all_standing(connection: sa.Connection) -> list[Standing]:
    """List every system that was ever told, by name."""
    newest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(timeline.c.id), 0))).scalar_one()
    rows = connection.execute(sa.select(subscriptions).order_by(subscriptions.c.name).limit(LISTED)).mappings()
    r = refused_events
    columns = (r.c.subscription, r.c.entry_id, r.c.case_id, r.c.kind, r.c.reason, r.c.at)
    newest_refused = sa.select(*columns).order_by(r.c.id.desc()).limit(LISTED)
    aside = [Refused(*row) for row in connection.execute(newest_refused)]
    return [
        Standing(
            **row,
            behind=max(0, newest - row["position"]),
            refused=[each for each in aside if each.subscription == row["name"]],
        )
        for row in rows
    ]
