"""Search: cases by number, customer, device, serial, rule, or what was said."""

import re
from collections.abc import Callable

import sqlalchemy as sa

from gateway.store.schema import cases
from gateway.store.search_index import matching

_NUMBER = re.compile(r"#?[0-9]{1,15}")

FOUND_AT_MOST = 500
WORDS_AT_MOST = 6


def case_ids(connection: sa.Connection, words: str) -> list[int]:
    """Find cases for what somebody typed, newest first, at most FOUND_AT_MOST.

    Every word must be found somewhere: in the case's number (``#17``), rule or fault; its customer's name, address or
    phone; its device's id, name, model, serial or site; or in what the customer wrote and staff noted.
    """
    asked = words.replace("\0", "").split()[:WORDS_AT_MOST]
    numbers = [int(word.removeprefix("#")) for word in asked if _NUMBER.fullmatch(word)]
    marked = {word for word in asked if word.startswith("#") and _NUMBER.fullmatch(word)}
    others = [word for word in asked if word not in marked]
    if marked and not others:
        return _there(connection, numbers[0]) if len(set(numbers)) == 1 else []
    found = matching(connection, others, FOUND_AT_MOST)
    if marked:
        return [one for one in found if {one} == set(numbers)]
    if len(asked) == 1 and numbers:
        # 17 is case 17, and every serial and phone that has it.
        found = [*_there(connection, numbers[0]), *(one for one in found if one != numbers[0])]
    return found[:FOUND_AT_MOST]


def _there(connection: sa.Connection, number: int) -> list[int]:
    return list(connection.execute(sa.select(cases.c.id).where(cases.c.id == number)).scalars())


def contains(word: str) -> str:
    """Write a LIKE pattern that finds ``word`` itself, its own % and _ included; escape character ``\\``."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def matcher(connection: sa.Connection) -> Callable[..., sa.ColumnElement[bool]]:
    """Return the test "any of these columns is like the pattern", whatever the case of its letters.

    SQLite's LIKE already takes no notice of the case of ASCII letters; SQLAlchemy's ``ilike`` would add a ``lower()``
    to every row, which triples the time and knows no more letters.
    """
    caseless = connection.dialect.name == "sqlite"

    def like(pattern: str, *columns: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        tests = (c.like(pattern, escape="\\") if caseless else c.ilike(pattern, escape="\\") for c in columns)
        return sa.or_(*tests)

    return like
