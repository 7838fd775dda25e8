"""Causes and procedures in rules."""

import pytest

from device_models.yaml_lines import InvalidFileError
from rules.runbook import Cause, Step, by_share, in_order
from rules.schema import parse_rules

CAUSES = (Cause(id="door", title="Door ajar"), Cause(id="relay", title="Relay"), Cause(id="seal", title="Seal"))


def test_the_oftenest_cause_is_asked_for_first_and_equals_stay_as_written() -> None:
    assert [cause.id for cause in by_share(CAUSES, {"seal": 5, "relay": 1})] == ["seal", "relay", "door"]
    assert by_share(CAUSES, {}) == list(CAUSES)


def test_steps_that_look_for_a_cause_move_and_others_keep_their_places() -> None:
    steps = (
        Step(id="greet", do="Greet"),
        Step(id="ask-door", do="Door?", cause="door"),
        Step(id="wait", do="Wait"),
        Step(id="ask-seal", do="Seal?", cause="seal"),
    )
    assert [step.id for step in in_order(steps, {"seal": 3})] == ["greet", "ask-seal", "wait", "ask-door"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("causes: [{id: a, title: A}, {id: a, title: B}]", "names the cause 'a' twice"),
        ("runbook: [{id: a, do: A, cause: door}]", "there is no cause 'door'"),
        ("runbook: [{id: a, do: A}, {id: a, do: B}]", "names the step 'a' twice"),
        ("causes: [{id: A B, title: A}]", "pattern"),
    ],
)
def test_what_does_not_fit_together_is_named(more: str, said: str) -> None:
    with pytest.raises(InvalidFileError, match=said):
        parse_rules(f"rules:\n  - id: r\n    kind: condition\n    when: t > 4\n    {more}\n", "r.yaml")
