"""``gateway decode`` as a process: what stands on standard output is the interface."""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from gateway.cli.decode import arriving_lines, decode

AT = "2026-03-01T12:00:00Z"


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(decode)
    return app


def _run(command: typer.Typer, lines: str, *options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(command, ["--jsonl", *options], input=lines)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_each_line_in_gives_one_line_out_in_the_same_order(command: typer.Typer) -> None:
    lines = [
        {"topic": "devices/a/status", "payload": '{"ts":"2026-03-01T11:00:00Z","t":1.5}'},
        {"topic": "unknown/topic", "payload": "x"},
        {"topic": "devices/a/lwt", "payload_b64": base64.b64encode(b"offline").decode()},
        {"topic": "devices/a/status", "payload": ""},
    ]
    answers = _run(command, "\n".join(map(json.dumps, lines)), "--received-at", AT)
    assert answers[0] == {
        "ok": True,
        "events": [
            {
                "device_id": "a",
                "kind": "status",
                "observed_at": "2026-03-01T11:00:00Z",
                "received_at": AT,
                "time_source": "device",
                "ecosystem": "native",
                "values": {"t": 1.5},
                "units": {},
                "position": None,
            }
        ],
        "note": None,
    }
    assert [answer["ok"] for answer in answers] == [True, False, True, True]
    assert answers[1]["error"].startswith("topic: no decoder claims it")
    assert answers[2]["events"][0]["values"] == {"online": False}
    assert (answers[3]["events"], "retained" in answers[3]["note"]) == ([], True)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "line: is no JSON: "),
        ("", "line: is no JSON: "),
        ("[]", "line: is no object with a topic"),
        ('{"topic": 5, "payload": ""}', "line: is no object with a topic"),
        ('{"topic": "a"}', "line: has neither a payload as text nor a payload_b64"),
        ('{"topic": "a", "payload": {"b": 1}}', "line: has neither a payload as text nor a payload_b64"),
        ('{"topic": "a", "payload_b64": "%"}', "payload_b64: is no base64: "),
        ("\udcff", "line: is no JSON: "),
    ],
)
def test_a_line_that_is_no_message_is_answered_and_does_not_stop_the_others(
    command: typer.Typer, line: str, error: str
) -> None:
    good = '{"topic": "devices/a/status", "payload": "{}"}'
    stdin = f"{line}\n{good}\n".encode("utf-8", "surrogateescape")
    result = CliRunner().invoke(command, ["--jsonl"], input=stdin)
    first, second = [json.loads(answer) for answer in result.stdout.splitlines()]
    assert (first["ok"], second["ok"], result.exit_code) == (False, True, 0)
    assert first["error"].startswith(error)


def test_no_input_gives_no_output(command: typer.Typer) -> None:
    assert _run(command, "") == []


def test_the_configuration_sets_topics_and_zone(command: typer.Typer, tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        '[decoders.tasmota]\ntopics = ["plugs/+/+"]\ntimezone = "Europe/Berlin"\n', encoding="utf-8"
    )
    line = json.dumps({"topic": "plugs/tele/STATE", "payload": '{"Time":"2026-02-01T12:00:00"}'})
    (event,) = _run(command, line)[0]["events"]
    assert (event["device_id"], event["observed_at"]) == ("plugs", "2026-02-01T11:00:00Z")
    line = json.dumps({"topic": "tele/plug/STATE", "payload": "{}"})
    assert "no decoder claims it" in _run(command, line)[0]["error"]


@pytest.mark.parametrize(
    "options", [[], ["--jsonl", "--received-at", "today"], ["--jsonl", "--received-at", "2026-03-01T12:00"]]
)
def test_a_wrong_option_is_refused(command: typer.Typer, options: list[str]) -> None:
    assert CliRunner().invoke(command, options, input="").exit_code == 2


def test_lines_are_complete_however_the_stream_is_cut() -> None:
    class Cut:
        def __init__(self, *chunks: bytes) -> None:
            self._chunks = [*chunks, b""]

        def read1(self, size: int, /) -> bytes:
            return self._chunks.pop(0)

    assert list(arriving_lines(Cut(b"a", b"b\nc\n", b"d"))) == [[b"ab", b"c"], [b"d"]]


_PROCESS = [sys.executable, "-c", "import typer; from gateway.cli.decode import decode; typer.run(decode)", "--jsonl"]


def test_an_answer_is_there_before_the_next_line_is_asked() -> None:
    with subprocess.Popen(_PROCESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(b'{"topic": "devices/a/lwt", "payload": "online"}\n')
            process.stdin.flush()
            # Would wait for ever if the answer were kept back until the input ends.
            assert json.loads(process.stdout.readline())["ok"]
        process.stdin.close()
        assert process.wait() == 0


def test_a_reader_that_has_enough_ends_it_quietly() -> None:
    line = b'{"topic": "devices/a/lwt", "payload": "online"}\n'
    with subprocess.Popen(_PROCESS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(line)
        process.stdin.flush()
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write(line * 2_000)
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
