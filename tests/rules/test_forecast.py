import json
import math
import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from device_models.event import Event
from device_models.profile import DeviceProfile, FieldSpec
from rules.authoring.check import check_rules
from rules.kinds.forecast import ForecastRule
from rules.recordings.points import MOST_SAMPLES, PIECES, Points
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import T0, at, context, detector, facts_of, ruleset, status
from tests.rules.saying import sentences

PUMP = DeviceProfile(
    name="pump",
    title={"en": "heat pump"},
    reporting_interval=timedelta(hours=1),
    fields={
        "fill": FieldSpec(title={"en": "Filter filled"}, unit="%", decimals=0),
        "battery": FieldSpec(title={"en": "Battery"}, unit="V", decimals=2),
        "mode": FieldSpec(title={"en": "Mode"}, type="text"),
    },
)
FULL = "{id: full, kind: forecast, field: fill, limit: 100}"
EMPTY = "{id: empty, kind: forecast, field: battery, limit: 3.2, direction: below, within: 5d, over: 10d}"
HOUR = 60.0
DAY = 24 * HOUR


def hourly(value: Callable[[float], float], days: float, field: str = "fill", begin: float = 0.0) -> list[Event]:
    """A sample each hour; ``value`` by the day."""
    hours = range(round(begin * 24), round((begin + days) * 24))
    return [status(hour * HOUR, {field: value(hour / 24)}) for hour in hours]


def noise(seed: int, size: float) -> Callable[[], float]:
    chance = random.Random(seed)
    return lambda: chance.gauss(0, size)


def found(rule: str, events: Iterable[Event]) -> list[Transition]:
    _, facts = detector(rule, profile=PUMP).run(context(profile=PUMP), DeviceState(), events)
    return [fact for fact in facts if isinstance(fact, Transition)]


def days(facts: Iterable[Transition]) -> list[tuple[str, float]]:
    return [(fact.state.value, (fact.at - T0) / timedelta(days=1)) for fact in facts]


def day_of(written: str) -> float:
    return (datetime.fromisoformat(written) - T0) / timedelta(days=1)


# ---- foretelling


def test_a_filter_that_fills_is_foretold_a_week_before_with_the_time_and_its_interval() -> None:
    error = noise(1, 0.5)
    facts = found(FULL, hourly(lambda day: 40 + 3 * day + error(), 16))
    assert [state for state, _ in days(facts)] == ["firing"]
    explanation = facts[0].explanation
    told_at = days(facts)[0][1]
    assert 12.5 <= told_at <= 14.5
    assert day_of(explanation["earliest"]) < day_of(explanation["reaches_at"]) < day_of(explanation["latest"])
    assert day_of(explanation["latest"]) - told_at <= 7
    assert day_of(explanation["reaches_at"]) == pytest.approx(20, abs=0.5)
    assert explanation["slope_per_day"] == pytest.approx(3, abs=0.1)
    assert (explanation["field"], explanation["limit"], explanation["direction"]) == ("fill", 100, "above")
    assert explanation["values"]["fill"] == pytest.approx(40 + 3 * told_at, abs=2)
    assert "reached" not in explanation
    assert explanation["condition"] == "fill reaches 100 from below"


def test_a_falling_value_is_foretold_as_well() -> None:
    error = noise(2, 0.01)
    facts = found(EMPTY, hourly(lambda day: 4.1 - 0.05 * day + error(), 15, "battery"))
    assert [state for state, _ in days(facts)] == ["firing"]
    assert 12.5 <= days(facts)[0][1] <= 14.5
    assert facts[0].explanation["slope_per_day"] == pytest.approx(-0.05, abs=0.003)
    assert facts[0].explanation["condition"] == "battery reaches 3.2 from above"


def test_the_middle_of_the_interval_is_not_enough() -> None:
    error = noise(3, 8.0)
    wavering = [status(hour * HOUR, {"fill": 50 + 1.2 * hour / 24 + error()}) for hour in range(0, 20 * 24, 7)]
    made = detector(FULL.replace("}", ", within: 30d, confidence: 0.999}"), profile=PUMP)
    state, facts = made.run(context(profile=PUMP), DeviceState(), wavering)
    assert facts == []
    outlook = made.evaluators(PUMP)["full"].explain(context(profile=PUMP), state.rules["full"], at(20 * DAY))["outlook"]
    assert day_of(outlook["reaches_at"]) < 50
    assert outlook["latest"] is None or day_of(outlook["latest"]) > 50
    sure = found(FULL.replace("}", ", within: 30d}"), hourly(lambda day: 50 + 1.2 * day, 20))
    assert [state for state, _ in days(sure)] == ["firing"]


def test_nothing_is_foretold_further_ahead_than_twice_what_was_seen() -> None:
    steep = FULL.replace("}", ", within: 30d, over: 2d}")
    facts = found(steep, hourly(lambda day: 50 + 5 * day, 8))
    # With two days of points, four days ahead.
    assert days(facts)[0][1] == pytest.approx(10 - 4, abs=0.3)


