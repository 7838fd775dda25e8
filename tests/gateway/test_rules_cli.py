"""``gateway rules`` as a support lead uses it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.rules import app

RULE = """\
rules:
  - id: too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    for: 10m
    clear_when: temperature < -15
tests:
  - name: warm
    rule: too-warm
    given: [{at: 0m, until: 20m, every: 5m, values: {temperature: -5}}]
    expect: {firing: [10m]}
"""
VALUES = [-18, -18, -11, -11, -11, -11, -18, -18, "", -18, -5, -5, -5, -5, -18]
CSV = "time,value\n" + "".join(
    f"2026-03-01 {8 + i // 12:02}:{i % 12 * 5:02}:00,{value}\n" for i, value in enumerate(VALUES)
)


@pytest.fixture
def rule_file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.yaml"
    path.write_text(RULE, "utf-8")
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_right_rules_are_counted(rule_file: Path) -> None:
    result = run("check", rule_file)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 rules are right (condition)" in result.stderr


def test_wrong_rules_are_named_by_place_and_leave_status_1(rule_file: Path) -> None:
    rule_file.write_text(RULE.replace("temperature > -12", "temprature > -12"), "utf-8")
    result = run("check", rule_file)
    assert result.exit_code == 1
    message = "rules.0.when: the profile 'freezer' has no field 'temprature'; did you mean 'temperature'?"
    assert result.stdout == f"{rule_file}:5:11: {message}\n"


def test_rules_in_several_files_of_a_folder_are_checked_together(rule_file: Path) -> None:
    (rule_file.parent / "twice.yaml").write_text(RULE, "utf-8")
    result = run("check", rule_file.parent)
    assert result.exit_code == 1
    assert f"'too-warm' is already the id of the rule at {rule_file}:2:9" in result.stdout


def test_cases_pass_or_say_what_was_so(rule_file: Path) -> None:
    assert run("test", rule_file).exit_code == 0
    rule_file.write_text(RULE.replace("firing: [10m]", "firing: [5m]"), "utf-8")
    result = run("test", rule_file)
    assert result.exit_code == 1
    assert result.stdout == f"{rule_file}:9: warm: firing: expected 5m, was 10m\n"


def test_cases_may_stand_in_a_file_of_their_own(rule_file: Path) -> None:
    cases = rule_file.parent / "cases" / "warm.yaml"
    cases.parent.mkdir()
    cases.write_text("rule_files: [../rules.yaml]\n" + RULE[RULE.index("tests:") :], "utf-8")
    assert run("test", cases).exit_code == 0


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    path = tmp_path / "cellar.csv"
    path.write_text(CSV, "utf-8")
    return path


def test_a_backtest_prints_one_alert_a_line_and_a_summary_beside_it(rule_file: Path, csv_file: Path) -> None:
    result = run("backtest", rule_file, "--csv", csv_file, "--map", "value=temperature")
    assert result.exit_code == 0, result.stderr
    alerts = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(alert["device_id"], alert["state"], alert["at"][11:16]) for alert in alerts] == [
        ("cellar", "pending", "08:10"),
        ("cellar", "firing", "08:20"),
        ("cellar", "resolved", "08:30"),
        ("cellar", "pending", "08:50"),
        ("cellar", "firing", "09:00"),
        ("cellar", "resolved", "09:10"),
    ]
    assert alerts[0]["rule"] == "too-warm"
    assert alerts[1]["explanation"]["limit"] == -12.0
    assert '"alerts": 2, "cases": 1, "devices": 1' in result.stderr


def test_the_only_column_is_taken_for_the_only_field_and_says_so(rule_file: Path, csv_file: Path) -> None:
    result = run("backtest", rule_file, "--csv", csv_file)
    assert len(result.stdout.splitlines()) == 6
    assert "column 'value' is taken for temperature" in result.stderr


def test_labels_give_precision_and_recall(rule_file: Path, csv_file: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({"cellar.csv": [["2026-03-01 08:05:00", "2026-03-01 08:40:00"]]}), "utf-8")
    result = run("backtest", rule_file, "--csv", csv_file, "--labels", labels)
    said = dict(line.split(maxsplit=1) for line in result.stderr.splitlines() if not line.startswith("cellar"))
    assert (said["precision"], said["recall"], said["p50_delay_s"]) == ("0.5", "1.0", "900.0")


def test_sparse_data_is_judged_at_its_own_pace(rule_file: Path, tmp_path: Path) -> None:
    hourly = tmp_path / "hourly.csv"
    hourly.write_text(
        "time,temperature\n" + "".join(f"2026-03-01T{h:02}:00:00Z,{-18 + h}\n" for h in range(12)), "utf-8"
    )
    rule_file.write_text(RULE.replace("10m", "2h"), "utf-8")
    result = run("backtest", rule_file, "--csv", hourly)
    assert [json.loads(line)["state"] for line in result.stdout.splitlines()] == ["pending", "firing"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,value\n", "has no rows below its header"),
        ("a,b\n1,2\n", "holds a time; name it with --time-column"),
        ("time,value\n2026-03-01,1\nyesterday,2\n", ":3: 'yesterday' is no time"),
        ("time,value\n2026-03-01,1\n2026-03-02\n", ":3: has 1 columns, fewer than the header"),
    ],
)
def test_a_table_that_cannot_be_used_says_what_to_change(
    rule_file: Path, csv_file: Path, text: str, message: str
) -> None:
    csv_file.write_text(text, "utf-8")
    result = run("backtest", rule_file, "--csv", csv_file)
    assert result.exit_code == 1
    assert message in result.stderr.replace("\n", "")


def test_a_profile_that_is_not_there_is_named(rule_file: Path, csv_file: Path) -> None:
    result = run("backtest", rule_file, "--csv", csv_file, "--profile", "frezer")
    assert result.exit_code == 1
    assert "there is no profile 'frezer'" in result.stderr
