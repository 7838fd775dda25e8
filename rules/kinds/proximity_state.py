"""What a proximity rule remembers of one device: little, and gone once its fixes stop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from device_models.event import rfc3339
from rules.kinds.approach import Approach
from rules.kinds.motion import Fix


@dataclass(frozen=True, slots=True)
class ProximityState:
    """What a proximity rule remembers of one device. Without consent: only when it was last refused."""

    last: Fix | None = None
    """The last fix that decided anything, for the way between two."""
    anchor: Fix | None = None
    """The fix that the next speed is taken from."""
    speed_m_s: float | None = None
    """The least speed on the way from the anchor before; None: not known."""
    approaches: Mapping[str, Approach] = field(default_factory=dict)
    """By shop."""
    heard_at: datetime | None = None
    """The last fix of any kind; earlier ones are late and decide nothing."""
    stale_at: datetime | None = None
    """When all of this is forgotten unless a fix comes."""
    thing: bool = False
    """The position is a thing's: it brings offers only while it is plausibly ridden."""
    locked: bool = False
    moved_at: datetime | None = None
    """When the thing was last seen moving."""
    refused_at: datetime | None = None
    """When a fix was last told to have been discarded unread for want of consent."""

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON-ready form; what is empty is left out."""
        data: dict[str, Any] = {
            "last": self.last and self.last.as_list(),
            "anchor": self.anchor and self.anchor.as_list(),
            "speed_m_s": self.speed_m_s,
            "approaches": {shop: approach.as_dict() for shop, approach in self.approaches.items()} or None,
            "heard_at": self.heard_at and rfc3339(self.heard_at),
            "stale_at": self.stale_at and rfc3339(self.stale_at),
            "thing": self.thing or None,
            "locked": self.locked or None,
            "moved_at": self.moved_at and rfc3339(self.moved_at),
            "refused_at": self.refused_at and rfc3339(self.refused_at),
        }
        return {name: value for name, value in data.items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``as_dict`` wrote."""
        return cls(
            last=Fix.from_list(data["last"]) if "last" in data else None,
            anchor=Fix.from_list(data["anchor"]) if "anchor" in data else None,
            speed_m_s=data.get("speed_m_s"),
            approaches={shop: Approach.from_dict(a) for shop, a in data.get("approaches", {}).items()},
            heard_at=_time(data.get("heard_at")),
            stale_at=_time(data.get("stale_at")),
            thing=data.get("thing", False),
            locked=data.get("locked", False),
            moved_at=_time(data.get("moved_at")),
            refused_at=_time(data.get("refused_at")),
        )


def due_at(state: ProximityState) -> datetime | None:
    """Return when ``tick`` is wanted: a dwell that completes, or fixes that stopped; None: no timer."""
    times = [a.completes_at for a in state.approaches.values() if a.completes_at is not None]
    if state.stale_at is not None:
        times.append(state.stale_at)
    return min(times, default=None)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
