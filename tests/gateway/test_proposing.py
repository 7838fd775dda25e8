"""A fault that no rule saw becomes a test for the one that is missing, made of what was recorded."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device_models.yaml_lines import load_yaml
from gateway.history import Sample
from gateway.history.embedded import EmbeddedHistory
from gateway.rulebook.proposing import LOOKED_BACK, MOST_SAMPLES, Missed, propose_test
from rules.authoring.rule_tests import read_cases, run_case
from rules.schema import parse_rules
from rules.transition import AlertState
from tests.gateway.making import FREEZER
from tests.gateway.web_visit import visit

REPORTED_AT = datetime(2026, 3, 2, 14, 20, tzinfo=UTC)
MISSED = Missed(57, "Ice on the back wall: thick", "f1", "freezer", REPORTED_AT)
RULE = """
rules:
  - id: the-rule-to-be-written
    kind: condition
    profile: freezer
    when: temperature > -12
    for: 10m
"""


def minutes_before(minutes: float) -> datetime:
    return REPORTED_AT - timedelta(minutes=minutes)


async def proposed(folder: Path, samples: list[Sample]) -> str:
    history = await EmbeddedHistory.open(folder / "history.sqlite", 10**8)
    try:
        await history.write(samples)
        return await propose_test(history, MISSED)
    finally:
        await history.close()


async def test_a_rule_that_would_have_seen_it_is_tried_on_what_was_said(tmp_path: Path) -> None:
    samples = [Sample("f1", minutes_before(m), {"temperature": -8.0 if m <= 60 else -18.0}) for m in range(180, 0, -5)]
    text = await proposed(tmp_path, samples)
    [(case, line)] = read_cases(load_yaml(text, "case-57.yaml"))
    assert case.name == "Case 57: Ice on the back wall: thick"
    ruleset, profiles = parse_rules(RULE, "rules.yaml"), {"freezer": FREEZER}
    wrong = run_case(case, line, ruleset, profiles)
    # It begins to fire fifty minutes before anybody called; the time in the file is theirs to correct.
    assert wrong.failures == ("firing: expected 6h, was 5h10m",)
    corrected = case.model_copy(update={"expect": {AlertState.FIRING: (timedelta(minutes=310),)}})
    assert run_case(corrected, line, ruleset, profiles).failures == ()


async def test_a_device_that_speaks_every_second_makes_no_huge_file(tmp_path: Path) -> None:
    seconds = range(int(LOOKED_BACK.total_seconds()), 0, -1)
    samples = [Sample("f1", REPORTED_AT - timedelta(seconds=s), {"temperature": -18.0 - s % 7}) for s in seconds]
    [(case, _)] = read_cases(load_yaml(await proposed(tmp_path, samples), "case-57.yaml"))
    assert len(case.given) == MOST_SAMPLES


async def test_without_a_record_the_file_says_so(tmp_path: Path) -> None:
    text = await proposed(tmp_path, [])
    assert "nothing was recorded" in text
    [(case, _)] = read_cases(load_yaml(text, "case-57.yaml"))
    assert case.given == ()


@pytest.mark.parametrize("missed", [True, False])
async def test_the_case_of_a_missed_fault_offers_it_and_others_do_not(tmp_path: Path, missed: bool) -> None:
    async with visit(tmp_path) as web:
        sent = {"device_id": "f-lumen", "title": "Ice on the back wall", **({"missed": "1"} if missed else {})}
        answer = await web.script("/cases", sent)
        case = (await answer.json())["case"]
        path = f"/cases/{case}/rule-test.yaml"
        assert (path in await web.page(f"/cases/{case}")) is missed
        file = await web.get(path)
        assert file.status == (200 if missed else 404)
        if missed:
            assert "Ice on the back wall" in await file.text()
            assert file.headers["Content-Disposition"] == f'attachment; filename="case-{case}.yaml"'
