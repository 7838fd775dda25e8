"""Which devices are alike, and how many there are: by profile, model, firmware, site, hub or region."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Literal

from device_models.registry import Device

Likeness = Literal["profile", "model", "firmware", "site", "hub", "region"]
LIKENESSES: tuple[Likeness, ...] = ("profile", "model", "firmware", "site", "hub", "region")


def value_of(device: Device, likeness: Likeness) -> str | None:
    """Return what a device is in one respect, None where that is not known."""
    if likeness == "region":
        return region_of(device)
    value: str | None = getattr(device, likeness)
    return value


def values_of(device: Device, alike: tuple[Likeness, ...]) -> tuple[str, ...] | None:
    """Return what a device is in several respects; None where one is not known, since unknown is not alike."""
    values = tuple(value_of(device, likeness) for likeness in alike)
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None


def region_of(device: Device) -> str | None:
    """Return the cell of a grid of one degree in which a device is registered, ``48..49°N 11..12°E``.

    A degree is about 111 km from south to north, and less from west to east the farther from the equator.
    """
    if device.latitude is None or device.longitude is None:
        return None
    return region_named(math.floor(device.latitude), math.floor(device.longitude))


def region_named(south: int, west: int) -> str:
    """Name the cell by its south-west corner; the pole and the antimeridian belong to the cell before them."""
    return f"{_between(min(south, 89), 'N', 'S')} {_between(min(west, 179), 'E', 'W')}"


def _between(low: int, positive: str, negative: str) -> str:
    near, far = (low, low + 1) if low >= 0 else (-low - 1, -low)
    return f"{near}..{far}°{positive if low >= 0 else negative}"


class Census:
    """Counts devices that are alike. A count is made on first asking and kept true by ``replace`` from then on."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        """``devices`` by id: read when a combination is first asked for."""
        self._devices = devices
        self._counts: dict[tuple[Likeness, ...], defaultdict[tuple[str, ...], Counter[str]]] = {}

    def count(self, alike: tuple[Likeness, ...], values: tuple[str, ...], watched: Callable[[str], bool]) -> int:
        """Count the devices that are ``values`` in the respects ``alike`` and whose profile is ``watched``."""
        if alike not in self._counts:
            self._counts[alike] = defaultdict(Counter)
            for device in list(self._devices.values()):
                self._add(alike, device, 1)
        by_profile = self._counts[alike].get(values, Counter[str]())
        return sum(count for profile, count in by_profile.items() if watched(profile))

    def replace(self, before: Device | None, after: Device | None) -> None:
        """Take note that a device changed; None: it was not there, or is not any more."""
        for alike in self._counts:
            if before is not None:
                self._add(alike, before, -1)
            if after is not None:
                self._add(alike, after, 1)

    def _add(self, alike: tuple[Likeness, ...], device: Device, count: int) -> None:
        values = values_of(device, alike)
        if values is None:
            return
        by_profile = self._counts[alike][values]
        by_profile[device.profile] += count
        if not by_profile[device.profile]:
            del by_profile[device.profile]
            if not by_profile:
                del self._counts[alike][values]
