"""What response remembers of alerts: the last word of each, and why a fault that fires has no case (yet)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from rules.transition import AlertState, Transition

WithheldBy = Literal["silence", "inhibition", "group", "incident", "storm"]


@dataclass(frozen=True, slots=True)
class Withheld:
    """Why a fault that fires opens no case and tells nobody."""

    by: WithheldBy
    key: str
    """What withholds it: ``silence:3``, the dedupe key of the inhibiting alert, the key of the group."""
    until: datetime | None = None
    """When it is looked at again by itself; None: when what withholds it ends."""
    reason: Mapping[str, Any] = field(default_factory=dict)
    """For people, JSON-ready. Of an inhibition: ``rule``, ``device_id``, ``since``, ``ended_at`` once it is over. Of a
    silence: ``silence``, ``author``, ``reason``, ``until``. Of a group or incident: ``site``, ``case_id``."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as an explanation carries it."""
        return {"by": self.by, **self.reason}


@dataclass(frozen=True, slots=True)
class KnownAlert:
    """The last that response heard of one alert: its newest ``firing`` or ``resolved``."""

    transition: Transition
    withheld: Withheld | None = None

    @property
    def firing(self) -> bool:
        """Whether the fault is there now, with a case or without."""
        return self.transition.state is AlertState.FIRING

    @property
    def inhibited(self) -> bool:
        """Whether another alert explains it."""
        return self.firing and self.withheld is not None and self.withheld.by == "inhibition"
