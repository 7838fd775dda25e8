"""How much is measured."""

from collections.abc import Callable
from dataclasses import dataclass

Tell = Callable[[str], None]
"""Hears what goes on."""


@dataclass(frozen=True, slots=True)
class Size:
    """How long it takes."""

    devices: int
    burst: int
    """Messages in each burst."""
    rate: float
    """Messages a second where times are measured."""
    paced: int
    """Messages at that rate."""
    parts: int
    """Repetitions of a single step."""
    shops: tuple[int, ...]
    """Shops that a fix is held against."""
    zones: tuple[int, ...]
    """Zones of one geofence rule likewise."""
    resident: tuple[int, ...]
    """Devices whose states are in memory."""
    stored: tuple[int, ...]
    """Devices in the store, for commits."""
    samples: int
    """Rows of the backtest's file."""
    cases: int
    """Cases in the console's store."""
    requests: int
    """Pages of the queue asked for, and as many searches; the first few are not counted."""
    consoles: int
    """Open pages."""
    changes_per_s: float
    """Messages a second of devices while they are open."""
    watched_s: float
    """For so long."""


FULL = Size(
    devices=1000,
    burst=60_000,
    rate=500.0,
    paced=15_000,
    parts=20_000,
    shops=(10_000, 100_000),
    zones=(1_000, 20_000),
    resident=(1_000, 100_000, 1_000_000),
    stored=(1_000, 100_000),
    samples=300_000,
    cases=100_000,
    requests=200,
    consoles=200,
    changes_per_s=5_000.0,
    watched_s=10.0,
)
QUICK = Size(
    devices=50,
    burst=500,
    rate=200.0,
    paced=100,
    parts=500,
    shops=(1_000,),
    zones=(100,),
    resident=(2_000,),
    stored=(100,),
    samples=5_000,
    cases=200,
    requests=20,
    consoles=20,
    changes_per_s=200.0,
    watched_s=1.0,
)
