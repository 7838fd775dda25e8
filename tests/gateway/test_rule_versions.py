"""Which rules are in force, who put them there, what that did to open alerts, and the way back."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.rules import app
from gateway.commands import CommandRefused, PutFilesLive, PutRulesLive, RollBackRules
from gateway.config import load_config
from gateway.rulebook.files import load_profiles
from gateway.rulebook.versions import detector_at_start, live_at, live_versions, rules_as_written, ruleset_of
from gateway.store import schema
from gateway.store.rule_sets import rule_sets
from gateway.store.store import Store
from rules.detect import Detector
from rules.schema import merge_rules, parse_rules
from tests.gateway.making import FREEZER, T0, TOO_WARM, Gateway, gateway

LONGER = TOO_WARM.replace("for: 10m", "for: 20m")
WARMER = TOO_WARM.replace("temperature > -12", "temperature > -10")
OTHER = TOO_WARM.replace("freezer-too-warm", "another")


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as made:
        yield made


def put_live(running: Gateway, text: str, by: str = "anna") -> dict[str, dict[str, object]]:
    result = running.submit(PutFilesLive(((text, "rules.yaml"),), by))
    return {rule["rule"]: rule for rule in result["rules"]}


def state_of_rule(running: Gateway) -> list[str]:
    return [row["state"] for row in running.rows(schema.transitions)]


def test_a_longer_wait_keeps_what_fires(running: Gateway) -> None:
    for minute, celsius in ((0, -18), (5, -5), (10, -5), (16, -5)):
        running.temperature(celsius, minute)
    rule = put_live(running, LONGER)["freezer-too-warm"]
    assert (rule["change"], rule["kept"], rule["reset"], rule["closed"]) == ("changed", 1, 0, 0)
    assert rule["fields"] == {"for": ["10m", "20m"]}
    assert [row["state"] for row in running.rows(schema.cases)] == ["open"]


def test_another_meaning_takes_back_what_is_pending(running: Gateway) -> None:
    running.temperature(-18, 0)
    running.temperature(-5, 6)
    rule = put_live(running, WARMER)["freezer-too-warm"]
    assert (rule["kept"], rule["reset"], rule["closed"], rule["why"]) == (0, 1, 0, ["edited"])
    assert state_of_rule(running) == ["pending", "inactive"]


def test_a_rule_that_is_gone_closes_its_case_and_says_so(running: Gateway) -> None:
    for minute, celsius in ((0, -18), (5, -5), (10, -5), (16, -5)):
        running.temperature(celsius, minute)
    rules = put_live(running, OTHER)
    assert (rules["freezer-too-warm"]["change"], rules["freezer-too-warm"]["closed"]) == ("removed", 1)
    assert rules["freezer-too-warm"]["why"] == ["rule_removed"]
    assert rules["another"]["change"] == "added"
    assert [row["state"] for row in running.rows(schema.cases)] == ["resolved"]


def test_who_put_what_live_is_written_down_with_what_was_there_before(running: Gateway) -> None:
    put_live(running, LONGER, "anna")
    put_live(running, WARMER, "ben")
    with running.store.read() as connection:
        found = live_versions(connection)
    assert [(version.who, version.origin) for version in found] == [
        ("ben", "command"),
        ("anna", "command"),
        ("files", "files"),
    ]
    assert [version.version for version in found] == [
        parse_rules(text, "f").version for text in (WARMER, LONGER, TOO_WARM)
    ]
    audited = running.rows(schema.audit, action="rules.put_live")
    assert [row["who"] for row in audited] == ["anna", "ben"]


def test_rolling_back_puts_the_rules_before_in_force_again(running: Gateway) -> None:
    put_live(running, LONGER)
    running.submit(RollBackRules(None, "ben"))
    assert running.committer.detector.ruleset.version == parse_rules(TOO_WARM, "f").version
    running.submit(RollBackRules(parse_rules(LONGER, "f").version[:6], "ben"))
    assert running.committer.detector.ruleset.version == parse_rules(LONGER, "f").version


def test_there_is_no_way_back_to_what_never_was(running: Gateway) -> None:
    with pytest.raises(CommandRefused, match="no rule set was put live yet"):
        running.submit(RollBackRules(None, "ben"))
    put_live(running, LONGER)
    with pytest.raises(CommandRefused, match="there is no version 123"):
        running.submit(RollBackRules("123", "ben"))


def test_a_wrong_file_changes_nothing(running: Gateway) -> None:
    with pytest.raises(CommandRefused, match=r"rules.yaml:6:11: rules.0.when: .*did you mean 'temperature'"):
        put_live(running, TOO_WARM.replace("temperature > -12", "temprature > -12"))
    assert running.rows(rule_sets) == []
    assert running.committer.detector.ruleset.version == parse_rules(TOO_WARM, "f").version


def test_the_same_files_once_more_are_no_new_version(running: Gateway) -> None:
    profiles = {FREEZER.name: FREEZER}
    for by in ("start", "files", "files"):
        running.submit(PutRulesLive(Detector(merge_rules([(LONGER, "rules.yaml")]), profiles), by))
    assert len(running.rows(rule_sets)) == 1


def test_what_was_in_force_at_a_time_is_known(running: Gateway) -> None:
    running.temperature(-18, 0)
    put_live(running, LONGER)
    running.temperature(-18, 60)
    put_live(running, WARMER)
    with running.store.read() as connection:
        assert live_at(connection, T0.replace(year=2020)) is None
        found = live_at(connection, T0.replace(minute=30))
    assert found is not None
    assert found.version == parse_rules(LONGER, "f").version


def test_every_rule_that_comes_with_the_product_is_kept_as_it_is() -> None:
    files = Path(str(resources.files("rules") / "examples")).glob("*.yaml")
    ruleset = merge_rules((path.read_text("utf-8"), path.name) for path in files)
    assert ruleset_of(rules_as_written(ruleset)).version == ruleset.version


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "freezer.yaml").write_text(TOO_WARM, "utf-8")
    path = tmp_path / "gateway.toml"
    path.write_text(
        f'data_dir = "{tmp_path / "data"}"\n[rules]\nbuiltin = false\npaths = ["{tmp_path / "rules"}"]\n', "utf-8"
    )
    return path


def run(installation: Path, *args: object) -> Result:
    return CliRunner().invoke(app, [*(str(arg) for arg in args), "-c", str(installation)])


def at_start(installation: Path) -> str:
    config = load_config(installation)
    store = Store(config.store_url)
    try:
        return detector_at_start(store, config, load_profiles(config), ()).ruleset.version
    finally:
        store.close()


def test_what_a_command_put_live_stays_over_a_restart_until_the_files_change(installation: Path) -> None:
    longer = installation.parent / "longer.yaml"
    longer.write_text(LONGER, "utf-8")
    result = run(installation, "put-live", longer, "--by", "anna")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "freezer-too-warm: changed; no open alerts\n    for: 10m → 20m\n"
    assert at_start(installation) == parse_rules(LONGER, "f").version
    (installation.parent / "rules" / "freezer.yaml").write_text(WARMER, "utf-8")
    assert at_start(installation) == parse_rules(WARMER, "f").version


def test_a_dry_run_says_what_going_live_would_do_and_does_nothing(installation: Path) -> None:
    longer = installation.parent / "longer.yaml"
    longer.write_text(LONGER, "utf-8")
    assert "cannot open" in run(installation, "put-live", longer, "--dry-run").stderr
    run(installation, "put-live")
    result = run(installation, "put-live", longer, "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "freezer-too-warm: changed; no open alerts\n    for: 10m → 20m\n"
    assert "nothing was changed" in result.stderr
    assert len(run(installation, "versions").stdout.splitlines()) == 1
    assert at_start(installation) == parse_rules(TOO_WARM, "f").version


def test_the_configured_files_are_put_live_by_naming_none(installation: Path) -> None:
    longer = installation.parent / "longer.yaml"
    longer.write_text(LONGER, "utf-8")
    run(installation, "put-live", longer)
    result = run(installation, "put-live", "--by", "ben")
    assert result.exit_code == 0, result.stderr
    assert at_start(installation) == parse_rules(TOO_WARM, "f").version
    listed = run(installation, "versions").stdout.splitlines()
    assert next(line.split()[3:4] + line.split()[-1:] for line in listed) == ["files", "ben"]


def test_versions_are_listed_compared_and_rolled_back_from_the_command_line(installation: Path) -> None:
    longer = installation.parent / "longer.yaml"
    longer.write_text(LONGER, "utf-8")
    run(installation, "put-live", longer)
    assert run(installation, "diff").stdout == "~ freezer-too-warm\n    for: 10m → 20m\n"
    assert run(installation, "roll-back").stdout.splitlines()[1] == "    for: 20m → 10m"
    assert len(run(installation, "versions").stdout.splitlines()) == 3
    result = run(installation, "roll-back", "ffff")
    assert result.exit_code == 1
    assert "there is no version ffff" in result.stderr
