"""What a recording tells of devices that are alike: what each is, by its own word, and when that changed.

A backtest reads one device after another, and whether devices fail alike shows only side by side: so facts wait here
until all are known, and are then handed on in the order of time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from device_models.event import Value
from device_models.registry import Device
from rules.response.changed import DeviceChange, Past
from rules.transition import Transition

_SAID = ("firmware", "model", "site", "hub")
"""Columns that say what a device is."""


class FleetRecording:
    """Facts and what devices are, on their way to response."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        """``devices`` are those that the registry knows."""
        self._known = devices
        self._said: dict[str, dict[str, str]] = {}
        self._items: list[tuple[datetime, Transition | DeviceChange]] = []
        self.began_at: datetime | None = None
        """Time of the first sample of all."""

    def look(self, device_id: str, at: datetime, values: Mapping[str, Value]) -> None:
        """Take note of what a device says of itself."""
        if self.began_at is None or at < self.began_at:
            self.began_at = at
        said = self._said.get(device_id)
        if said is None:
            said = self._said[device_id] = {}
        for name in _SAID:
            value = values.get(name)
            if value is None or isinstance(value, bool):
                continue
            text = f"{value:g}" if isinstance(value, float) else str(value)
            before = said.get(name)
            if text != before:
                said[name] = text
                self._items.append((at, DeviceChange(device_id, name, before, text, at)))

    def add(self, fact: Transition) -> None:
        """Take in a fact, to be handed on later."""
        self._items.append((fact.at, fact))

    @property
    def devices(self) -> Iterable[str]:
        """All that were heard."""
        return self._said

    def in_order(self) -> Iterator[Transition | DeviceChange]:
        """Hand on what was taken in, by time; at the same time changes first."""
        ordered = sorted(self._items, key=lambda item: (item[0], isinstance(item[1], Transition)))
        return (item for _, item in ordered)


class Changes:
    """What changed about devices up to now."""

    def __init__(self) -> None:
        self._all: list[DeviceChange] = []
        self._elsewhere: Counter[tuple[str, str | None, str | None]] = Counter()

    def add(self, change: DeviceChange) -> Past:
        """Take in a change; return all that is known of the past."""
        self._all.append(change)
        self._elsewhere[change.field, change.before, change.after] += 1
        return Past(self._all, self._elsewhere)


def changed(device: Device, change: DeviceChange) -> Device:
    """Return a device as it is after a change."""
    return device.model_copy(update={change.field: change.after})