def test_too_few_points_say_nothing_and_explain_it() -> None:
    made = detector(FULL, profile=PUMP)
    state, facts = made.run(context(profile=PUMP), DeviceState(), hourly(lambda day: 90 + 3 * day, 2))
    assert facts == []
    assert state.unsampled == {} or "points" in state.unsampled["full"].reason
    why = made.evaluators(PUMP)["full"].explain(context(profile=PUMP), state.rules["full"], at(2 * DAY))
    assert why["outlook"]["why_not"] == "fill has 7 of 8 points"


def test_as_many_points_as_the_rule_asks_for_are_enough() -> None:
    steep = hourly(lambda day: 70 + 10 * day, 3)
    # A piece is 7 hours; two days hold seven whole ones.
    assert days(found(FULL, steep))[0][1] == pytest.approx(2 + 6 / 24, abs=4 / 24)
    assert days(found(FULL.replace("}", ", min_points: 9}"), steep))[0][1] == pytest.approx(2 + 13 / 24, abs=4 / 24)


@pytest.mark.parametrize("memory", [0.0, 0.7])
def test_noise_and_daily_waves_without_a_trend_foretell_nothing(memory: float) -> None:
    fired = 0
    for seed in range(15):
        chance, error = random.Random(seed), [0.0]

        def value(day: float, chance: random.Random = chance, error: list[float] = error) -> float:
            error[0] = memory * error[0] + chance.gauss(0, 3)
            return 60 + 8 * math.sin(2 * math.pi * day) + error[0]

        fired += bool(found(FULL, hourly(value, 60)))
    # 15 devices over two months.
    assert fired == 0


def test_a_single_wild_sample_neither_foretells_nor_resets() -> None:
    def value(day: float) -> float:
        return {5 * 24: 5000.0, 6 * 24: -5000.0, 14 * 24: -5000.0}.get(round(day * 24), 40 + 3 * day)

    facts = found(FULL, hourly(value, 16))
    assert [state for state, _ in days(facts)] == ["firing"]
    assert 12.5 <= days(facts)[0][1] <= 14.5


# ---- the end


def test_cleaning_the_filter_ends_it_and_the_next_filling_is_a_trend_of_its_own() -> None:
    def value(day: float) -> float:
        return 40 + 3 * day if day < 15 else 10 + 4 * (day - 15)

    facts = found(FULL, hourly(value, 40))
    assert [state for state, _ in days(facts)] == ["firing", "resolved", "firing"]
    assert days(facts)[1][1] == pytest.approx(15, abs=0.1)
    assert facts[1].explanation["reason"] == "reset"
    assert "reaches_at" not in facts[1].explanation
    assert day_of(facts[2].explanation["reaches_at"]) == pytest.approx(15 + 22.5, abs=0.5)
    assert day_of(facts[2].explanation["since"]) >= 15


def test_half_a_cleaning_is_a_reset_only_where_the_rule_says_so() -> None:
    def value(day: float) -> float:
        return 40 + 3 * day - (12 if day >= 15 else 0)

    assert [state for state, _ in days(found(FULL, hourly(value, 16)))] == ["firing"]
    smaller = FULL.replace("}", ", reset: 10}")
    assert [state for state, _ in days(found(smaller, hourly(value, 16)))] == ["firing", "resolved"]


def test_a_trend_that_ends_ends_the_alert_with_hysteresis() -> None:
    def value(day: float) -> float:
        return min(40 + 3 * day, 40 + 3 * 15)

    facts = found(FULL, hourly(value, 40))
    assert [state for state, _ in days(facts)] == ["firing", "resolved"]
    assert facts[1].explanation["reason"] == "trend_gone"
    # Past the horizon again at once, but not twice.
    assert days(facts)[1][1] > 16


def test_a_trend_that_slackens_ends_nothing_before_the_limit_is_two_horizons_away() -> None:
    def slackening(slope: float) -> Callable[[float], float]:
        return lambda day: 40 + 3 * day if day < 14 else 82 + slope * (day - 14)

    # By day 28 the trend is the new slope's alone: 10 days away, and 18.
    assert [state for state, _ in days(found(FULL, hourly(slackening(0.75), 28.5)))] == ["firing"]
    assert [state for state, _ in days(found(FULL, hourly(slackening(0.55), 28.5)))] == ["firing", "resolved"]


def test_what_was_foretold_and_came_stays_until_it_is_reset() -> None:
    def value(day: float) -> float:
        return min(40 + 3 * day, 100) if day < 30 else 5

    facts = found(FULL, hourly(value, 32))
    assert [state for state, _ in days(facts)] == ["firing", "resolved"]
    assert days(facts)[1][1] == pytest.approx(30, abs=0.2)


def test_a_step_back_no_larger_than_the_noise_is_no_reset() -> None:
    error = noise(7, 10.0)
    facts = found(FULL.replace("100", "1000"), hourly(lambda day: 400 + 30 * day + 10 * error(), 18))
    assert [fact.explanation.get("reason") for fact in facts] == [None]


