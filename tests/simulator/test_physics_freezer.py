"""``simulator/physics/freezer.py`` and ``food.py``: nothing is set, everything follows."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.physics import food
from simulator.physics.freezer import SPOILED_C, Cabinet, Freezer

HOUR = 3600
ROOM_C = 22.0


def live(freezer: Freezer, hours: float, mains_ok: bool = True, room_c: float = ROOM_C) -> list[float]:
    """Let a freezer live; return the air's temperature at each step of 5 s."""
    air = []
    for _ in range(int(hours * HOUR / 5)):
        freezer.step(5, room_c, mains_ok)
        air.append(freezer.air_c)
    return air


def settled() -> Freezer:
    freezer = Freezer()
    live(freezer, 6)
    return freezer


def longest_above(air: list[float], limit_c: float) -> float:
    """Return for how many minutes in a row the air was above a limit."""
    longest = run = 0
    for value in air:
        run = run + 1 if value > limit_c else 0
        longest = max(longest, run)
    return longest * 5 / 60


@given(st.floats(min_value=-39, max_value=25))
def test_food_temperature_and_enthalpy_are_inverse(celsius: float) -> None:
    assert food.temperature_c(food.enthalpy_j_kg(celsius)) == pytest.approx(celsius, abs=1e-6)


@given(st.floats(min_value=-39, max_value=24), st.floats(min_value=0.01, max_value=1))
def test_warmer_food_holds_more_heat(celsius: float, more: float) -> None:
    assert food.enthalpy_j_kg(celsius + more) > food.enthalpy_j_kg(celsius)


def test_food_near_thawing_takes_up_several_times_the_heat_of_deep_frozen_food() -> None:
    cold = food.enthalpy_j_kg(-17) - food.enthalpy_j_kg(-18)
    assert food.enthalpy_j_kg(-4) - food.enthalpy_j_kg(-5) > 4 * cold


