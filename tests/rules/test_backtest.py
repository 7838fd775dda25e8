from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.event import Event
from rules.recordings.backtest import Backtest, alert_line
from rules.recordings.recorded import Columns, parse_time, time_column_of, typical_interval
from rules.recordings.score import Score
from rules.state import DeviceState
from rules.transition import Transition
from tests.rules.making import FREEZER, T0, TOO_WARM, at, context, detector, temperature, told


@pytest.mark.parametrize(
    "text",
    ["2026-03-01T08:00:00Z", "2026-03-01 08:00:00", "2026-03-01T09:00:00+01:00", "1772352000", "1772352000000"],
)
def test_times_are_read_in_the_forms_that_files_have(text: str) -> None:
    assert parse_time(text) == T0


def test_a_time_without_a_zone_is_of_the_zone_named() -> None:
    assert parse_time("2026-03-01 09:00:00", ZoneInfo("Europe/Berlin")) == T0


@pytest.mark.parametrize("text", ["85.8", "-1", "nan", "soon", ""])
def test_a_measured_value_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_time(text)


def test_the_first_column_that_is_a_time_is_found() -> None:
    assert time_column_of(["value", "n", "when"], ["85.8", "3", "2026-03-01"]) == "when"
    with pytest.raises(ValueError, match="--time-column"):
        time_column_of(["value"], ["85.8"])


def test_a_row_becomes_a_sample_of_its_device() -> None:
    columns = Columns.of(["device_id", "t", "temp", "door", "note"], "t", {"temp": "temperature"})
    sample = columns.sample(["f7", "2026-03-01T08:00:00Z", "-18.5", "True", ""], "file")
    assert sample == ("f7", T0, {"temperature": -18.5, "door": True})


def test_no_number_is_no_value() -> None:
    columns = Columns.of(["t", "a", "b", "c"], "t", {})
    assert columns.sample(["2026-03-01", "nan", "inf", "N/A"], "f")[2] == {}


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no column 'temp'; there are t, a"):
        Columns.of(["t", "a"], "t", {"temp": "temperature"})


def test_the_usual_interval_is_the_median_gap() -> None:
    assert typical_interval([at(m) for m in (0, 5, 10, 500, 505)]) == timedelta(minutes=5)
    assert typical_interval([at(0)]) is None


VALUES = st.lists(st.sampled_from([-18.0, -14.0, -11.0]), max_size=40)


@given(VALUES, VALUES)
def test_a_backtest_gives_what_running_each_device_alone_gives(one: list[float], other: list[float]) -> None:
    made = detector(TOO_WARM)
    devices = {"a": one, "b": other}
    events: list[Event] = sorted(
        (temperature(5 * i, v, device_id=name) for name, values in devices.items() for i, v in enumerate(values)),
        key=lambda event: (event.observed_at, event.device_id),
    )
    test = Backtest(made, FREEZER)
    facts = [fact for event in events for fact in test.feed(event)] + list(test.finish())
    for name, values in devices.items():
        alone = [temperature(5 * i, v, device_id=name) for i, v in enumerate(values)]
        end = at(5 * (len(values) - 1)) + timedelta(microseconds=1)
        _, expected = made.run(context(name), DeviceState(), alone, until=end)
        assert [fact for fact in facts if fact.device_id == name] == expected
    assert test.samples == len(one) + len(other)


def test_what_nobody_recorded_did_not_happen() -> None:
    test = Backtest(detector("{id: silent, kind: absent}"), FREEZER)
    test.feed(temperature(0, -18))
    assert list(test.finish()) == []


def fired(minutes: float, device_id: str = "f1") -> Transition:
    facts = detector("{id: warm, kind: condition, when: temperature > -12}").run(
        context(device_id), DeviceState(), [temperature(-99, -18), temperature(minutes, -5)]
    )[1]
    assert isinstance(facts[0], Transition)
    return facts[0]


def test_alerts_are_right_within_a_window_and_windows_are_found_once() -> None:
    score = Score({"f1": [(at(10), at(20)), (at(50), at(60))]})
    for minute in (10, 15, 20, 21, 5):
        score.add(fired(minute))
    score.add(fired(55, "f2"))
    assert score.as_dict(2.0) == {
        "precision": 0.5,
        "recall": 0.5,
        "p50_delay_s": 0.0,
        "false_alarms_per_device_day": 1.5,
    }


def test_nothing_fired_and_nothing_labelled_is_no_division_by_zero() -> None:
    assert set(Score({}).as_dict(0).values()) == {None}


def test_an_alert_line_has_the_fixed_form() -> None:
    line = alert_line(fired(5))
    assert list(line) == ["rule", "device_id", "state", "at", "severity", "explanation"]
    assert (line["state"], line["at"]) == ("firing", "2026-03-01T08:05:00Z")
    assert told([fired(5)]) == [("warm", "firing", 5)]
    assert datetime.fromisoformat(line["at"]).tzinfo is UTC or line["at"].endswith("Z")
