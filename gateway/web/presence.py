"""Who is looking at which case now, so that two people do not answer the same one. In memory: it is only about now."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

GONE_AFTER = timedelta(seconds=30)
"""A page says every ten seconds that somebody is there."""


@dataclass(frozen=True, slots=True)
class Here:
    """Somebody on a case's page."""

    name: str
    writing: bool


class Presence:
    """Remembers who was where last. Wall time: a demo's fast clock would make everybody leave at once."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._seen: dict[int, dict[str, tuple[datetime, bool]]] = {}

    def here(self, case_id: int, name: str, *, writing: bool) -> list[Here]:
        """Note that ``name`` is on the case's page; return who else is."""
        at = self._now()
        self._seen.setdefault(case_id, {})[name] = (at, writing)
        self._forget(at)
        return [one for one in self.on(case_id) if one.name != name]

    def leave(self, case_id: int, name: str) -> None:
        """They closed the page."""
        self._seen.get(case_id, {}).pop(name, None)

    def on(self, case_id: int) -> list[Here]:
        """Return who is on the case's page, by name."""
        at = self._now()
        of_case = self._seen.get(case_id, {})
        return [Here(name, writing) for name, (seen, writing) in sorted(of_case.items()) if at - seen <= GONE_AFTER]

    def _forget(self, at: datetime) -> None:
        for case_id in list(self._seen):
            kept = {name: (seen, w) for name, (seen, w) in self._seen[case_id].items() if at - seen <= GONE_AFTER}
            if kept:
                self._seen[case_id] = kept
            else:
                del self._seen[case_id]


PRESENCE = web.AppKey("presence", Presence)
