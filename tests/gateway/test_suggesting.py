"""``gateway rules suggest`` over a real store and history: what it learns from, and the diff it prints."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import commands as c
from gateway.cli.rules import app
from gateway.clock import Clock
from gateway.history import Sample
from gateway.history.embedded import EmbeddedHistory
from gateway.rulebook.suggesting import episodes_of
from gateway.store import schema
from tests.gateway.making import T0, Gateway, gateway

RULES = """\
rules:
  - id: freezer-too-warm
    kind: condition
    profile: freezer
    when: temperature > -12   # agreed with the service team
    for: 10m
    clear_when: temperature < -15
"""
STEP = timedelta(minutes=5)
SINCE = f"{(datetime.now(UTC) - T0).days + 1}d"
"""Back to the first sample and no further: each day is read by itself."""


def live_through(running: Gateway, peaks: list[float], verdicts: list[str]) -> list[Sample]:
    """One warm spell each two days, judged as it comes; return what the history keeps."""
    samples = []
    for day, (peak, verdict) in enumerate(zip(peaks, verdicts, strict=True)):
        for slot in range(60):
            celsius = peak if 20 <= slot < 36 else -18.0
            minutes = day * 2 * 1440 + slot * 5
            running.temperature(celsius, minutes)
            samples.append(Sample("f1", T0 + timedelta(minutes=minutes), {"temperature": celsius, "humidity": 40.0}))
        case = running.rows(schema.cases)[-1]["id"]
        running.submit(c.GiveVerdict(case, verdict, "mia"))  # type: ignore[arg-type]
    return samples


async def keep(folder: Path, samples: list[Sample]) -> None:
    history = await EmbeddedHistory.open(folder / "history.sqlite", 10**9)
    await history.write(samples, sequence=1)
    await history.close()


def configured(tmp_path: Path) -> tuple[Path, Path]:
    data = tmp_path / "data"
    data.mkdir()
    rules, config = tmp_path / "rules.yaml", tmp_path / "gateway.toml"
    rules.write_text(RULES, "utf-8")
    config.write_text(f'data_dir = "{data}"\n[rules]\nbuiltin = false\npaths = ["{rules}"]\n', "utf-8")
    return data, config


def suggested(config: Path, *options: str) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["suggest", "--since", SINCE, "-c", str(config), *options])
    assert result.exit_code == 0, result.stderr
    return result.stdout, result.stderr


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data, config = configured(tmp_path_factory.mktemp("judged"))
    peaks = [-4.0, -10.0, -5.0, -10.5, -3.0, -9.5, -6.0, -11.0, -2.0, -10.0, -5.5, -9.0]
    with gateway(f"sqlite:///{data / 'gateway.sqlite'}", data, rules=RULES) as running:
        samples = live_through(running, peaks, ["real" if peak > -8 else "false_alarm" for peak in peaks])
    asyncio.run(keep(data, samples))
    return config


def test_the_proposal_is_a_diff_that_keeps_comments_and_was_verified(judged: Path) -> None:
    stdout, stderr = suggested(judged)
    assert "-    when: temperature > -12   # agreed with the service team" in stdout
    assert "   # agreed with the service team\n     for: 10m\n" in stdout
    assert "could be better" in stderr
    assert "over the whole history: cases 12 → 6" in stderr
    told = json.loads(suggested(judged, "--json")[0])
    assert (told["now"]["precision"], told["proposed"]["precision"], told["proposed"]["recall"]) == (0.5, 1.0, 1.0)
    assert -9.0 < told["proposed"]["limit"] < -6.0
    assert [change["field"] for change in told["changes"]] == ["when", "clear_when"]
    assert told["verified"]["proposed"]["cases"] == 6


def test_the_diff_applies_and_the_rules_are_right_after_it(judged: Path, tmp_path: Path) -> None:
    rules, config = tmp_path / "rules.yaml", tmp_path / "gateway.toml"
    rules.write_text(RULES, "utf-8")
    config.write_text(judged.read_text("utf-8").replace(str(judged.parent / "rules.yaml"), str(rules)), "utf-8")
    stdout, _ = suggested(config)
    removed = [line[1:] for line in stdout.splitlines() if line.startswith("-") and not line.startswith("---")]
    added = [line[1:] for line in stdout.splitlines() if line.startswith("+") and not line.startswith("+++")]
    text = rules.read_text("utf-8")
    for old, new in zip(removed, added, strict=True):
        assert old in text
        text = text.replace(old, new)
    rules.write_text(text, "utf-8")
    assert CliRunner().invoke(app, ["check", str(rules)]).exit_code == 0
    assert "no better setting found" in suggested(config)[1]


def test_too_few_verdicts_are_said_with_their_number(tmp_path: Path) -> None:
    data, config = configured(tmp_path)
    with gateway(f"sqlite:///{data / 'gateway.sqlite'}", data, rules=RULES) as running:
        samples = live_through(running, [-4.0, -10.0], ["real", "false_alarm"])
    asyncio.run(keep(data, samples))
    stdout, stderr = suggested(config)
    assert stdout == ""
    assert "1 real and 1 false alarms are recorded; 10 are needed" in stderr


def test_verdicts_without_a_recording_are_counted_apart(tmp_path: Path) -> None:
    data, config = configured(tmp_path)
    with gateway(f"sqlite:///{data / 'gateway.sqlite'}", data, rules=RULES) as running:
        live_through(running, [-4.0, -10.0], ["real", "false_alarm"])
    asyncio.run(keep(data, []))
    told = json.loads(suggested(config, "--json")[0])
    assert (told["reason"], told["unrecorded_verdicts"], told["proposes"]) == ("not_enough_verdicts", 2, False)


def test_an_unknown_rule_and_a_wrong_word_are_named(tmp_path: Path) -> None:
    _, config = configured(tmp_path)
    for options, said in ((["--rule", "nobody"], "no rule 'nobody'"), (["--favour", "luck"], "precision or recall")):
        result = CliRunner().invoke(app, ["suggest", "-c", str(config), *options])
        assert result.exit_code != 0
        assert said in result.stderr.replace("\n", " ")


def test_an_episode_lasts_from_when_the_condition_held_until_the_device_was_over_it(
    store_url: str, tmp_path: Path
) -> None:
    with gateway(store_url, tmp_path, rules=RULES) as running:
        live_through(running, [-4.0], ["real"])
        with running.store.read() as connection:
            (episode,) = episodes_of(connection, "freezer-too-warm", T0, Clock().now())
    assert (episode.real, episode.begins - T0, episode.ends - T0) == (True, 20 * STEP, 36 * STEP)
