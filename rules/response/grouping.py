"""When several devices of one site fall silent together it is the site that is gone, not each of them."""

import math
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from device_models.duration import Duration


class Grouping(BaseModel):
    """When silent devices of one site become one incident. See ``docs/incidents.md``, "Incidents"."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wait: Duration = timedelta(seconds=60)
    """How long a silent device waits for others of its site before it is a case of its own; Alertmanager's
    ``group_wait``. 0: nobody waits, and nothing becomes an incident."""
    within: Duration = timedelta(minutes=15)
    """How far apart their alerts may be."""
    devices: int = Field(default=10, ge=2)
    """So many are an incident whatever the site's size."""
    share: float = Field(default=0.6, gt=0, le=1)
    """And so is this share of the site's devices, two at least."""
    settle: Duration = timedelta(minutes=15)
    """How long after the first is back the others may take before their silence is their own."""

    def needed(self, size: int) -> int:
        """Return how many silent devices make an incident of a site with ``size`` devices, 2 or more."""
        # Rounded, so that 0.6 of 5 devices is 3 and not, for the way floats are kept, 4.
        return max(2, min(self.devices, math.ceil(round(self.share * size, 9))))


def group_key(rule: str, site: str) -> str:
    """Return the key of a site's group, which is the dedupe key of its incident."""
    return f"site:{site}|{rule}"


def is_place(key: str) -> bool:
    """Tell whether a group's key is that of a site or a hub."""
    return key.startswith(("site:", "hub:"))
