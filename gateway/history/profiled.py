"""Samples in the names and units of the device's profile, as rules see them and charts ask for them."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from device_models.event import Event, TimeSource
from device_models.profile import GENERIC, DeviceProfile, PositionOf
from device_models.reading import FieldReader
from gateway.history import Sample
from gateway.people.registry import Registry


class Sampler:
    """Makes samples of what registered devices say; what nobody registered says is not kept. One thread's at a time."""

    def __init__(self, registry: Registry, profiles: Mapping[str, DeviceProfile]) -> None:
        self._registry = registry
        self._readings = {name: _Readings.of(profile) for name, profile in profiles.items()}
        self._generic = _Readings.of(GENERIC)

    def __call__(self, event: Event) -> Sample | None:
        """Return the sample that an event is, None where it is none."""
        device = self._registry.devices.get(event.device_id)
        # The broker's memory stamped by its arrival: a value of unknown age is no sample of now.
        if device is None or (event.retained and event.time_source is TimeSource.ARRIVAL):
            return None
        profiled = self._readings.get(device.profile, self._generic)
        values = profiled.reader.read(event).values
        position = event.position
        if position is not None and not (profiled.of_things and self._registry.may_use_location(device.id)):
            # A person's position is kept nowhere; a thing's where its owner agreed to its use.
            position = None
        if not values and position is None:
            return None
        # The units of all of a profile's fields do no harm, and are there already.
        units = {**event.units, **profiled.units} if event.units else profiled.units
        return Sample(device.id, event.observed_at, values, units, position)


class _Readings(NamedTuple):
    """What a profile says about samples."""

    reader: FieldReader
    units: Mapping[str, str]
    of_things: bool

    @classmethod
    def of(cls, profile: DeviceProfile) -> Self:
        units = {name: spec.unit for name, spec in profile.fields.items()}
        return cls(FieldReader(profile), units, profile.position_of is PositionOf.THING)
