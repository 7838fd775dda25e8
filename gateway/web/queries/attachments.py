"""Files of conversations: what a list of them shows, and one with its content."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gateway.store.attachments import attachments

_a = attachments.c


@dataclass(frozen=True, slots=True)
class FileLine:
    """One file, without its content."""

    id: int
    name: str
    kind: str
    """Its media type."""
    size: int
    """Bytes."""
    sha256: str
    failed: str | None = None
    """Why it could not be fetched from the provider it came by; there is no content then."""
    waits: bool = False
    """It is still to be fetched."""

    @property
    def is_here(self) -> bool:
        """Whether it can be opened."""
        return not self.waits and self.failed is None

    @property
    def is_picture(self) -> bool:
        """Whether every browser can show it."""
        return self.kind in ("image/jpeg", "image/png", "image/gif", "image/webp")


_LINE = (_a.id, _a.name, _a.kind, _a.size, _a.sha256, _a.failed, _a.fetch_at.is_not(None))


def of_cases(connection: sa.Connection, case_ids: Iterable[int]) -> Mapping[tuple[str, int], list[FileLine]]:
    """Return the files of cases by what they belong to: ``("inbound", 7)``, ``("message", 8)``, ``("entry", 9)``."""
    query = (
        sa.select(*_LINE, _a.inbound_id, _a.notification_id, _a.entry_id)
        .where(_a.case_id.in_(list(case_ids)))
        .order_by(_a.id)
    )
    found: defaultdict[tuple[str, int], list[FileLine]] = defaultdict(list)
    for *line, inbound_id, notification_id, entry_id in connection.execute(query):
        for kind, owner in (("inbound", inbound_id), ("message", notification_id), ("entry", entry_id)):
            if owner is not None:
                found[kind, owner].append(FileLine(*line))
    return found


def of_messages(connection: sa.Connection, inbound_ids: Iterable[int]) -> Mapping[int, list[FileLine]]:
    """Return the files of messages that came in, by message."""
    query = sa.select(*_LINE, _a.inbound_id).where(_a.inbound_id.in_(list(inbound_ids))).order_by(_a.id)
    found: defaultdict[int, list[FileLine]] = defaultdict(list)
    for *line, inbound_id in connection.execute(query):
        found[inbound_id].append(FileLine(*line))
    return found


def content(connection: sa.Connection, file_id: int) -> tuple[FileLine, bytes] | None:
    """Load one file with its content; None where there is no such file, or its content is not here."""
    there = sa.select(*_LINE, _a.content).where(_a.id == file_id, _a.failed.is_(None), _a.fetch_at.is_(None))
    row: Any = connection.execute(there).first()
    return None if row is None else (FileLine(*row[:-1]), row[-1])
