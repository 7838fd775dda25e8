"""What the collector sees while the survivors are put aside. Each test leaves it as it was found."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway import garbage
from gateway.garbage import Survivors


class Cycle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def peak(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the process is said to have grown to."""
    memory = {"now": 100}
    monkeypatch.setattr(garbage, "_peak_memory", lambda: memory["now"])
    return memory


@pytest.fixture
def survivors(peak: dict[str, int]) -> Iterator[None]:
    with Survivors():
        yield
    gc.collect()


@pytest.mark.usefixtures("survivors")
def test_a_cycle_that_is_dropped_before_it_was_looked_at_is_collected() -> None:
    found = weakref.ref(Cycle())
    gc.collect()
    assert found() is None


@pytest.mark.usefixtures("survivors")
def test_what_survived_is_not_looked_at_again_until_the_process_has_grown_by_half(peak: dict[str, int]) -> None:
    cycle = Cycle()
    found = weakref.ref(cycle)
    gc.collect()
    del cycle
    peak["now"] = 150
    gc.collect()
    assert found() is not None
    peak["now"] = 151
    gc.collect()
    assert found() is None
    # And from there it must grow by half again.
    another = Cycle()
    kept = weakref.ref(another)
    gc.collect()
    del another
    peak["now"] = 226
    gc.collect()
    assert kept() is not None


@pytest.mark.usefixtures("peak")
def test_at_the_end_everything_is_in_sight_again() -> None:
    before, callbacks = gc.get_freeze_count(), list(gc.callbacks)
    with Survivors():
        assert gc.get_freeze_count() > before
    assert (gc.get_freeze_count(), gc.callbacks) == (0, callbacks)
