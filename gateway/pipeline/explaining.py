"""Why and why not: each rule on one device, from the committed state."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import orjson
import sqlalchemy as sa

from device_models.profile import GENERIC, DeviceProfile
from gateway.cases.alerts import withheld_on
from gateway.cases.crowds import crowd_of
from gateway.people.registry import Registry
from gateway.store import schema
from gateway.store.store import Store
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.kinds.fleet import FleetRule
from rules.state import DeviceState


class InForce(Protocol):
    """What knows the rules in force: the committer, in the service."""

    @property
    def detector(self) -> Detector:
        """The detector in force."""
        ...


def explain_device(
    store: Store,
    in_force: InForce,
    registry: Registry,
    profiles: Mapping[str, DeviceProfile],
    device_id: str,
    at: datetime,
) -> Sequence[Mapping[str, Any]]:
    """Return one mapping for each rule on the device. Raises LookupError for an unknown device.

    ``rules.explain`` says what they hold; a rule that fires without a case of its own has ``withheld`` besides, and a
    fleet rule ``crowd``: how many of the devices alike began to fail, how many make an incident, how many are usual.
    """
    from rules.explain import explain

    device = registry.devices.get(device_id)
    if device is None:
        raise LookupError(f"there is no device {device_id}")
    s = schema.device_states
    with store.read() as connection:
        withheld = withheld_on(connection, device_id)
        kept = connection.execute(sa.select(s.c.state).where(s.c.device_id == device_id)).scalar()
        fleets = [rule for rule in in_force.detector.ruleset.rules if isinstance(rule, FleetRule)]
        crowds = {rule.id: crowd_of(connection, rule, device, at) for rule in fleets}
    state = DeviceState.from_json(orjson.loads(kept)) if kept else DeviceState()
    profile, zone = profiles.get(device.profile, GENERIC), registry.zone(device_id)
    context = DeviceContext(device, profile, registry.may_use_location(device_id), zone=zone)
    explained = explain(in_force.detector, context, state, at)
    return [
        {
            **rule,
            **({"withheld": withheld[rule["rule"]]} if rule["rule"] in withheld else {}),
            **(crowds.get(rule["rule"], {}) if rule["applies"] else {}),
        }
        for rule in explained
    ]
