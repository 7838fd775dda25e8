"""How long a thread computes before it lets another one."""

import sys

from gateway.turns import TURN_S, short_turns


def test_turns_are_short_within_and_as_they_were_afterwards() -> None:
    before = sys.getswitchinterval()
    with short_turns():
        assert sys.getswitchinterval() == min(before, TURN_S)
    assert sys.getswitchinterval() == before
