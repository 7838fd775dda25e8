"""A hub speaks only for devices that are registered below it.

A Zigbee2MQTT bridge on the usual base topic names its devices by their friendly names alone, and anything may be a
friendly name. Whoever holds its login could report as a device of another bridge, or as that bridge: open a case in
another customer's name, or end one.
"""

from collections.abc import Mapping

from device_models.decoders.protocol import Decoded
from device_models.event import Message, Rejection
from device_models.registry import Device

_BRIDGE = "/bridge"
"""What the ids of bridges end with. A hub by another name, such as a site's router, does not tell whose topics those
behind it use."""
_OTHER_BRIDGE = "/zigbee2mqtt/bridge"
"""The end of the id of a bridge on another base topic; no friendly name looks so by chance."""


def of_its_hub(message: Message, decoded: Decoded | Rejection, devices: Mapping[str, Device]) -> Decoded | Rejection:
    """Return ``decoded``; a Rejection where a hub spoke for a device that is registered below another one."""
    if isinstance(decoded, Rejection) or decoded.hub is None:
        return decoded
    for event in decoded.events:
        device = devices.get(event.device_id)
        hub = None if device is None else _hub_of(device)
        if hub is not None and hub != decoded.hub:
            said = f"device '{event.device_id}' is registered below the hub '{hub}', but '{decoded.hub}' spoke for it"
            return Rejection.of(message, f"{said}; if it moved, import it with its new hub")
    return decoded


def _hub_of(device: Device) -> str | None:
    """The bridge that may speak for a device; None: nothing is known against any."""
    if device.id.endswith(_OTHER_BRIDGE):
        return device.id
    return device.hub if device.hub is not None and device.hub.endswith(_BRIDGE) else None
