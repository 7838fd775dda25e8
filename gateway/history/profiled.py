"""Samples in the names and units of the device's profile, as rules see them and charts ask for them."""

from collections.abc import Mapping, Sequence

from device_models.event import Event, Message, Rejection
from device_models.profile import GENERIC, DeviceProfile
from device_models.reading import FieldReader
from gateway.decoded_once import Decode
from gateway.hubs import of_its_hub
from gateway.people.registry import Registry


class ProfiledDecoding:
    """Decodes a message for the history. What nobody registered says is not kept."""

    def __init__(self, decode: Decode, registry: Registry, profiles: Mapping[str, DeviceProfile]) -> None:
        self._decode = decode
        self._registry = registry
        self._readers = {name: (FieldReader(profile), _units(profile)) for name, profile in profiles.items()}
        self._generic = (FieldReader(GENERIC), _units(GENERIC))

    def __call__(self, message: Message) -> Sequence[Event] | Rejection:
        """Return the events of registered devices, or the reason why the message has none."""
        decoded = of_its_hub(message, self._decode(message), self._registry.devices)
        if isinstance(decoded, Rejection):
            return decoded
        return [self._read(event) for event in decoded.events if event.device_id in self._registry.devices]

    def _read(self, event: Event) -> Event:
        profile = self._registry.devices[event.device_id].profile
        reader, units = self._readers.get(profile, self._generic)
        values = reader.read(event).values
        # Made anew and not by ``replace``, which costs four times as much; the units of all of a profile's fields do no
        # harm, and are there already.
        return Event(
            event.device_id,
            event.kind,
            event.observed_at,
            event.received_at,
            event.time_source,
            event.ecosystem,
            values,
            {**event.units, **units} if event.units else units,
            event.position,
            event.retained,
        )


def _units(profile: DeviceProfile) -> dict[str, str]:
    return {name: spec.unit for name, spec in profile.fields.items()}
