"""Learning the channel on simulated customers: it gains where people differ, and costs next to nothing elsewhere."""

import pytest

from gateway.bench.channels.play import Policy, Score, play
from gateway.bench.channels.world import WORLDS

WORLD = {world.name: world for world in WORLDS}
CUSTOMERS = 150
_COSTS_AT_MOST = 0.98


def score(world: str, policy: Policy) -> Score:
    return play(WORLD[world], policy, CUSTOMERS, seed=7, faults_each=12)


@pytest.mark.parametrize("world", ["tastes", "none reports", "drift"])
def test_where_people_differ_learning_beats_what_is_fixed(world: str) -> None:
    learned = score(world, Policy.LEARNED)

    for policy in (Policy.CONFIGURED, Policy.COUNTRY, Policy.STATED):
        fixed = score(world, policy)
        assert learned.answered_share > 1.04 * fixed.answered_share, policy
        assert learned.messages_per_answer < fixed.messages_per_answer, policy


@pytest.mark.parametrize("world", ["all alike", "no tastes, few report", "survey is right"])
def test_where_there_is_nothing_to_learn_it_costs_at_most_two_percent(world: str) -> None:
    learned = score(world, Policy.LEARNED)

    for policy in (Policy.CONFIGURED, Policy.COUNTRY, Policy.STATED):
        assert learned.answered_share > _COSTS_AT_MOST * score(world, policy).answered_share, policy


def test_the_same_seed_plays_the_same_game() -> None:
    first, second = (play(WORLD["tastes"], Policy.LEARNED, 40, seed=3) for _ in range(2))

    assert first == second
    assert first != play(WORLD["tastes"], Policy.LEARNED, 40, seed=4)
