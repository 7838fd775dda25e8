"""``gateway import`` into a real store, with no gateway running."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from gateway.cli.importing import import_
from gateway.config import load_config
from gateway.people.registry import Registry, load_registry
from gateway.store.store import Store

_SHOPS = "id,name,latitude,longitude\ns-1,Mitte,52.5,13.4\ns-2,Nord,52.6,13.4\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shops.csv").write_text(_SHOPS, encoding="utf-8")
    return tmp_path


def _run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(import_)
    return CliRunner().invoke(app, list(arguments))


def _stored() -> Registry:
    store = Store(load_config(None, {}).store_url)
    try:
        with store.read() as connection:
            return load_registry(connection)
    finally:
        store.close()


def test_records_are_written_by_id_and_an_unlisted_one_stays(folder: Path) -> None:
    first = _run("shops", "shops.csv")
    assert (first.exit_code, first.stdout) == (0, "Imported shops: 2 new, 0 updated.\n")
    (folder / "shops.csv").write_text(
        "id,name,latitude,longitude\ns-2,Nordost,52.6,13.5\ns-3,West,1,2\n", encoding="utf-8"
    )
    assert _run("shops", "shops.csv").stdout == "Imported shops: 1 new, 1 updated.\n"
    assert {shop.id: shop.name for shop in _stored().shops.values()} == {
        "s-1": "Mitte",
        "s-2": "Nordost",
        "s-3": "West",
    }


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    result = _run("shops", "shops.csv", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "2 shops are right; nothing was imported.\n")
    assert not (folder / "data").exists()


def test_one_wrong_row_keeps_all_out_unless_told_otherwise(folder: Path) -> None:
    (folder / "shops.csv").write_text(_SHOPS + "s-3,Pole,99,0\n", encoding="utf-8")
    result = _run("shops", "shops.csv")
    assert result.exit_code == 1
    assert "shops.csv:4:10: latitude: Input should be less than or equal to 90" in result.stderr
    assert not (folder / "data").exists()
    assert _run("shops", "shops.csv", "--keep-going").stdout == "Imported shops: 2 new, 0 updated.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("people", "shops.csv"),
        ("shops", "nowhere.csv"),
        ("shops", "shops.csv", "--map", "name"),
        ("shops", "shops.csv", "--format", "xml"),
    ],
)
def test_a_wrong_argument_is_refused(folder: Path, arguments: tuple[str, ...]) -> None:
    assert _run(*arguments).exit_code == 2