def test_what_comes_too_fast_to_be_foretold_is_told_when_it_is_there_and_what_was_there_is_not() -> None:
    def jump(day: float) -> float:
        return 40 if day < 5 else 100

    facts = found(FULL, hourly(jump, 6))
    assert days(facts) == [("firing", 5 + 1 / 24)]
    assert facts[0].explanation["reached"] is True
    assert found(FULL, hourly(lambda day: 100, 20)) == []


# ---- values, edits, settings


def test_what_is_no_number_changes_nothing_and_is_explained() -> None:
    made = detector(FULL, profile=PUMP)
    state, _ = made.run(context(profile=PUMP), DeviceState(), hourly(lambda day: 40, 1))
    after, facts = made.run(context(profile=PUMP), state, [status(DAY, {"fill": "full"})])
    assert (facts, after.rules) == ([], state.rules)
    assert after.unsampled["full"].reason == "fill is the text 'full' and no number"


def test_another_limit_keeps_the_series_and_another_field_begins_one() -> None:
    made = detector(FULL, profile=PUMP)
    state, _ = made.run(context(profile=PUMP), DeviceState(), hourly(lambda day: 40 + 3 * day, 10))
    nearer = detector(FULL.replace("100", "85"), profile=PUMP)
    _, facts = nearer.run(context(profile=PUMP), state, hourly(lambda day: 40 + 3 * day, 1, begin=10))
    assert [fact.state.value for fact in facts if isinstance(fact, Transition)] == ["firing"]
    other = detector(FULL.replace("fill", "battery"), profile=PUMP)
    after, _ = other.run(context(profile=PUMP), state, hourly(lambda day: 4, 0.1, "battery", begin=10))
    assert Points.from_json(after.rules["full"].memory["points"]).closed == ()


def test_a_restart_after_every_sample_changes_nothing() -> None:
    error = noise(1, 0.5)
    events = hourly(lambda day: 40 + 3 * day + error(), 20)
    one_by_one = facts_of(detector(FULL, profile=PUMP), events, device=context(profile=PUMP))
    assert one_by_one == found(FULL, events)
    assert one_by_one


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"within": 0}, "within must"),
        ({"over": 0}, "over must"),
        ({"min_points": 5}, "greater"),
        ({"reset": 0}, "reset"),
    ],
)
def test_settings_that_make_no_sense_are_named(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ForecastRule.model_validate({"id": "a", "field": "x", "limit": 1} | setting)


def test_rules_check_knows_the_field_of_a_forecast() -> None:
    made = ruleset(FULL.replace("fill,", "fil,"), FULL.replace("full", "words").replace("fill", "mode"))
    said = [error.message for error in check_rules(made, {"pump": PUMP})]
    assert "did you mean 'fill'?" in said[0]
    assert said[1] == "'mode' is no number"


def test_the_customer_reads_when_it_will_be_so() -> None:
    fact = found(FULL, hourly(lambda day: 40 + 3 * day, 16))[0]
    english, german, arabic = sentences(fact, "The filter is filling up", decimals={"fill": 0})
    assert english == (
        "Your product: The filter is filling up, now 79%; it will reach 100% in about 7 days (Saturday, 21 March 2026)."
    )
    assert "100 % sind in etwa 7 Tagen erreicht (Samstag, 21. März 2026)." in german
    assert "بعد نحو 7 أيام" in arabic
    late = found(FULL, hourly(lambda day: 40 if day < 5 else 100, 6))[0]
    assert sentences(late, "The filter is full")[0].endswith("now 100%.")


# ---- the series


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(-50, 50)), min_size=3, max_size=200))
@settings(max_examples=50)
def test_a_point_is_the_median_of_its_piece_and_the_series_is_bounded(gaps: list[tuple[int, int]]) -> None:
    length, width = 480.0, 480.0 / PIECES
    points, now = Points(), 1_772_352_000.0
    samples: list[tuple[float, float]] = []
    for gap, value in gaps:
        now += gap
        samples.append((now, float(value)))
        points = Points.from_json(json.loads(json.dumps(points.to_json()))).after(now, float(value), length)
    assert len(points.closed) <= PIECES + 1
    pieces: dict[float, list[float]] = {}
    for when, said in samples:
        pieces.setdefault(when // width, []).append(said)
    del pieces[now // width]
    expected = [median(values) for values in pieces.values()]
    assert [v for _, v in points.closed] == expected[len(expected) - len(points.closed) :]
    assert all(earlier[0] < later[0] for earlier, later in pairwise(points.closed))
    assert points.level == median(v for _, v in samples[-3:])


def test_a_piece_with_many_samples_keeps_few_of_them_evenly() -> None:
    points = Points()
    for second in range(10_000):
        points = points.after(1_772_340_000.0 + second, float(second), 48 * 20_000.0)
        assert len(points.open) <= MOST_SAMPLES
    kept = [t for t, _ in points.open]
    gaps = {later - earlier for earlier, later in pairwise(kept)}
    assert len(gaps) == 1
    assert kept[-1] - kept[0] > 8000
