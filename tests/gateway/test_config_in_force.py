"""The configuration in force: each setting with who says so, and no secret."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.config import app
from gateway.config import Config, load_config
from gateway.settings.in_force import HIDDEN, Setting
from tests.gateway.web_visit import visit

FILE = """\
data_dir = "data"
[web]
listen = "127.0.0.1:8090"
[store]
url = "postgresql://gateway:hunter2@db/gateway"
[notifiers]
mode = "auto"
[notifiers.email]
url = "smtp://me:hunter2@mail"
sender = "Acme <a@acme.example>"
[[relay]]
url = "mqtts://broker?token=hunter2"
username = "u"
password = "hunter2"
client_id = "r"
topics = ["a/#"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(FILE, "utf-8")
    return path


def settings(file: Path, **environ: str) -> dict[str, Setting]:
    return {setting.name: setting for setting in load_config(file, environ).in_force}


def test_each_setting_names_its_line_its_variable_or_neither(file: Path) -> None:
    found = settings(file, GATEWAY_NOTIFIERS__MODE="off")
    assert (found["web.listen"].value, found["web.listen"].where) == ("127.0.0.1:8090", "gateway.toml:3")
    assert (found["notifiers.mode"].source, found["notifiers.mode"].where) == ("environment", "GATEWAY_NOTIFIERS__MODE")
    assert found["notifiers.mode"].value == "off"
    assert (found["cases.storm_within"].source, found["cases.storm_within"].where) == ("default", "")
    assert (found["relay.0.client_id"].value, found["relay.0.client_id"].where) == ("r", "gateway.toml:15")
    assert found["data_dir"].value == str(file.parent / "data")


def test_no_secret_is_shown_wherever_it_stands(file: Path) -> None:
    found = settings(file, GATEWAY_HISTORY__TOKEN="hunter2")
    assert "hunter2" not in json.dumps([setting.as_dict() for setting in found.values()])
    assert found["relay.0.password"].value == found["notifiers.email.url"].value == HIDDEN
    assert found["store.url"].value == f"postgresql://gateway:{HIDDEN}@db/gateway"
    assert found["history.token"].value == HIDDEN


def test_a_configuration_that_was_read_from_nowhere_is_all_defaults() -> None:
    assert {setting.source for setting in Config().in_force} == {"default"}
    json.dumps([setting.as_dict() for setting in Config().in_force])


def test_the_command_prints_what_is_set_and_where(file: Path) -> None:
    result = CliRunner().invoke(app, ["show", "--changed", "-c", str(file)])
    assert result.exit_code == 0, result.output
    assert 'web.listen = "127.0.0.1:8090"  # gateway.toml:3' in result.stdout.splitlines()
    assert "cases." not in result.stdout
    lines = CliRunner().invoke(app, ["show", "--json", "-c", str(file)]).stdout.splitlines()
    assert json.loads(lines[0]).keys() == {"name", "value", "source", "where"}


async def test_admins_see_it_in_the_console_and_others_do_not(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        assert "notifiers.twilio.token" in await web.page("/admin/configuration?all=1")
        told = await (await web.api("GET", "/api/configuration")).json()
        token = next(item for item in told["items"] if item["name"] == "notifiers.twilio.token")
        assert token["value"] == HIDDEN
        assert (await web.api("GET", "/api/configuration", "lead")).status == 403
