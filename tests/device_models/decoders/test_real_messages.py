"""Messages recorded or published by others, where the shared folder with them is present beside the repository."""

import base64
from pathlib import Path

import orjson
import pytest

from device_models.decoders.protocol import Decoded
from device_models.event import Rejection
from tests.device_models.decoders.reading import EVERY, message

_FOLDER = Path(__file__).parents[4] / "shared" / "data" / "mqtt"
_FILES = sorted(_FOLDER.glob("*.jsonl")) if _FOLDER.is_dir() else []
_OURS = {"owntracks", "tasmota", "zigbee2mqtt"}


def _outcomes(file: Path) -> list[tuple[str, Decoded | Rejection]]:
    lines = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    return [
        (
            line["topic"],
            EVERY.decode(message(line["topic"], line.get("payload") or base64.b64decode(line.get("payload_b64", "")))),
        )
        for line in lines
    ]


@pytest.mark.parametrize("file", [f for f in _FILES if f.stem in _OURS], ids=lambda f: f.stem)
def test_nearly_all_messages_of_a_known_ecosystem_are_decoded(file: Path) -> None:
    outcomes = _outcomes(file)
    refused = [(topic, outcome.reason) for topic, outcome in outcomes if isinstance(outcome, Rejection)]
    assert len(refused) <= 0.02 * len(outcomes), refused
    events = [event for _, outcome in outcomes if isinstance(outcome, Decoded) for event in outcome.events]
    assert len(events) >= 0.7 * len(outcomes)
    assert {event.ecosystem for event in events} == {file.stem}


@pytest.mark.parametrize("file", [f for f in _FILES if f.stem not in _OURS], ids=lambda f: f.stem)
def test_every_message_of_another_ecosystem_is_refused_with_a_reason(file: Path) -> None:
    for topic, outcome in _outcomes(file):
        assert isinstance(outcome, Rejection), topic
        assert outcome.reason
