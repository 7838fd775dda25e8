"""``simulator/physics/heat_pump.py``: water, flow and the house follow from leaks and sludge."""

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.physics.heat_pump import LOW_PRESSURE_BAR, STOPPED_FLOW, STOPPED_PRESSURE, HeatPump
from simulator.physics.weather import COLDEST_HOUR, outdoor_c

STEP_S = 10


def live(pump: HeatPump, hours: float, outdoor: float = 5.0, mains_ok: bool = True) -> None:
    for _ in range(int(hours * 3600 / STEP_S)):
        pump.step(STEP_S, outdoor, mains_ok)


def has_stopped(pump: HeatPump) -> bool:
    return pump.stopped is not None


@settings(deadline=None, max_examples=30)
@given(st.floats(min_value=-12, max_value=14))
def test_the_house_is_kept_warm_at_any_usual_weather(outdoor: float) -> None:
    pump = HeatPump()
    live(pump, 24, outdoor)
    assert 20 < pump.room_c < 22.5
    assert pump.stopped is None
    assert 1.2 < pump.pressure_bar < 2.2


def test_colder_air_outside_costs_more_power_for_warmer_water() -> None:
    mild, cold = HeatPump(), HeatPump()
    live(mild, 12, 10)
    live(cold, 12, -10)
    assert cold.flow_c > mild.flow_c + 5
    assert cold.power_kw(-10) > 2 * mild.power_kw(10)


def test_a_leak_lowers_the_pressure_over_hours_until_the_controller_stops() -> None:
    pump = HeatPump()
    live(pump, 2)
    pump.leak_l_h = 2.0
    live(pump, 1)
    assert not has_stopped(pump)
    assert LOW_PRESSURE_BAR < pump.pressure_bar < 1.5
    live(pump, 6)
    assert pump.stopped == STOPPED_PRESSURE
    assert pump.heat_w == 0


def test_topped_up_after_the_leak_is_mended_it_heats_again() -> None:
    pump = HeatPump(leak_l_h=3)
    live(pump, 8)
    pump.leak_l_h = 0
    pump.refill()
    assert 1.45 < pump.pressure_bar < 1.55
    live(pump, 4)
    assert pump.stopped is None
    assert pump.heat_w > 0


def test_a_clogging_filter_widens_the_spread_before_it_stops_the_flow() -> None:
    pump = HeatPump()
    live(pump, 2)
    clean_k = pump.spread_k
    pump.filter_pct_h = 20
    live(pump, 2.75)
    assert not has_stopped(pump)
    assert pump.spread_k > 1.5 * clean_k
    live(pump, 4)
    assert pump.stopped == STOPPED_FLOW
    assert pump.flow_l_min == 0


def test_water_temperature_never_jumps_whatever_happens_to_the_power() -> None:
    pump, before = HeatPump(), HeatPump().water_c
    for i in range(6 * 3600 // STEP_S):
        pump.step(STEP_S, -5, mains_ok=i % 500 > 120)
        assert abs(pump.water_c - before) < 0.3
        before = pump.water_c


def test_running_hours_count_only_while_it_heats() -> None:
    pump = HeatPump()
    live(pump, 2, mains_ok=False)
    assert pump.running_hours == 0
    live(pump, 5, outdoor=0)
    assert 4.5 < pump.running_hours <= 5


def test_the_day_is_coldest_before_dawn_and_swings_around_its_mean() -> None:
    day = [outdoor_c(7, 4, hour / 4) for hour in range(96)]
    assert min(range(96), key=day.__getitem__) == COLDEST_HOUR * 4
    assert (min(day), max(day)) == (3, 11)
    assert abs(sum(day) / 96 - 7) < 1e-9
