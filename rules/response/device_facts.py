"""What a message may say of a device: its name, its kind, what its fields are called."""

from collections.abc import Mapping
from typing import Any

from device_models.profile import GENERIC, DeviceProfile
from device_models.registry import Device


def device_facts(device: Device | None, profiles: Mapping[str, DeviceProfile]) -> dict[str, Any]:
    """Return the device as its owner knows it: its name, its kind, what its fields are called."""
    profile = profiles.get(device.profile, GENERIC) if device else GENERIC
    return {
        "device": {"name": device.name if device else None, "product": dict(profile.title)},
        "labels": {name: dict(spec.title) for name, spec in profile.fields.items()},
        "decimals": {name: spec.decimals for name, spec in profile.fields.items()},
    }
