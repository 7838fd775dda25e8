"""The full-text index follows what it is about, whoever changes it, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway import commands as c
from gateway.commands import cases as w
from gateway.store import schema
from gateway.web.queries.search import case_ids
from tests.gateway.making import ANA, F1, Gateway, gateway


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path) as made:
        made.submit(c.Upsert("devices", ({**F1, "serial": "SN004711"},), by="test"))
        made.submit(w.OpenCase("It hums", "mia", "f1"))
        yield made


def found(running: Gateway, words: str) -> list[int]:
    with running.store.read() as connection:
        return case_ids(connection, words)


@pytest.mark.parametrize(
    "words", ["souza", "SOUZA", "garage", "sn00", "ana souza garage", "hums", "#1", "1", "ana@example.com"]
)
def test_a_case_is_found_by_its_names_and_title(running: Gateway, words: str) -> None:
    assert found(running, words) == [1]


@pytest.mark.parametrize("words", ["", "souza nobody", "#2", "' OR 1", '"', "%", "souza \0 nobody", "\\", "&|!:*"])
def test_what_is_not_there_is_not_found_whatever_is_typed(running: Gateway, words: str) -> None:
    assert found(running, words) == []


def test_what_is_said_and_noted_is_found_and_moves_with_its_message(running: Gateway) -> None:
    running.submit(c.AddNote(1, "Start relay suspected", "mia"))
    running.submit(c.CustomerWrote("page", "1", "page", "ana", "My invoice is wrong", 1, "ana"))
    assert found(running, "relay") == found(running, "invoice souza") == [1]
    entry = running.rows(schema.timeline, kind="message_in")[0]["id"]
    other = running.submit(w.SplitCase(1, entry, "mia"))
    assert found(running, "invoice relay") == []
    assert found(running, "relay") == [1]
    assert other in found(running, "invoice")


def test_a_new_name_is_found_and_the_old_one_no_more(running: Gateway) -> None:
    running.submit(c.Upsert("devices", ({**F1, "name": "Cellar freezer"},), by="test"))
    running.submit(c.Upsert("customers", ({**ANA, "name": "Ana Oliveira"},), by="test"))
    assert found(running, "cellar oliveira") == [1]
    assert found(running, "garage") == found(running, "souza") == []


def test_what_is_deleted_by_hand_is_not_found(running: Gateway) -> None:
    with running.store.write() as connection:
        connection.execute(sa.delete(schema.customers))
        connection.execute(sa.delete(schema.timeline))
    assert found(running, "souza") == []
    assert found(running, "garage") == [1]


def test_the_newest_come_first(running: Gateway) -> None:
    for _ in range(3):
        running.submit(w.OpenCase("It hums again", "mia", "f1"))
    assert found(running, "hums") == [4, 3, 2, 1]
