"""From what a device said to what its profile means: the profile's names and units, plausible values only."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from device_models.event import Event, Value
from device_models.profile import DeviceProfile
from device_models.units import converter

MAX_NAMES = 4096
"""Names remembered per profile; a device that invents names without end must not fill the memory."""


class Reading(NamedTuple):
    """What one event says about the fields of a profile."""

    values: Mapping[str, Value]
    """In the profile's names and units; names that it does not know are kept as they are."""
    implausible: tuple[str, ...] = ()
    """Fields left out: outside the physical bounds, no finite number, or in a unit that does not convert."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How one name in one unit is read."""

    field: str
    plain: bool = True
    """Neither conversion nor bounds: the value is taken as it is."""
    convert: Callable[[float], float] | None = None
    """None where the unit is the profile's or not stated."""
    convertible: bool = True
    """False where a unit was stated that does not convert to the profile's."""
    minimum: float = -math.inf
    maximum: float = math.inf


class FieldReader:
    """Reads events for one profile. Remembers how each name is read, so that most values cost one look-up."""

    def __init__(self, profile: DeviceProfile) -> None:
        self._profile = profile
        self._aliases = {alias: name for name, spec in profile.fields.items() for alias in spec.aliases}
        self._plans: dict[tuple[str, str], _Plan] = {}
        self._unitless: dict[str, _Plan] = {}

    def read(self, event: Event) -> Reading:
        """Return the event's values by the profile's fields."""
        return self.read_values(event.values, event.units)

    def read_values(self, said: Mapping[str, Value], units: Mapping[str, str]) -> Reading:
        """Return values by the profile's fields; ``units`` are UCUM by the same names, where stated."""
        values: dict[str, Value] = {}
        implausible: list[str] = []
        plans = self._plans
        for name, value in said.items():
            key = (name, units.get(name, "")) if units else (name, "")
            plan = plans.get(key) or self._plan(key)
            if plan.plain or isinstance(value, str | bool):
                values[plan.field] = value
                continue
            number: float = plan.convert(value) if plan.convert is not None else value
            if plan.convertible and plan.minimum <= number <= plan.maximum:
                values[plan.field] = number
            else:
                implausible.append(plan.field)
        return Reading(values, tuple(implausible)) if implausible else Reading(values)

    def plausible(self, said: Mapping[str, Value]) -> dict[str, Value] | None:
        """Return values without stated units as ``read_values`` does; None where one of them is implausible."""
        values: dict[str, Value] = {}
        plans = self._unitless
        for name, value in said.items():
            plan = plans.get(name)
            if plan is None:
                if len(plans) >= MAX_NAMES:
                    plans.clear()
                plan = plans[name] = self._plan((name, ""))
            if plan.plain or isinstance(value, str | bool) or plan.minimum <= value <= plan.maximum:
                values[plan.field] = value
            else:
                return None
        return values

    def _plan(self, key: tuple[str, str]) -> _Plan:
        name, unit = key
        field = name if name in self._profile.fields else self._aliases.get(name, name)
        spec = self._profile.fields.get(field)
        if spec is None:
            plan = _Plan(field)
        else:
            convert, convertible = _conversion(unit, spec.unit)
            plan = _Plan(
                field,
                plain=False,
                convert=convert,
                convertible=convertible,
                minimum=-math.inf if spec.minimum is None else spec.minimum,
                maximum=math.inf if spec.maximum is None else spec.maximum,
            )
        if len(self._plans) >= MAX_NAMES:
            self._plans.clear()
        self._plans[key] = plan
        return plan


def _conversion(source: str, target: str) -> tuple[Callable[[float], float] | None, bool]:
    if not source or not target or source == target:
        return None, True
    try:
        return converter(source, target), True
    except ValueError:
        # The decoder stated a unit that measures something else: the value cannot be compared with any limit.
        return None, False
