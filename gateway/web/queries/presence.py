"""Whether a device can be heard, and whether that can be known: behind a hub that is gone it cannot."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson
import sqlalchemy as sa

from device_models.presence import Presence
from gateway.store.schema import alerts, device_states
from gateway.web.queries.devices import DeviceLine


@dataclass(frozen=True, slots=True)
class DevicePresence:
    """What staff are told of a device's presence."""

    state: Literal["never heard", "online", "offline", "silent", "unknown"]
    """``unknown``: its hub is gone, so nobody can tell; ``silent``: a rule missed it."""
    since: datetime | None
    """Of online: when it was heard last."""
    hub: str | None = None
    """Of unknown: the hub that is gone."""


def presence_of(connection: sa.Connection, line: DeviceLine) -> DevicePresence:
    """Tell how a device's presence stands; ``line`` with its state."""
    own = _presence(line.state)
    if line.hub is not None and line.hub != line.id:
        state = connection.execute(
            sa.select(device_states.c.state).where(device_states.c.device_id == line.hub)
        ).scalar()
        hub = _presence(state)
        gone_since = hub.offline_since or _missed_since(connection, line.hub)
        heard_after = gone_since is not None and own.last_heard_at is not None and own.last_heard_at > gone_since
        if gone_since is not None and not heard_after:
            return DevicePresence("unknown", gone_since, line.hub)
    if own.offline_since is not None:
        return DevicePresence("offline", own.offline_since)
    missed = _missed_since(connection, line.id)
    if missed is not None:
        return DevicePresence("silent", own.last_heard_at or missed)
    if own.last_heard_at is None:
        return DevicePresence("never heard", None)
    return DevicePresence("online", own.last_heard_at)


def _presence(state: bytes | None) -> Presence:
    return Presence.from_json(orjson.loads(state).get("presence", {})) if state else Presence()


def _missed_since(connection: sa.Connection, device_id: str) -> datetime | None:
    query = sa.select(alerts.c.at, alerts.c.explanation).where(
        alerts.c.device_id == device_id, alerts.c.state == "firing"
    )
    missed = [row.at for row in connection.execute(query) if row.explanation.get("kind") == "absent"]
    return min(missed, default=None)
