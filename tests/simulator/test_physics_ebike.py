"""``simulator/physics/ebike.py``: what corroded contacts do to charging."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from simulator.physics.ebike import EBike


def charge(bike: EBike, hours: float) -> list[bool]:
    """Charge; return for each step of 10 s whether current flowed."""
    flowed = []
    for _ in range(int(hours * 360)):
        bike.step(10, 0, plugged_in=True, ambient_c=18)
        flowed.append(bike.charging)
    return flowed


def test_clean_contacts_fill_the_battery_overnight_without_a_break() -> None:
    bike = EBike(charge_wh=50)
    flowed = charge(bike, 3)
    assert all(flowed)
    charge(bike, 4)
    assert bike.battery_pct > 99


def test_corroded_contacts_heat_up_until_the_charger_cuts_out_again_and_again() -> None:
    bike = EBike(charge_wh=50, contact_ohm=1.2)
    flowed = charge(bike, 3)
    assert flowed.count(False) > len(flowed) / 3
    assert sum(a and not b for a, b in pairwise(flowed)) > 3
    clean = EBike(charge_wh=50)
    charge(clean, 3)
    assert bike.battery_pct < clean.battery_pct - 15


def test_riding_empties_the_battery_by_the_distance_and_then_assists_no_more() -> None:
    bike = EBike(charge_wh=100, use_wh_km=10)
    for _ in range(900):
        bike.step(10, 10, plugged_in=False, ambient_c=18)
    assert 5 < bike.charge_wh < 10
    for _ in range(2000):
        bike.step(10, 10, plugged_in=False, ambient_c=18)
    assert bike.run_down
    assert bike.charge_wh >= 0
    assert round(bike.odometer_km, 6) == 29


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 60), st.floats(0, 3)), max_size=60))
def test_the_charge_stays_between_empty_and_full(steps: list[tuple[bool, float, float]]) -> None:
    bike = EBike(charge_wh=250)
    for plugged_in, metres, ohm in steps:
        bike.contact_ohm = ohm
        bike.step(10, 0 if plugged_in else metres, plugged_in, 20)
        assert 0 <= bike.battery_pct <= 100
