"""The full-text index over cases, kept by the database itself: SQLite's FTS5, PostgreSQL's tsvector.

One document a case: its rule, device and customer (``head``), and what was written and noted in it (``said``). Triggers
follow every change of a case, device, customer or timeline, whoever makes it, so an erased name is not found any more.
"""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from gateway.store import search_postgresql, search_sqlite

_TRIGRAM = 3
_SEARCH = sa.table("search_cases", sa.column("rowid"), sa.column("case_id"), sa.column("head"), sa.column("said"))


def create(connection: sa.Connection) -> None:
    """Make the index and its triggers; the tables that it follows are there."""
    sqlite = connection.dialect.name == "sqlite"
    for statement in search_sqlite.statements() if sqlite else search_postgresql.STATEMENTS:
        connection.exec_driver_sql(statement)


def drop(connection: sa.Connection) -> None:
    """Take the index away; the triggers go with the tables that they follow."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS search_cases")


def matching(connection: sa.Connection, words: Sequence[str], limit: int) -> list[int]:
    """Return the newest ``limit`` cases in which every word is found, whatever the case of its letters.

    SQLite finds a word anywhere, also within another (the end of a serial); PostgreSQL at the beginning of words.
    """
    if not words:
        return []
    query = _sqlite(words) if connection.dialect.name == "sqlite" else _postgresql(words)
    return [int(number) for number in connection.execute(query.limit(limit)).scalars()] if query is not None else []


def _sqlite(words: Sequence[str]) -> sa.Select[Any]:
    s = _SEARCH.c
    query = sa.select(s.rowid)
    # Shorter than a trigram: looked for in what the longer ones found, or in every document.
    if long := [word for word in words if len(word) >= _TRIGRAM]:
        quoted = " AND ".join('"{}"'.format(word.replace('"', '""')) for word in long)
        query = query.where(sa.literal_column("search_cases").op("MATCH")(quoted))
    for word in words:
        if len(word) < _TRIGRAM:
            pattern = "%{}%".format(re.sub(r"([\\%_])", r"\\\1", word))
            query = query.where(sa.or_(s.head.like(pattern, escape="\\"), s.said.like(pattern, escape="\\")))
    return query.order_by(s.rowid.desc())


def _postgresql(words: Sequence[str]) -> sa.Select[Any] | None:
    terms = [f"'{plain}':*" for word in words if (plain := re.sub(r"['\\]", " ", word).strip())]
    if not terms:
        return None
    s = _SEARCH.c
    asked = sa.func.to_tsquery("simple", " & ".join(terms))
    return sa.select(s.case_id).where(sa.literal_column("words").op("@@")(asked)).order_by(s.case_id.desc())
