"""How long a thread computes before it lets another one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

TURN_S = 0.001
"""The interpreter's own 5 ms are long for a page: a dozen queries give the interpreter up at each row, and wait a turn
of the writer's or of the history's thread to have it back. Beside two busy threads a page of twelve queries took 104 ms
with turns of 5 ms, 61 to 91 with 1 ms, and no less with half of that; what the two got done in a second of processor
time stayed the same."""


@contextmanager
def short_turns() -> Iterator[None]:
    """Let threads take short turns while the block runs."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN_S))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
