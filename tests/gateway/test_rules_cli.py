"""``gateway rules`` as a support lead uses it."""

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from gateway.cli.rules import app
from gateway.config import load_config
from gateway.store import schema
from gateway.store.store import Store

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


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_spreadsheet_with_semicolons_or_tabs_and_decimal_commas_is_read(rule_file: Path, separator: str) -> None:
    plain, local = rule_file.parent / "plain.csv", rule_file.parent / "local.csv"
    rows = [f"2026-03-01 08:{minute:02},{-18 + minute % 20}.5,note {minute}" for minute in range(60)]
    plain.write_text("\n".join(["time,temperature,note", *rows]) + "\n", "utf-8")
    there = [row.replace(",", separator).replace(".5", ",5") for row in ["time,temperature,note", *rows]]
    local.write_text("\ufeff" + "\r\n".join(there) + "\r\n", "utf-8")
    found = [run("backtest", rule_file, "--csv", file).stdout.replace(file.stem, "") for file in (plain, local)]
    assert found[0] == found[1] != ""


def test_a_table_in_another_encoding_is_named(rule_file: Path) -> None:
    table = rule_file.parent / "cellar.csv"
    for number in (0, 3000):
        table.write_bytes(b"time,temperature\n" + b"2026-03-01 08:00,4\n" * number + b"2026-03-01 08:00,k\xfchl\n")
        result = run("backtest", rule_file, "--csv", table)
        assert (result.exit_code, "cellar.csv: is no UTF-8; save it in that encoding" in result.stderr) == (1, True)


def test_an_override_for_a_device_that_the_store_has_not_is_a_warning(rule_file: Path) -> None:
    folder = rule_file.parent
    rule_file.write_text(RULE.replace("for: 10m", "for: 10m\n    overrides: [{device: freezer-71, for: 1h}]"), "utf-8")
    config = folder / "gateway.toml"
    config.write_text(f"data_dir = '{folder}'\n", "utf-8")
    assert run("check", rule_file, "-c", config).stdout == ""
    store = Store(load_config(config).store_url)
    with store.write() as connection:
        connection.execute(sa.insert(schema.devices).values(id="freezer-7", profile="freezer"))
    store.close()
    result = run("check", rule_file, "-c", config)
    message = "rules.0.overrides.0.device: there is no device 'freezer-71' so far; did you mean 'freezer-7'?"
    assert (result.exit_code, result.stdout) == (0, f"{rule_file}:7:26: {message} (a warning)\n")


def test_a_store_that_cannot_be_read_is_said_and_fails_no_check(rule_file: Path) -> None:
    rule_file.write_text(RULE.replace("for: 10m", "for: 10m\n    overrides: [{device: freezer-71, for: 1h}]"), "utf-8")
    config = rule_file.parent / "gateway.toml"
    (rule_file.parent / "gateway.db").write_text("no database", "utf-8")
    config.write_text(f"[store]\nurl = 'sqlite:///{rule_file.parent}/gateway.db'\n", "utf-8")
    result = run("check", rule_file, "-c", config)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "the store cannot be read" in result.stderr


def test_a_file_in_another_encoding_is_named_with_its_place(rule_file: Path) -> None:
    rule_file.write_bytes("# Gefrierschrank\nrules: []  # kühl\n".encode("latin-1"))
    result = run("check", rule_file)
    assert (result.exit_code, result.stdout) == (1, f"{rule_file}:2:15: is no UTF-8; save the file in that encoding\n")


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


@pytest.mark.parametrize("name", ["cellar.csv", "cellar", "realKnownCause/cellar.csv"])
def test_labels_give_precision_and_recall(rule_file: Path, csv_file: Path, tmp_path: Path, name: str) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps({name: [["2026-03-01 08:05:00", "2026-03-01 08:40:00"]]}), "utf-8")
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


