"""The examples of docs/devices.md do what the page says."""

import re
import runpy
from pathlib import Path

import pytest

from device_models.decoders.protocol import DecodeContext, Decoded
from device_models.profile_files import parse_profile
from device_models.units import is_known
from tests.device_models.decoders.reading import ARRIVAL, DECODERS, message

_PAGE = (Path(__file__).parents[2] / "docs" / "devices.md").read_text(encoding="utf-8")


def _example(language: str) -> str:
    examples: list[str] = re.findall(rf"```{language}\n(.*?)```", _PAGE, re.DOTALL)
    return examples[0]


def test_the_decoder_of_ones_own_decodes(tmp_path: Path) -> None:
    path = tmp_path / "decoder.py"
    path.write_text(_example("python"), encoding="utf-8")
    decoder = runpy.run_path(str(path))["decoder"]
    outcome = decoder.decode(message("acme/boilers/b1", {"time": ARRIVAL.isoformat(), "water": 55}), DecodeContext())
    assert isinstance(outcome, Decoded)
    assert (outcome.events[0].device_id, dict(outcome.events[0].units)) == ("b1", {"water": "Cel"})


def test_the_profile_is_a_profile() -> None:
    assert parse_profile(_example("yaml"), "devices.md").maintenance["condenser"].every is not None


@pytest.mark.parametrize("decoder", DECODERS, ids=lambda decoder: decoder.name)
def test_every_decoder_has_its_row(decoder: object) -> None:
    assert f"| `{getattr(decoder, 'name', '')}` |" in _PAGE


def test_the_units_that_are_said_to_convert_do() -> None:
    (listed,) = re.findall(r"Units that convert: (.*?)\.\n", _PAGE, re.DOTALL)
    units = [unit for group in re.findall(r"`([^`]+)`", listed) for unit in group.split()]
    assert len(units) > 60
    assert [unit for unit in units if not is_known(unit)] == []
