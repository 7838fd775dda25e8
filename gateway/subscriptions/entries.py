"""What happened, read from the timeline of all cases in the order of its commits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gateway.store.schema import cases, notifications, timeline


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to a case, with the case as it is now."""

    id: int
    """Grows with each entry; the same for every try."""
    kind: str
    """``opened``, ``message_in``, …; see ``schema.timeline``."""
    at: datetime
    author: str
    body: Mapping[str, Any]
    case: Mapping[str, Any]
    channel: str | None
    """Of an entry about a message."""
    message_text: str | None
    """What was handed over, or an agent's own words."""

    @property
    def text(self) -> str:
        """The words of a message or a note; empty where there are none."""
        return str(self.message_text or self.body.get("text") or "")


def entries_after(connection: sa.Connection, position: int, limit: int = 100) -> list[Entry]:
    """Read the next entries behind ``position``."""
    n = notifications
    case_columns = [column.label(f"case_{column.name}") for column in cases.c if column.name != "explanation"]
    query = (
        sa.select(
            timeline.c.id,
            timeline.c.kind,
            timeline.c.at,
            timeline.c.author,
            timeline.c.body,
            n.c.channel,
            sa.func.coalesce(n.c.text, n.c.body).label("message_text"),
            cases.c.explanation["title"].label("case_title"),
            *case_columns,
        )
        .select_from(
            timeline.join(cases, cases.c.id == timeline.c.case_id).outerjoin(n, n.c.id == timeline.c.notification_id)
        )
        .where(timeline.c.id > position)
        .order_by(timeline.c.id)
        .limit(limit)
    )
    found = []
    for row in connection.execute(query).mappings():
        case = {name.removeprefix("case_"): value for name, value in row.items() if name.startswith("case_")}
        own = {name: value for name, value in row.items() if not name.startswith("case_")}
        found.append(Entry(**own, case=case))
    return found
