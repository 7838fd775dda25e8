"""Rules that can never fire, undo themselves or double each other are pointed out; the others are left in peace."""

from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.profile import GENERIC
from rules.authoring import overlap
from rules.authoring.overlap import overrides_for_nobody, warnings_of
from rules.expression import Scope, compile_expression
from rules.schema import merge_rules
from tests.rules.making import FREEZER, ruleset

PROFILES = {FREEZER.name: FREEZER, GENERIC.name: GENERIC}
MILD = "{id: mild, kind: condition, profile: freezer, when: temperature > -12, for: 10m}"


def said(*rules: str) -> list[str]:
    return [
        f"{warning.field.rpartition('.')[2]}: {warning.message}" for warning in warnings_of(ruleset(*rules), PROFILES)
    ]


def of(when: str, more: str = "") -> str:
    return f"{{id: a, kind: condition, profile: freezer, when: '{when}'{more}}}"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("temperature > 60", "can never hold within the bounds of the profile 'freezer'"),
        ("temperature > -12 && temperature < -15", "can never hold within the bounds of the profile 'freezer'"),
        ("door_open && !door_open", "can never hold within the bounds of the profile 'freezer'"),
        ('state == "on" && state == "off"', "can never hold within the bounds of the profile 'freezer'"),
        ("temperature >= -60", "always holds within the bounds of the profile 'freezer'"),
    ],
)
def test_a_condition_that_never_changes_its_answer_is_pointed_out(when: str, expected: str) -> None:
    assert said(of(when)) == [f"when: {expected}"]


@pytest.mark.parametrize(
    ("clear", "expected"),
    [
        ("temperature < -10", "holds while 'when' does (temperature -11.0), so the alert would resolve and fire again"),
        ("temperature < -60", "can never hold, so what fires would never resolve"),
    ],
)
def test_a_rule_that_undoes_itself_is_pointed_out(clear: str, expected: str) -> None:
    (warning,) = said(of("temperature > -12", f", clear_when: '{clear}'"))
    assert warning.startswith(f"clear_when: {expected}")


def test_two_rules_that_say_the_same_are_pointed_out() -> None:
    (warning,) = said(MILD, MILD.replace("mild", "twin").replace("temperature > -12", "'!(temperature <= -12)'"))
    assert warning == "when: says the same as rule 'mild': one fault would open two cases"


def test_a_rule_that_another_always_precedes_is_pointed_out_unless_it_is_worse_or_inhibited() -> None:
    worse = "{id: worse, kind: condition, profile: freezer, when: temperature > -5, for: 10m}"
    (warning,) = said(MILD, worse)
    assert warning.startswith("when: whenever this fires, 'mild' has fired")
    assert said(MILD, worse.replace("}", ", severity: critical}")) == []
    assert said(MILD, worse.replace("}", ", inhibited_by: [mild]}")) == []
    assert said(MILD, worse.replace("10m", "5m")) == []
    assert said(MILD, worse.replace("}", ", mode: shadow}")) == []


@pytest.mark.parametrize(
    "when",
    [
        "temperature > -12",
        "temperature - power > 5",
        "state in ['on', 'off']",
        "temperature > -12 && door_open",
        "online",
    ],
)
def test_a_condition_that_can_be_both_is_left_in_peace(when: str) -> None:
    assert said(f'{{id: a, kind: condition, profile: freezer, when: "{when}"}}') == []


def test_what_comes_with_the_product_needs_no_warning() -> None:
    from gateway.config import Config
    from gateway.rulebook.files import load_profiles

    files = Path(str(resources.files("rules") / "examples")).glob("*.yaml")
    rules = merge_rules((path.read_text("utf-8"), path.name) for path in files)
    assert warnings_of(rules, load_profiles(Config())) == []


