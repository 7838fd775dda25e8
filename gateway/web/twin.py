"""A device's twin as staff read it: each value with its name, its unit and its age."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from device_models.event import Value
from device_models.profile import GENERIC, DeviceProfile
from device_models.twin import Twin
from gateway.web.wording import field_spec, text_in, unit_text, value_text

STALE_AFTER_INTERVALS = 3
"""A value older than this many reporting intervals is shown as old: it may no longer be so."""


@dataclass(frozen=True, slots=True)
class TwinField:
    """One value of the twin."""

    name: str
    title: str
    text: str
    """With its unit."""
    value: Value
    observed_at: datetime
    stale: bool


def twin_of(state: bytes | None) -> Twin:
    """Read the twin out of a stored ``DeviceState``; empty where the device was never heard."""
    if not state:
        return Twin()
    data: Mapping[str, Any] = json.loads(state)
    return Twin.from_json(data.get("twin", {}))


def fields_of(twin: Twin, profile: DeviceProfile | None, now: datetime, locale: str | None = None) -> list[TwinField]:
    """List the twin's values: those the profile names first, in its order, then the rest by name."""
    described = list((profile or GENERIC).fields)
    names = [n for n in described if n in twin.values] + sorted(n for n in twin.values if n not in described)
    stale_after = (profile or GENERIC).reporting_interval * STALE_AFTER_INTERVALS
    shown: list[TwinField] = []
    for name in names:
        spec, value, at = field_spec(profile, name), twin.values[name], twin.observed_at[name]
        text = value_text(value, unit_text(spec.unit), spec.decimals)
        shown.append(TwinField(name, text_in(spec.title, locale), text, value, at, now - at > stale_after))
    return shown
