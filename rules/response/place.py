"""Where devices hang together: the hub that they speak through, the site at which they stand."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from device_models.registry import Device
from rules.kinds.absent import AbsentRule
from rules.response.grouping import group_key
from rules.response.withheld import KnownAlert
from rules.response.world import World


@dataclass(frozen=True, slots=True)
class Place:
    """A hub or a site, as one absent rule sees it."""

    kind: Literal["hub", "site"]
    name: str
    rule: str
    size: int
    """Devices that may fall silent there."""

    @property
    def key(self) -> str:
        """Dedupe key of its incident. A hub is gone or it is not, whichever rule says so of the devices behind it."""
        return f"hub:{self.name}" if self.kind == "hub" else group_key(self.rule, self.name)

    @property
    def reason(self) -> dict[str, str]:
        """What a withheld alert says of it."""
        return {self.kind: self.name}

    def holds(self, device: Device) -> bool:
        """Tell whether a device is there; a hub is at its own place."""
        if self.kind == "hub":
            return self.name in (device.hub, device.id)
        return device.site == self.name


def places_of(world: World, device: Device, rule: AbsentRule) -> list[Place]:
    """Return where a device hangs together with others, the nearest first."""
    hub = device.hub or (device.id if world.hub_sizes.get(device.id) else None)
    found: list[Place] = []
    if hub is not None:
        found.append(Place("hub", hub, rule.id, world.hub_sizes.get(hub, 0) + (hub in world.devices)))
    if device.site is not None:
        found.append(Place("site", device.site, rule.id, world.site_sizes.get((device.site, rule.id), 0)))
    return [place for place in found if place.size >= 2]


def alerts_at(world: World, place: Place) -> Iterable[KnownAlert]:
    """Return the alerts of silence that are known at a place."""
    for device_id, alerts in world.alerts.items():
        device = world.devices.get(device_id)
        if device is None or not place.holds(device):
            continue
        for alert in alerts.values():
            rule = world.rules.get(alert.transition.rule)
            if isinstance(rule, AbsentRule) and (place.kind == "hub" or rule.id == place.rule):
                yield alert


def place_named(reason: Mapping[str, Any]) -> Place:
    """Return the place that a withheld alert names."""
    kind: Literal["hub", "site"] = "hub" if "hub" in reason else "site"
    return Place(kind, str(reason[kind]), "", 0)