@pytest.mark.parametrize("seed", range(8))
def test_a_healthy_freezer_stays_frozen_through_a_week_of_defrosts_and_doors(seed: int) -> None:
    chance, freezer, food_c, air = random.Random(seed), Freezer(food_kg=20), [], []
    for _ in range(7 * 24 * HOUR // 5):
        # Twenty times a day for half a minute.
        freezer.door_open = chance.random() < (0.15 if freezer.door_open else 20 / (24 * HOUR / 5))
        freezer.step(5, ROOM_C, mains_ok=True)
        food_c.append(freezer.food_c)
        air.append(freezer.air_c)
    assert max(food_c) < -16
    assert longest_above(air, -12) < 10


def test_defrost_warms_the_air_visibly_and_for_less_than_ten_minutes() -> None:
    freezer = settled()
    while freezer.air_c > -17.5:
        freezer.step(5, ROOM_C, mains_ok=True)
    freezer.defrost_forced = True
    air = live(freezer, 1)
    assert -15.5 < max(air) < -13
    assert longest_above(air, -14.5) < 10


def test_loading_for_five_minutes_passes_minus_twelve_only_for_some_minutes() -> None:
    freezer = settled()
    freezer.door_open = True
    air = live(freezer, 5 / 60)
    freezer.door_open = False
    freezer.load(4, -15)
    air += live(freezer, 1)
    assert max(air) > -13
    assert longest_above(air, -12) < 10
    assert freezer.food_c < -16


def test_a_door_left_open_warms_the_air_in_minutes_and_spoils_the_food_much_later() -> None:
    freezer = settled()
    freezer.door_open = True
    air = live(freezer, 0.25)
    assert air[-1] > -8
    assert not freezer.spoiled
    live(freezer, 4)
    assert freezer.spoiled


def test_a_leaking_seal_warms_it_in_hours_although_the_compressor_runs_without_pause() -> None:
    freezer = settled()
    freezer.seal_wear_w_k_h = 3
    first, later = live(freezer, 0.5), live(freezer, 4)
    assert max(first) < -15
    assert later[-1] > -12
    assert freezer.compressor_on


def test_lost_refrigerant_is_not_felt_before_a_tenth_is_gone_and_no_cold_is_made_at_the_end() -> None:
    freezer = settled()
    freezer.refrigerant = 0.92
    assert longest_above(live(freezer, 12), -14.5) < 10
    freezer.refrigerant = 0.2
    assert live(freezer, 8)[-1] > -12


def test_a_compressor_that_cannot_start_draws_no_current_but_a_running_one_runs_on_until_it_pauses() -> None:
    freezer = settled()
    while not freezer.compressor_on:
        freezer.step(5, ROOM_C, mains_ok=True)
    freezer.start_capacitor_ok = False
    freezer.step(5, ROOM_C, mains_ok=True)
    assert freezer.compressor_a > 0.3
    live(freezer, 1)
    currents = []
    for _ in range(2 * HOUR // 5):
        freezer.step(5, ROOM_C, mains_ok=True)
        currents.append(freezer.compressor_a)
    assert set(currents) == {0.0}
    assert freezer.air_c > -16


def test_a_power_cut_leaves_food_frozen_for_hours_and_spoils_it_in_the_end() -> None:
    freezer = settled()
    live(freezer, 3, mains_ok=False)
    assert freezer.food_c < -14
    assert freezer.power_w(mains_ok=False) == 0
    live(freezer, 9, mains_ok=False)
    assert freezer.food_c > SPOILED_C


def test_more_food_stays_frozen_for_longer() -> None:
    def hours_until_spoiled(kg: float) -> float:
        freezer, hours = Freezer(food_kg=kg), 0.0
        while not freezer.spoiled:
            live(freezer, 0.25, mains_ok=False)
            hours += 0.25
        return hours

    assert hours_until_spoiled(40) > 1.5 * hours_until_spoiled(20)


Upset = Callable[[Freezer], None]


def _open(freezer: Freezer) -> None:
    freezer.door_open = not freezer.door_open


def _wear(freezer: Freezer) -> None:
    freezer.seal_wear_w_k_h = 8


def _lose(freezer: Freezer) -> None:
    freezer.refrigerant_loss_h = 0.5


def _defrost(freezer: Freezer) -> None:
    freezer.defrost_forced = True


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([_open, _wear, _lose, _defrost]), st.integers(1, 200), st.booleans())))
def test_heat_is_neither_made_nor_lost_and_temperature_never_jumps(upsets: list[tuple[Upset, int, bool]]) -> None:
    freezer = Freezer()
    for upset, steps, mains_ok in upsets:
        upset(freezer)
        for _ in range(steps):
            stored_j, air_c = freezer.stored_j, freezer.air_c
            freezer.step(5, ROOM_C, mains_ok)
            # The flow that applied during the step is that of its beginning: undo what the step did to the air.
            after_c, freezer.air_c = freezer.air_c, air_c
            flow_w, freezer.air_c = freezer.heat_flow_w(ROOM_C), after_c
            assert freezer.stored_j - stored_j == pytest.approx(flow_w * 5, abs=0.5)
            assert abs(freezer.air_c - air_c) < 0.35


def test_a_week_of_a_healthy_freezer_costs_what_an_energy_label_says() -> None:
    freezer, joules = Freezer(), 0.0
    for _ in range(7 * 24 * HOUR // 5):
        freezer.step(5, ROOM_C, mains_ok=True)
        joules += freezer.power_w(mains_ok=True) * 5
    kwh_a_year = joules / 3.6e6 * 365 / 7
    assert 150 < kwh_a_year < 320


def test_the_thermostat_keeps_its_rest_between_two_starts() -> None:
    freezer = Freezer(cabinet=Cabinet(cut_in_c=-19.4), air_c=-19.6)
    off_s, last = [], 0
    for i in range(12 * HOUR // 5):
        was_on = freezer.compressor_on
        freezer.step(5, ROOM_C, mains_ok=True)
        if was_on and not freezer.compressor_on:
            last = i
        if not was_on and freezer.compressor_on and last:
            off_s.append((i - last) * 5)
    assert off_s
    assert min(off_s) >= Cabinet().rest_s
