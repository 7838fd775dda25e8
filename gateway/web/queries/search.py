"""Search: cases by number, customer, device, serial, rule, or what was said."""

from collections.abc import Callable

import sqlalchemy as sa

from gateway.store.schema import cases, customers, devices, inbound, timeline

FOUND_AT_MOST = 500
_NAMES_AT_MOST = 200
TEXTS_SEARCHED = 20_000
"""Of messages and of timeline entries, the newest."""


def case_ids(connection: sa.Connection, words: str) -> list[int]:
    """Find cases for what somebody typed, newest first, at most FOUND_AT_MOST.

    Every word must be found somewhere: in the case's number (``#17``), rule or fault; its customer's name, address or
    phone; its device's id, name, model, serial or site; or in what the customer wrote and staff noted.
    """
    found: set[int] | None = None
    for word in words.split()[:6]:
        ids = _for_word(connection, word)
        found = ids if found is None else found & ids
        if not found:
            return []
    return sorted(found or (), reverse=True)[:FOUND_AT_MOST]


def _for_word(connection: sa.Connection, word: str) -> set[int]:
    number = word.removeprefix("#")
    if word.startswith("#") and number.isdecimal():
        return {int(number)} if len(number) < 16 else set()
    pattern = contains(word)
    like = matcher(connection)
    device = like(pattern, devices.c.id, devices.c.name, devices.c.model, devices.c.serial, devices.c.site)
    customer = like(pattern, customers.c.name, customers.c.email, customers.c.phone)
    device_ids = connection.execute(sa.select(devices.c.id).where(device).limit(_NAMES_AT_MOST)).scalars().all()
    customer_ids = connection.execute(sa.select(customers.c.id).where(customer).limit(_NAMES_AT_MOST)).scalars().all()
    note = sa.cast(timeline.c.body, sa.Text)
    queries = [
        sa.select(cases.c.id).where(cases.c.device_id.in_(device_ids)),
        sa.select(cases.c.id).where(cases.c.customer_id.in_(customer_ids)),
        sa.select(cases.c.id).where(cases.c.rule.in_(_rules_like(connection, pattern))),
        sa.select(inbound.c.case_id).where(
            _newest(connection, inbound), inbound.c.case_id.is_not(None), like(pattern, inbound.c.text)
        ),
        sa.select(timeline.c.case_id).where(
            _newest(connection, timeline), timeline.c.kind == "note", like(pattern, note)
        ),
    ]
    if number.isdecimal() and len(number) < 16:
        queries.append(sa.select(cases.c.id).where(cases.c.id == int(number)))
    found: set[int] = set()
    for query in queries:
        newest_first = query.order_by(query.selected_columns[0].desc()).limit(FOUND_AT_MOST)
        found.update(connection.execute(newest_first).scalars())
    return found


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


def _newest(connection: sa.Connection, table: sa.Table) -> sa.ColumnElement[bool]:
    """Texts are searched from the newest back: what somebody looks for was said lately, and the cost is bounded."""
    newest: int = connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0
    return table.c.id > newest - TEXTS_SEARCHED


def _rules_like(connection: sa.Connection, pattern: str) -> list[str]:
    """Look through the few distinct rules rather than through every case."""
    rule = sa.select(sa.func.min(cases.c.rule).label("rule")).cte("rules", recursive=True)
    following = sa.select(sa.func.min(cases.c.rule)).where(cases.c.rule > rule.c.rule).scalar_subquery()
    rule = rule.union_all(sa.select(following).where(rule.c.rule.is_not(None)))
    query = sa.select(rule.c.rule).where(matcher(connection)(pattern, rule.c.rule))
    return list(connection.execute(query).scalars())
