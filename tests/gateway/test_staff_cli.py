"""``gateway staff``: what a file says is kept, and what is kept reads back as such a file."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gateway.cli import app
from gateway.commands import SaveUser
from gateway.commands.staff import SavePolicy
from gateway.config import Config
from gateway.control import submit_command
from gateway.staff.sla import Pause, Policy

FILE = """
hours:
  - {name: Berlin, hours: "Mo-Fr 09:00-17:00", zone: Europe/Berlin, place: DE-BE, closed_on: [2026-12-24]}
teams:
  - {name: Berlin, position: 1, hours: Berlin, regions: [DE], assigns: yes,
     members: [{name: mia, languages: [de], at_most: 20}]}
levels:
  - {name: gold, position: 1, hours: "@team", first_response: 30m, tiers: [gold], pauses: [customer]}
rotas:
  - {name: night, zone: Europe/Berlin, ack_within: 5m, alarms: yes,
     lines: [{level: 1, hours: 24/7, people: [mia], since: 2026-01-05}]}
"""


def run(*words: str) -> str:
    done = CliRunner().invoke(app, ["staff", *words])
    return f"{done.exit_code} {done.output}"


def test_what_a_file_says_is_kept_and_reads_back_as_such_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "staff.yaml"
    file.write_text(FILE, encoding="utf-8")
    submit_command(Config(), SaveUser("mia", "hash", "agent", "test"))
    assert run("set", "staff.yaml", "--dry-run").startswith("0 hours Berlin: read")
    assert yaml.safe_load(run("show")[2:])["teams"] == []
    assert run("set", "staff.yaml").splitlines()[-1] == "rotas night: kept"
    written = run("show")[2:]
    told = yaml.safe_load(written)
    assert told["hours"][0]["closed_on"] == ["2026-12-24"]
    assert told["teams"][0]["members"] == [{"name": "mia", "languages": ["de"], "at_most": 20}]
    assert (told["levels"][0]["first_response"], told["levels"][0]["pauses"]) == ("30m", ["customer"])
    assert told["rotas"][0]["lines"][0]["since"] == "2026-01-05"
    file.write_text(written, encoding="utf-8")
    assert run("set", "staff.yaml").startswith("0 ")
    assert run("show")[2:] == written
    for wrong, said in (
        ("levels: [{name: x, first_response: soon}]", "levels, x: first_response"),
        ("teams: [{name: Night, members: [{name: nobody}]}]", "there is no user 'nobody'"),
        ("people: []", "holds hours, teams, levels, rotas"),
        ("hours: {", "is no YAML"),
    ):
        file.write_text(wrong, encoding="utf-8")
        answer = " ".join(run("set", "staff.yaml").split())
        assert answer.startswith("1 "), answer
        assert said in answer


def test_a_service_level_reaches_a_gateway_that_runs_as_it_was_written() -> None:
    from gateway.control import _KINDS

    command = SavePolicy(Policy("gold", {}, pauses=frozenset({Pause.CUSTOMER})), 1, "test")
    kind = _KINDS["SavePolicy"]
    assert kind.validate_python(kind.dump_python(command, mode="json")) == command
