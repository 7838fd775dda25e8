"""What every change happens within: the connection, the time, who is who, and what to do once it has committed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from device_models.profile import DeviceProfile
from gateway.config import Config
from gateway.people.registry import Registry
from gateway.store import dialect, schema
from gateway.store.statements import insert, load


@dataclass(slots=True)
class Transaction:
    """One commit in the making, in the writer's thread."""

    connection: sa.Connection
    now: datetime
    registry: Registry
    config: Config
    profiles: Mapping[str, DeviceProfile]
    sequence: int = 0
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    """Changes to what is kept in memory; dropped when the commit fails."""
    on_rollback: list[Callable[[], None]] = field(default_factory=list)
    """How to take back what had to change in memory at once; run in reverse when the commit fails."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    """What open consoles are told: ``{"kind": "case", "id": 7}``."""

    def changed(self, kind: str, identity: object) -> None:
        """Note a change for the live feed."""
        change = {"kind": kind, "id": identity}
        if change not in self.changes[-20:]:
            self.changes.append(change)

    def get_meta(self, key: str, default: Any = None) -> Any:
        """Read a small fact of the installation."""
        row = load(self.connection, schema.meta, key)
        return default if row is None else row["value"]

    def set_meta(self, key: str, value: Any) -> None:
        """Write a small fact of the installation."""
        dialect.upsert(self.connection, schema.meta, [{"key": key, "value": value}])

    def audit(self, who: str, action: str, subject: str, **detail: Any) -> None:
        """Write down who changed what."""
        entry = {"at": self.now, "who": who, "action": action, "subject": subject, "detail": detail}
        insert(self.connection, schema.audit, entry)
