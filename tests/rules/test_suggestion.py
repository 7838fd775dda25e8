"""Settings learned from verdicts: what is proposed, what is refused, and what it never does."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_models.profile import DeviceProfile
from rules.authoring.rule_settings import Setting, present, with_setting
from rules.authoring.suggestion import LEAST_JUDGED, Favour, Refusal, Suggestion, suggest
from rules.kinds.condition import ConditionRule
from rules.recordings.judged import Episode, Recording, Sample, try_rule

T0 = datetime(2026, 3, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FREEZER = DeviceProfile.model_validate(
    {
        "name": "freezer",
        "title": "freezer",
        "reporting_interval": "5m",
        "fields": {"temperature": {"title": "Temperature", "unit": "Cel"}},
    }
)
RULE = ConditionRule.model_validate(
    {"id": "warm", "profile": "freezer", "when": "temperature > -12", "for": "10m", "clear_when": "temperature < -15"}
)


def bump(peak: float, minutes: int, noise: random.Random) -> tuple[list[Sample], tuple[datetime, datetime]]:
    """A day at −18 °C with one bump to ``peak`` for so long."""
    begins = T0 + 8 * 60 * MINUTE
    ends = begins + minutes * MINUTE
    samples: list[Sample] = []
    at = T0
    while at < T0 + timedelta(hours=16):
        level = peak if begins <= at < ends else -18.0
        samples.append((at, {"temperature": level + noise.uniform(-0.2, 0.2)}))
        at += 5 * MINUTE
    return samples, (begins, ends)


def lesson(real: list[tuple[float, int]], false: list[tuple[float, int]]) -> tuple[Recording, list[Episode]]:
    """One device a case, each (peak, minutes)."""
    noise, samples, episodes = random.Random(5), {}, []
    for index, (peak, minutes) in enumerate([*real, *false]):
        device = f"f{index}"
        samples[device], (begins, ends) = bump(peak, minutes, noise)
        episodes.append(Episode(device, index < len(real), begins, ends))
    return Recording(samples), episodes


def proposal(real: list[tuple[float, int]], false: list[tuple[float, int]], rule: ConditionRule = RULE) -> Suggestion:
    recording, episodes = lesson(real, false)
    found = suggest(rule, FREEZER, recording, episodes)
    assert isinstance(found, Suggestion)
    return found


FAVOURS: tuple[Favour, ...] = ("precision", "recall")
WARM = [(-4.0, 120), (-5.0, 90), (-3.0, 180), (-6.0, 150), (-2.0, 240), (-5.5, 100)]


def test_a_limit_moves_between_the_false_alarms_and_the_real_ones() -> None:
    found = proposal(WARM, [(-10.0, 120), (-11.0, 150), (-9.5, 100), (-10.5, 200), (-9.0, 110)])
    assert found.changed
    assert -9.0 < found.best.setting.limit < -6.0
    assert (found.now.figures.precision, found.best.figures.precision) == (6 / 11, 1.0)
    assert found.best.figures.recall == 1.0


def test_hysteresis_moves_with_the_limit() -> None:
    found = proposal(WARM, [(-10.0, 120), (-11.0, 150), (-9.5, 100), (-10.5, 200), (-9.0, 110)])
    assert found.best.setting.gap == found.now.setting.gap == 3.0
    assert found.proposed.clear_when == f"temperature < {found.best.setting.limit - 3.0:g}"


def test_for_grows_where_false_alarms_are_as_warm_but_short() -> None:
    found = proposal(WARM, [(-4.0, 20), (-3.0, 25), (-2.5, 20), (-5.0, 30), (-4.5, 25)])
    assert found.changed
    assert timedelta(minutes=30) <= found.best.setting.hold <= timedelta(minutes=90)
    assert found.best.figures.precision == 1.0
    assert [change["field"] for change in found.changes()] == ["for"]


def test_nothing_is_proposed_where_nothing_tells_them_apart() -> None:
    found = proposal(WARM, WARM)
    assert not found.changed
    assert found.changes() == []


def test_the_curve_ends_at_what_finds_all_and_never_bends_back() -> None:
    found = proposal(WARM, [(-10.0, 120), (-5.0, 150), (-4.5, 100), (-10.5, 200), (-9.0, 20)])
    recalls = [point.figures.recall for point in found.curve]
    precisions = [point.figures.precision for point in found.curve]
    assert recalls == sorted(recalls)  # type: ignore[type-var]
    assert precisions == sorted(precisions, reverse=True)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("real", "false", "reason"),
    [
        (WARM[:5], [(-10.0, 60)] * 4, "not_enough_verdicts"),
        (WARM * 2, [], "no_false_alarm"),
        ([], [(-10.0, 60)] * 12, "none_real"),
    ],
)
def test_what_teaches_nothing_is_refused_with_the_reason(
    real: list[tuple[float, int]], false: list[tuple[float, int]], reason: str
) -> None:
    recording, episodes = lesson(real, false)
    refused = suggest(RULE, FREEZER, recording, episodes)
    assert isinstance(refused, Refusal)
    assert refused.reason == reason


def test_the_number_of_verdicts_that_is_needed_is_said() -> None:
    refused = suggest(RULE, FREEZER, *lesson(WARM[:1], [(-10.0, 60)]))
    assert isinstance(refused, Refusal)
    assert f"1 real and 1 false alarms are recorded; {LEAST_JUDGED} are needed" in refused.message


def test_a_condition_without_a_number_has_nothing_to_move() -> None:
    rule = ConditionRule.model_validate({"id": "door", "when": "door_open", "for": "10m"})
    refused = suggest(rule, FREEZER, *lesson(WARM, WARM))
    assert isinstance(refused, Refusal)
    assert refused.reason == "no_limit"


def test_favouring_recall_finds_more_and_says_what_it_costs() -> None:
    recording, episodes = lesson([*WARM, (-13.0, 240), (-13.5, 240)], [(-10.0, 120), (-13.2, 120), (-9.5, 100)])
    found = suggest(RULE, FREEZER, recording, episodes, favour="recall")
    assert isinstance(found, Suggestion)
    assert (found.now.figures.right, found.best.figures.right) == (6, 8)
    if (found.best.figures.precision or 0) < (found.now.figures.precision or 0):
        assert any("precision falls" in note for note in found.notes)


def test_found_on_arrival_is_not_found() -> None:
    recording = Recording({"f": [(T0 + i * 5 * MINUTE, {"temperature": -5.0}) for i in range(24)]})
    figures = try_rule(RULE, FREEZER, recording, [Episode("f", True, T0, T0 + timedelta(hours=2))])
    assert (figures.right, figures.alerts) == (0, 0)


@given(
    st.lists(st.tuples(st.floats(-17, 0), st.integers(10, 300)), min_size=2, max_size=7),
    st.lists(st.tuples(st.floats(-17, 0), st.integers(10, 300)), min_size=2, max_size=7),
    st.sampled_from(FAVOURS),
    st.sampled_from([1.0, 0.8]),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_suggestion_never_lowers_precision_on_its_verdicts_or_says_so(
    real: list[tuple[float, int]], false: list[tuple[float, int]], favour: Favour, keep: float
) -> None:
    recording, episodes = lesson(real + real[:1] * max(0, LEAST_JUDGED - len(real) - len(false)), false)
    found = suggest(RULE, FREEZER, recording, episodes, keep=keep, favour=favour)
    if isinstance(found, Refusal):
        return
    before, after = found.now.figures, try_rule(found.proposed, FREEZER, recording, episodes)
    assert after == found.best.figures
    assert after.right >= keep * before.right - 1e-9
    if (after.precision or 0) < (before.precision or 0):
        assert any("precision falls" in note for note in found.notes)
    if favour == "precision":
        assert (after.precision or 0) >= (before.precision or 0)
        assert after.unjudged <= before.unjudged


@pytest.mark.parametrize(
    ("when", "value", "said"),
    [
        ("temperature > -12", -9.5, "temperature > -9.5"),
        ("-12 < temperature", -9.0, "-9 < temperature"),
        ("temperature > (-12) && door_open", 3.0, "temperature > (3) && door_open"),
        ("(temperature) >= 4.5 || door_open", 5.25, "(temperature) >= 5.25 || door_open"),
        ("values['DS18B20-1.Temperature'] > 8", 9.0, "values['DS18B20-1.Temperature'] > 9"),
    ],
)
def test_only_the_number_changes_in_a_condition(when: str, value: float, said: str) -> None:
    rule = ConditionRule.model_validate({"id": "r", "when": when, "for": "10m"})
    here = present(rule, 0)
    assert with_setting(rule, Setting(0, value, here.hold, None)).when == said


def test_a_gap_is_written_as_clear_when_where_there_was_none() -> None:
    rule = ConditionRule.model_validate({"id": "r", "when": "pressure < 1.2"})
    assert with_setting(rule, Setting(0, 1.1, timedelta(0), 0.2)).clear_when == "pressure > 1.3"
