"""What going live would do to the alerts that are open, told beforehand; the states are those of the last commit."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from device_models.registry import Device
from gateway.store import schema
from rules.authoring.migration import Migration
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.schema import RuleSet
from rules.state import DeviceState


def migration_of(
    connection: sa.Connection,
    before: RuleSet,
    after: Detector,
    devices: Mapping[str, Device],
    context_of: Callable[[Device], DeviceContext],
    now: datetime,
) -> list[dict[str, Any]]:
    """Return what putting ``after`` live in place of ``before`` would do, as ``Migration.as_list``; nothing is changed.

    Takes about as long as going live does; call it in a thread.
    """
    migration = Migration(before, after.ruleset)
    s = schema.device_states
    for device_id, said in connection.execute(sa.select(s.c.device_id, s.c.state)):
        device = devices.get(device_id)
        if device is not None:
            state = DeviceState.from_json(orjson.loads(said))
            reconciled, facts = after.reconcile(context_of(device), state, now)
            migration.take(state, reconciled, facts)
    return migration.as_list()
