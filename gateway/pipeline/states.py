"""Device states: resident once met, staged while a commit is in the making, promoted when it is done."""

import heapq
from collections.abc import Iterable, Mapping
from datetime import datetime

import orjson
import sqlalchemy as sa

from gateway.store import dialect, schema
from rules.state import DeviceState


class States:
    """The committed states and the timers in them."""

    def __init__(self) -> None:
        self._resident: dict[str, DeviceState] = {}
        self._due: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def load_timers(self, connection: sa.Connection) -> None:
        """Read which devices have a timer; their states follow when they are needed."""
        s = schema.device_states
        for device_id, due_at in connection.execute(
            sa.select(s.c.device_id, s.c.due_at).where(s.c.due_at.is_not(None))
        ):
            self._set_due(device_id, due_at)

    def get(self, device_id: str) -> DeviceState | None:
        """Return the committed state, None where the device was never met; ``fetch`` it first."""
        return self._resident.get(device_id)

    def fetch(self, connection: sa.Connection, device_ids: Iterable[str]) -> None:
        """Make the states of ``device_ids`` resident."""
        missing = [device_id for device_id in device_ids if device_id not in self._resident]
        s = schema.device_states
        for start in range(0, len(missing), 500):
            part = missing[start : start + 500]
            query = sa.select(s.c.device_id, s.c.state).where(s.c.device_id.in_(part))
            for device_id, state in connection.execute(query):
                self._resident[device_id] = DeviceState.from_json(orjson.loads(state))

    def forget(self, device_id: str) -> None:
        """Let go of a device that is gone from the store."""
        self._resident.pop(device_id, None)
        self._due.pop(device_id, None)

    def met(self) -> list[str]:
        """Return the ids of all resident devices."""
        return list(self._resident)

    def due_by(self, at: datetime, most: int) -> list[tuple[datetime, str]]:
        """Return up to ``most`` timers due by ``at``, earliest first; they stay until a commit moves them."""
        found: list[tuple[datetime, str]] = []
        kept: list[tuple[datetime, str]] = []
        while self._heap and len(found) < most and self._heap[0][0] <= at:
            entry = heapq.heappop(self._heap)
            # An entry that a later commit replaced is dropped here, which is cheaper than finding it in the heap.
            if self._due.get(entry[1]) == entry[0] and entry not in found:
                found.append(entry)
                kept.append(entry)
        for entry in kept:
            heapq.heappush(self._heap, entry)
        return found

    def next_due(self) -> datetime | None:
        """Return when the earliest timer acts."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def promote(self, staged: Mapping[str, DeviceState]) -> None:
        """Take over what has been committed."""
        for device_id, state in staged.items():
            self._resident[device_id] = state
            self._set_due(device_id, state.due_at)

    def _set_due(self, device_id: str, due_at: datetime | None) -> None:
        if due_at is None:
            self._due.pop(device_id, None)
        elif self._due.get(device_id) != due_at:
            self._due[device_id] = due_at
            heapq.heappush(self._heap, (due_at, device_id))


def without_timers(state: DeviceState) -> DeviceState:
    """Return ``state`` with no timer: its rules set theirs again with the next message."""
    quiet = state.copy()
    quiet.event_due_at, quiet.arrival_due_at, quiet.held = None, None, ()
    return quiet


def save_states(connection: sa.Connection, staged: Mapping[str, DeviceState]) -> None:
    """Write states, all of them at once."""
    rows = [
        (device_id, orjson.dumps(state.to_json()), state.due_at, state.presence.last_heard_at)
        for device_id, state in staged.items()
    ]
    dialect.upsert_many(connection, schema.device_states, rows)
