"""Garbage collection in a process that keeps the states of many devices for good.

CPython's full collection visits every container there is, and nothing else runs meanwhile: 0.8 s of processor time at
100,000 devices. Nearly all of them are values without cycles, which are freed without it. What has survived one full
collection is therefore put out of the collector's sight (``gc.freeze``). A cycle among that which is dropped later is
found only once the process has grown by half: then everything is visited again.
"""

import gc
import resource
from typing import Any, Self

_GROWN = 1.5
_MADE_BEFORE = 20_000
"""Containers made before the youngest are looked at: a commit makes that many, which CPython's 700 would visit each
some thirty times over. Of a commit that is a fifteenth."""
_FULL = 2
"""The number of the oldest generation."""


class Survivors:
    """While entered, keeps what survived a full collection out of the next ones."""

    def __init__(self) -> None:
        self._peak = 0
        self._thresholds = gc.get_threshold()

    def __enter__(self) -> Self:
        """Begin with everything that is there now."""
        self._thresholds = gc.get_threshold()
        gc.set_threshold(_MADE_BEFORE, *self._thresholds[1:])
        gc.collect()
        gc.freeze()
        self._peak = _peak_memory()
        gc.callbacks.append(self._collecting)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the collector as it was found."""
        gc.callbacks.remove(self._collecting)
        gc.unfreeze()
        gc.set_threshold(*self._thresholds)

    def _collecting(self, phase: str, info: dict[str, Any]) -> None:
        """The collector's callback: ``start`` before it looks at a generation, ``stop`` after."""
        if info["generation"] != _FULL:
            return
        if phase == "stop":
            gc.freeze()
        elif (peak := _peak_memory()) > _GROWN * self._peak:
            self._peak = peak
            gc.unfreeze()


def _peak_memory() -> int:
    """The most memory that the process ever had; its unit is the platform's own."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
