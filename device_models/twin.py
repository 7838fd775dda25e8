"""The twin: the latest value of each field a device ever said, and when it was observed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from device_models.event import Value, rfc3339


@dataclass(frozen=True, slots=True)
class Twin:
    """Values in the profile's names and units, each with its own time. A value: ``after`` returns a new one.

    Positions are left out: what nobody agreed to is not kept, and what was agreed to is kept by the rule that needs it.
    """

    values: Mapping[str, Value] = field(default_factory=dict)
    observed_at: Mapping[str, datetime] = field(default_factory=dict)
    """Aware UTC, by the same names."""

    def after(self, values: Mapping[str, Value], at: datetime) -> "Twin":
        """Take in values observed at ``at``; a field known from a later time keeps its later value."""
        if not values:
            return self
        times = self.observed_at
        for name in values:
            known = times.get(name)
            if known is not None and known > at:
                newer = {n: v for n, v in values.items() if n not in times or times[n] <= at}
                return Twin({**self.values, **newer}, {**times, **dict.fromkeys(newer, at)}) if newer else self
        return Twin({**self.values, **values}, {**times, **dict.fromkeys(values, at)})

    def says(self, values: Mapping[str, Value], at: datetime) -> bool:
        """Tell whether the twin already holds just these values from just this time: a duplicate."""
        # A number and a truth value are equal in Python and different things in a payload.
        return all(
            self.observed_at.get(name) == at and self.values[name] == value and type(self.values[name]) is type(value)
            for name, value in values.items()
        )

    def as_dict(self) -> dict[str, Any]:
        """Return ``{name: [value, RFC 3339]}``, as the API shows it."""
        return {name: [value, rfc3339(self.observed_at[name])] for name, value in self.values.items()}

    def to_json(self) -> dict[str, dict[str, Value]]:
        """Return the JSON-ready form: ``{RFC 3339: {name: value}}``, since a message says many things at one time."""
        by_time: dict[datetime, dict[str, Value]] = {}
        times = self.observed_at
        for name, value in self.values.items():
            at = times[name]
            if at not in by_time:
                by_time[at] = {}
            by_time[at][name] = value
        return {rfc3339(at): values for at, values in by_time.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Value]]) -> Self:
        """Read what ``to_json`` wrote."""
        values: dict[str, Value] = {}
        times: dict[str, datetime] = {}
        for at, said in data.items():
            values |= said
            times |= dict.fromkeys(said, datetime.fromisoformat(at))
        return cls(values, times)
