"""What an operator is told when the gateway cannot start: a sentence that names the setting, never a traceback."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from device_models.yaml_lines import InvalidFileError
from gateway.cli import app
from gateway.config import ConfigError, load_config
from gateway.rulebook.files import load_profiles, load_rules
from tests.servers import free_port


def run(folder: Path, command: str, settings: str) -> Result:
    """Run a command on a configuration of its own ports."""
    config = folder / "gateway.toml"
    head = f'broker.listen = "127.0.0.1:{free_port()}"\nweb.listen = "127.0.0.1:{free_port()}"\n'
    config.write_text(head + settings, encoding="utf-8")
    return CliRunner().invoke(app, [command, "-c", str(config)])


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_section_in_brackets_is_named_as_the_file_has_it(tmp_path: Path, command: str) -> None:
    """Rich reads ``[decoders.tasmto]`` as a style and shows nothing of it."""
    result = run(tmp_path, command, '[decoders.tasmto]\ntopics = ["tele/#"]\n')
    assert result.exit_code == 1
    assert "[decoders.tasmto]: no such decoder is installed" in result.output


@pytest.mark.parametrize("url", ["mysql://me:hunter2@db/gateway", "hunter2"])
def test_a_store_of_another_kind_is_refused_without_showing_its_address(tmp_path: Path, url: str) -> None:
    result = run(tmp_path, "doctor", f'[store]\nurl = "{url}"\n')
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "gateway.toml:4: store.url: write it like sqlite:///" in result.output
    assert "hunter2" not in result.output


def test_a_byte_order_mark_is_no_mistake_and_a_text_is_no_list(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('rules.paths = "rules"\n', encoding="utf-8-sig")
    with pytest.raises(ConfigError, match=r"gateway\.toml:1: rules\.paths: is no list"):
        load_config(config, {})


@pytest.mark.parametrize("arguments", [["", "--password", "long enough"], ["ada", "--password", "short"]])
def test_a_user_without_name_or_with_a_short_password_is_refused(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["users", "add", *arguments]).exit_code == 2


def test_watching_where_no_broker_listens_says_where(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["watch", "--broker", f"mqtt://127.0.0.1:{free_port()}"])
    assert result.exit_code == 1
    assert "no broker answers at 127.0.0.1:" in result.output


@pytest.mark.parametrize("setting", ["rules", "profiles"])
def test_a_file_that_is_not_there_refuses_the_start_and_is_named(tmp_path: Path, setting: str) -> None:
    result = run(tmp_path, "run", f'[{setting}]\npaths = ["gone.yaml"]\n')
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "gone.yaml" in result.output
    assert "cannot be read" in result.output


def test_a_data_dir_that_cannot_be_made_refuses_the_start_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = run(tmp_path, "run", 'data_dir = "file/data"\n')
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "data_dir: " in result.output
    assert "cannot be written" in result.output


def test_a_file_that_is_no_utf_8_is_refused_where_it_goes_wrong(tmp_path: Path) -> None:
    """A rule file saved in another encoding while the gateway runs keeps the rules before it, and ends nothing."""
    (tmp_path / "latin.yaml").write_bytes("rules:\n  - id: k\u00fchl\n".encode("latin-1"))
    (tmp_path / "gateway.toml").write_text(
        '[rules]\npaths = ["latin.yaml"]\n[profiles]\npaths = ["latin.yaml"]\n', encoding="utf-8"
    )
    config = load_config(tmp_path / "gateway.toml", {})
    checked = CliRunner().invoke(app, ["rules", "check", str(tmp_path / "latin.yaml")])
    assert (checked.exit_code, type(checked.exception)) == (1, SystemExit)
    assert "latin.yaml:2:10: is no UTF-8" in checked.output
    for load in (load_rules, load_profiles):
        with pytest.raises(InvalidFileError, match=r"latin\.yaml:2:10: is no UTF-8"):
            load(config)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ('url = "http://broker.example"', "relay.url: http://broker.example is not of the form mqtts://host:8883"),
        ('url = "mqtt://broker.example"\ntopics = ["a/#/b"]', "relay.topics: 'a/#/b'"),
    ],
)
def test_doctor_names_what_a_relay_would_refuse(tmp_path: Path, setting: str, told: str) -> None:
    result = run(tmp_path, "doctor", f"[[relay]]\n{setting}\n")
    assert result.exit_code == 1
    assert told in result.output


def test_a_port_beyond_the_last_is_refused_before_the_demo_starts() -> None:
    result = CliRunner().invoke(app, ["demo", "--port", "99999"])
    assert (result.exit_code, type(result.exception)) == (2, SystemExit)


def test_a_configuration_that_is_no_utf_8_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_bytes('brand.name = "Kühl"\n'.encode("latin-1"))
    result = CliRunner().invoke(app, ["doctor", "-c", str(tmp_path / "gateway.toml")])
    assert (result.exit_code, type(result.exception)) == (1, SystemExit)
    assert "is no UTF-8" in result.output
