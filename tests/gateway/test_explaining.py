"""Why and why not, from the command line and the API, now and at a moment that has passed."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from device_models.registry import Customer, Device
from gateway.cli.rules import app
from gateway.commands import CreateSilence, Upsert
from gateway.config import Config, load_config
from gateway.control import submit_command
from gateway.history import Sample
from gateway.history.embedded import EmbeddedHistory
from gateway.people.registry import load_registry
from gateway.rulebook.explaining import explain_past
from tests.gateway.making import FREEZER, T0, TOO_WARM, gateway

NOW = datetime.now(UTC).replace(microsecond=0)
RULE = """\
rules:
  - id: too-warm
    kind: condition
    profile: freezer
    when: temperature > -12 && !door_open
    for: 10m
    clear_when: temperature < -15
  - {id: heating, kind: error_code, profile: heat-pump}
"""


def at(minutes: float) -> datetime:
    return NOW - timedelta(days=2) + timedelta(minutes=minutes)


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A freezer that was too warm for a while, and whose door sensor spoke once the hour was over."""
    (tmp_path / "rules.yaml").write_text(RULE, "utf-8")
    path = tmp_path / "gateway.toml"
    path.write_text(
        f'data_dir = "{tmp_path / "data"}"\n[rules]\nbuiltin = false\npaths = ["{tmp_path / "rules.yaml"}"]\n', "utf-8"
    )
    config = load_config(path)
    freezer = Device(id="f1", profile="freezer", customer_id="anna", name="Garage freezer")
    for kind, record in (("customers", Customer(id="anna", name="Anna")), ("devices", freezer)):
        submit_command(config, Upsert(kind, (record.model_dump(mode="json", exclude_none=True),), by="test"))  # type: ignore[arg-type]

    async def write() -> None:
        history = await EmbeddedHistory.open(config.data_dir / "history.sqlite", 10**8)
        warm = [Sample("f1", at(m), {"temperature": -5.0 if 60 <= m < 120 else -18.0}) for m in range(0, 240, 5)]
        await history.write([*warm, Sample("f1", at(30), {"door_open": False})])
        await history.close()

    asyncio.run(write())
    return path


def explained(installation: Path, *args: object) -> Result:
    return CliRunner().invoke(app, ["explain", *(str(arg) for arg in args), "-c", str(installation)])


def standing(installation: Path, minutes: float) -> dict[str, object]:
    result = explained(installation, "f1", "--rule", "too-warm", "--at", at(minutes).isoformat(), "--json")
    assert result.exit_code == 0, result.stderr
    told: dict[str, object] = json.loads(result.stdout)
    return told


@pytest.mark.parametrize(
    ("minutes", "state"),
    [(29, "inactive"), (59, "inactive"), (60, "pending"), (69.9, "pending"), (70, "firing"), (119, "firing")],
)
def test_a_moment_that_has_passed_is_told_as_it_was(installation: Path, minutes: float, state: str) -> None:
    assert standing(installation, minutes)["state"] == state


def test_a_timer_counts_that_came_due_between_two_messages(installation: Path) -> None:
    # The message of minute 70 fires by itself; one microsecond before it the timer has not acted.
    before = standing(installation, 69.999)
    assert (before["state"], before["next_timer"]) == ("pending", at(70).isoformat().replace("+00:00", "Z"))


def test_values_have_the_age_they_had_and_what_was_never_said_is_missing(installation: Path) -> None:
    told = standing(installation, 22)
    assert told["missing"] == ["door_open"]
    assert told["values"]["temperature"]["value"] == -18.0  # type: ignore[index]
    assert told["values"]["temperature"]["age_s"] == 120.0  # type: ignore[index]
    assert told["no_sample"] is None
    assert told["replayed_since"] == at(0).isoformat().replace("+00:00", "Z")


def test_before_anything_was_recorded_nothing_is_known(installation: Path) -> None:
    told = standing(installation, -5)
    assert (told["state"], told["replayed_since"]) == ("inactive", None)


def test_people_read_sentences(installation: Path) -> None:
    result = explained(installation, "f1", "--at", at(90).isoformat())
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("f1 (Garage freezer), freezer, at ")
    assert lines[1].startswith("too-warm: firing. Fires: it has held for 30\xa0min")
    assert "    condition: temperature > -12 && !door_open" in lines
    assert any(line.startswith("heating: does not apply. It is for heat-pump") for line in lines)


def test_now_is_told_from_what_was_committed(installation: Path) -> None:
    result = explained(installation, "f1", "--json")
    told = json.loads(result.stdout.splitlines()[0])
    # This installation's history was written by hand, so no message of the device was ever committed.
    assert (told["rule"], told["state"], told["missing"]) == ("too-warm", "inactive", ["door_open", "temperature"])


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nobody"], "there is no device nobody"),
        (["f1", "--rule", "none"], "there is no rule 'none'"),
        (["f1", "--at", "noon"], "'noon' is no time"),
    ],
)
def test_what_does_not_exist_is_said(installation: Path, args: list[str], message: str) -> None:
    result = explained(installation, *args)
    assert result.exit_code == 1
    assert message in result.stderr


def test_what_lies_ahead_is_not_told(installation: Path) -> None:
    result = explained(installation, "f1", "--at", (NOW + timedelta(days=1)).isoformat())
    assert result.exit_code == 1
    assert "lies ahead" in result.stderr


async def test_what_withheld_a_case_then_is_told_long_after(tmp_path: Path) -> None:
    with gateway(f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path) as running:
        until = T0 + timedelta(hours=2)
        running.submit(CreateSilence("lea", "painting the kitchen", until, device_id="f1"))
        samples = []
        for minutes in range(0, 60, 5):
            celsius = -18.0 if minutes < 5 else -5.0
            running.temperature(celsius, minutes)
            samples.append(Sample("f1", T0 + timedelta(minutes=minutes), {"temperature": celsius}))
        running.tick(180)
        history = await EmbeddedHistory.open(tmp_path / "history.sqlite", 10**8)
        await history.write(samples)
        with running.store.read() as connection:
            registry = load_registry(connection)
        (tmp_path / "rules.yaml").write_text(TOO_WARM, "utf-8")
        rules = {"builtin": False, "paths": [tmp_path / "rules.yaml"]}
        config = Config.model_validate({"data_dir": tmp_path, "rules": rules})

        async def told(minutes: float) -> Mapping[str, Any]:
            when = T0 + timedelta(minutes=minutes)
            past = explain_past(running.store, history, registry, config, {"freezer": FREEZER}, "f1", when)
            return (await past)[0]

        silenced, opened = await told(50), await told(125)
        await history.close()
    assert (silenced["state"], silenced["withheld"]["by"], silenced.get("case")) == ("firing", "silence", None)
    assert opened.get("withheld") is None
    assert opened["case"]["id"] == 1