NUMBERS = st.sampled_from([-70.0, -60.0, -20.0, -12.0, -5.0, 0.0, 60.0, 61.0])
TERM = st.builds(lambda op, n: f"temperature {op} {n}", st.sampled_from([">", "<", ">=", "<=", "==", "!="]), NUMBERS)
WHEN = st.recursive(
    TERM | st.sampled_from(["door_open", "!door_open", "power > 3"]),
    lambda inner: st.builds(lambda a, op, b: f"({a}) {op} ({b})", inner, st.sampled_from(["&&", "||"]), inner),
    max_leaves=4,
)


@given(
    WHEN,
    st.floats(min_value=-60, max_value=60, allow_nan=False),
    st.booleans(),
    st.floats(min_value=-1e3, max_value=1e3, allow_nan=False),
)
def test_what_is_said_to_be_impossible_is_impossible(
    when: str, temperature: float, door_open: bool, power: float
) -> None:
    expression = compile_expression(when)
    values = {"temperature": temperature, "door_open": door_open, "power": power}
    held = expression.evaluate(Scope(values, expression.variables))
    warnings = said(of(when))
    if held is True:
        assert not any("can never hold" in warning for warning in warnings)
    if held is False:
        assert not any("always holds" in warning for warning in warnings)


def test_only_what_is_about_the_rules_in_question_is_told_where_some_are_named() -> None:
    rules = ruleset(MILD, MILD.replace("mild", "same"), MILD.replace("mild", "third"), of("temperature > 60"))
    assert len(warnings_of(rules, PROFILES)) == 4
    assert len(warnings_of(rules, PROFILES, {"same"})) == 2
    (only,) = warnings_of(rules, PROFILES, {"a"})
    assert "can never hold" in only.message


def test_a_longer_silence_that_is_none_by_the_profiles_own_interval_is_pointed_out() -> None:
    rule = "{id: gone, kind: absent, profile: freezer, severities: {critical: {for: %s}}}"
    message = "for: 15m is no longer than the 15m after which a device of the profile 'freezer' is missed at all"
    assert [warning.partition(";")[0] for warning in said(rule % "15m")] == [message]
    assert said(rule % "16m") == []
    assert said("{id: gone, kind: absent, for: 5m, severities: {critical: {for: 15m}}}") == []


def test_an_override_for_somebody_who_is_not_there_is_pointed_out_and_one_for_somebody_is_not() -> None:
    overrides = "[{device: [f-21, f-22], for: 1h}, {customer: ana, site: cafe, off: true}]"
    rules = ruleset(MILD.replace("for: 10m", f"for: 10m, overrides: {overrides}"))
    known = {"device": {"f-21", "f-23"}, "customer": {"anna"}}
    found = overrides_for_nobody(rules, known)
    assert [(w.line, w.field.partition("rules.0.")[2], w.message.partition(";")[0]) for w in found] == [
        (3, "overrides.0.device", "there is no device 'f-22' so far"),
        (3, "overrides.1.customer", "there is no customer 'ana' so far"),
    ]
    assert found[1].message.endswith("; did you mean 'anna'?")
    assert overrides_for_nobody(rules, {"device": {"f-21", "f-22"}, "customer": {"ana"}, "site": {"cafe"}}) == []
    nowhere = [warning.message for warning in overrides_for_nobody(rules, {"site": set()})]
    assert nowhere == ["no device stands at a site 'cafe' so far"]
    assert overrides_for_nobody(rules, known, about=["another"]) == []


def test_more_rules_than_can_be_compared_are_said_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by itself is looked at all the same."""
    monkeypatch.setattr(overlap, "MOST_PAIRS", 3)
    rules = [MILD.replace("mild", f"r{n}").replace("-12", str(n - 40)) for n in range(3)]
    assert not any("not compared" in warning for warning in said(*rules))
    found = said(*rules, of("temperature > 60").replace("id: a", "id: never"))
    assert found[0] == "when: can never hold within the bounds of the profile 'freezer'"
    assert found[-1] == "when: more than 3 pairs of rules read the same fields; the rest was not compared"