def test_two_rule_sets_stand_side_by_side(rule_file: Path, csv_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "stricter" / "other.yaml"
    other.parent.mkdir()
    other.write_text(RULE.replace("for: 10m", "for: 20m"), "utf-8")
    result = run("backtest", rule_file, "--csv", csv_file, "--compare", other)
    assert result.exit_code == 0, result.stderr
    assert len(result.stdout.splitlines()) == 6
    said = [line.split() for line in result.stderr.splitlines()]
    assert ["rules.yaml", "other.yaml"] in said
    assert ["alerts", "2", "0"] in said


def test_a_plot_shows_series_alerts_and_labelled_windows(rule_file: Path, csv_file: Path, tmp_path: Path) -> None:
    labels, plot = tmp_path / "labels.json", tmp_path / "plot.svg"
    labels.write_text(json.dumps({"cellar.csv": [["2026-03-01 08:05:00", "2026-03-01 08:40:00"]]}), "utf-8")
    result = run("backtest", rule_file, "--csv", csv_file, "--labels", labels, "--plot", plot)
    assert result.exit_code == 0, result.stderr
    titles = re.findall("<title>([^<]*)</title>", plot.read_text("utf-8"))
    assert sum(title.startswith("firing") for title in titles) == 2
    assert sum(title.startswith("labelled") for title in titles) == 1
    assert sum(title.endswith("too-warm fires") for title in titles) == 2
    assert "var(" not in plot.read_text("utf-8")


def test_labels_of_a_table_of_several_devices_go_by_device(rule_file: Path, tmp_path: Path) -> None:
    rows = [
        f"{name},2026-03-01T08:{minute:02}:00Z,{-5 if minute >= 10 else -18}" for minute in range(40) for name in "ab"
    ]
    table, labels = tmp_path / "fleet.csv", tmp_path / "labels.json"
    table.write_text("device_id,time,temperature\n" + "\n".join(rows) + "\n", "utf-8")
    labels.write_text(json.dumps({"a": [["2026-03-01T08:10:00Z", "2026-03-01T08:30:00Z"]]}), "utf-8")
    result = run("backtest", rule_file, "--csv", table, "--labels", labels)
    said = dict(line.split(maxsplit=1) for line in result.stderr.splitlines())
    assert (said["precision"], said["recall"], said["p50_delay_s"]) == ("0.5", "1.0", "600.0")


NEAR = "rules: [{id: near, kind: proximity, profile: phone, purpose: offer}]\n"
SHOPS = "id,name,latitude,longitude,radius_m\nmitte,Mitte,52.5163,13.3777,150\n"
TRACK = "device_id,time,lat,lon,acc\n" + "".join(
    f"anna,2026-03-01T10:{second // 60:02}:{second % 60:02}Z,{52.5263 - min(second, 900) / 900 * 0.01:.6f},13.3777,5\n"
    for second in range(0, 1500, 10)
)


@pytest.fixture
def walk(tmp_path: Path) -> list[Path]:
    files = [tmp_path / "near.yaml", tmp_path / "track.csv", tmp_path / "shops.csv"]
    for path, text in zip(files, (NEAR, TRACK, SHOPS), strict=True):
        path.write_text(text, "utf-8")
    return files


def test_a_track_past_a_shop_tells_the_offer_there_would_have_been(walk: list[Path]) -> None:
    rules, track, shops = walk
    result = run("backtest", rules, "--tracks", track, "--shops", shops)
    assert result.exit_code == 0, result.stderr
    (line,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (line["rule"], line["device_id"], line["state"]) == ("near", "anna", "firing")
    assert (line["explanation"]["shop_id"], line["explanation"]["reason"]) == ("mitte", "sent")
    assert line["at"] > "2026-03-01T10:12"
    assert "offers  1" in result.stderr


def test_a_track_without_positions_and_shops_without_names_are_refused(walk: list[Path]) -> None:
    rules, track, shops = walk
    shops.write_text("id,latitude,longitude\nmitte,95,13\n", "utf-8")
    result = run("backtest", rules, "--tracks", track, "--shops", shops)
    assert result.exit_code == 1
    assert "shops.csv:1:1: name: is required" in result.stderr
    track.write_text("time,lat\n2026-03-01,52\n", "utf-8")
    result = run("backtest", rules, "--tracks", track)
    assert "a track has the columns device_id,time,lat,lon[,acc]" in result.stderr.replace("\n", " ")


def test_there_must_be_something_to_run_over(rule_file: Path) -> None:
    result = run("backtest", rule_file)
    assert result.exit_code == 1
    assert "--since 30d" in result.stderr


def test_what_is_probably_not_meant_is_a_warning_and_no_mistake(rule_file: Path) -> None:
    rule_file.write_text(RULE.replace("temperature < -15", "temperature < -10"), "utf-8")
    result = run("check", rule_file)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{rule_file}:7:17: rules.0.clear_when: holds while 'when' does")


def test_the_schema_for_editors_is_printed() -> None:
    result = run("schema")
    assert json.loads(result.stdout)["properties"]["rules"]["type"] == "array"
