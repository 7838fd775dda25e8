"""What a device says about itself: its firmware and model, which the registry follows."""

from device_models.profile import DeviceProfile
from device_models.registry import Device
from device_models.twin import Twin

_LONGEST = 200


def said_of_itself(device: Device, profile: DeviceProfile, before: Twin, after: Twin) -> dict[str, str]:
    """Return what the newest message says of a device's firmware and model that its record does not; by field.

    Only what is said anew counts, so that an import that knows better holds until the device speaks of it again.
    """
    found: dict[str, str] = {}
    for name, field in (("firmware", profile.firmware_field), ("model", profile.model_field)):
        value = after.values.get(field)
        if value is None or value == getattr(device, name) or isinstance(value, bool):
            continue
        if after.observed_at[field] == before.observed_at.get(field):
            continue
        text = f"{value:g}" if isinstance(value, float) else str(value)
        text = " ".join(text.split())[:_LONGEST]
        if text and text != getattr(device, name):
            found[name] = text
    return found
