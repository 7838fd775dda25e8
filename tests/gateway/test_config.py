"""The configuration: defaults, mistakes named with file and line, the environment on top."""

from pathlib import Path
from typing import Any

import pytest
import typer

from gateway.cli import app
from gateway.config import Config, ConfigError, load_config, parse_size


def write(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold() -> None:
    assert load_config(None, {}) == Config()


def test_a_mistake_is_named_with_its_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, 'data_dir = "d"\n\n[web]\nlisten = "nonsense"\n')
    with pytest.raises(ConfigError, match=rf"{path}:4: web.listen: 'nonsense' is not of the form"):
        load_config(path, {})


def test_a_mistake_in_the_second_of_two_relays_names_its_own_line(tmp_path: Path) -> None:
    path = write(tmp_path, '[[relay]]\nurl = "mqtt://a"\n[[relay]]\nurl = "mqtt://b"\nqos = 2\n')
    with pytest.raises(ConfigError, match=r"gateway.toml:5: relay.1.qos: there is no such setting"):
        load_config(path, {})


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, '[notifiers]\nmode = "maybe"\n[log]\nlevel = "loud"\n')
    with pytest.raises(ConfigError) as raised:
        load_config(path, {})
    assert len(str(raised.value).splitlines()) == 2


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[store]\nurl = "sqlite:///a"\n')
    config = load_config(path, {"GATEWAY_STORE__URL": "postgresql://db/gateway", "UNRELATED": "x"})
    assert config.store_url == "postgresql://db/gateway"


def test_a_list_in_the_environment_is_written_as_in_the_file() -> None:
    assert load_config(None, {"GATEWAY_NOTIFIERS__CHANNELS": '["sms", "email"]'}).notifiers.channels == ("sms", "email")


def test_a_mistake_in_the_environment_names_the_variable() -> None:
    with pytest.raises(ConfigError, match="environment GATEWAY_LOG__LEVEL:"):
        load_config(None, {"GATEWAY_LOG__LEVEL": "loud"})


def test_a_variable_that_names_no_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="GATEWAY_LGO__LEVEL names no setting"):
        load_config(None, {"GATEWAY_LGO__LEVEL": "info"})


def test_relative_paths_are_meant_from_the_files_own_folder(tmp_path: Path) -> None:
    path = write(tmp_path, 'data_dir = "here"\n[rules]\npaths = ["mine.yaml"]\n')
    config = load_config(path, {})
    assert config.data_dir == tmp_path / "here"
    assert config.rules.paths == (tmp_path / "mine.yaml",)


def test_secrets_stay_out_of_the_configurations_text(tmp_path: Path) -> None:
    path = write(tmp_path, '[notifiers.email]\nurl = "smtp://me:hunter2@mail"\nsender = "a@b.example"\n')
    config = load_config(path, {})
    assert "hunter2" not in repr(config)
    assert config.notifiers.email is not None
    assert config.notifiers.email.url.get_secret_value() == "smtp://me:hunter2@mail"


@pytest.mark.parametrize(("text", "size"), [("20 GB", 20 * 10**9), ("1.5MB", 1_500_000), ("3 KB", 3000)])
def test_sizes_are_decimal(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["20", "GB", "20 GiB", "-1 GB", ""])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)


def test_what_a_command_reads_from_the_environment_is_taken_for_no_setting(tmp_path: Path) -> None:
    variables: set[str] = set()

    def walk(command: Any) -> None:
        for parameter in command.params:
            named = parameter.envvar or ()
            variables.update([named] if isinstance(named, str) else named)
        for child in getattr(command, "commands", {}).values():
            walk(child)

    walk(typer.main.get_command(app))
    assert "GATEWAY_NEW_PASSWORD" in variables
    path = tmp_path / "gateway.toml"
    path.write_text("", "utf-8")
    assert load_config(path, dict.fromkeys(variables, "said")) == load_config(path, {})
