"""Search: cases by number, customer, device, serial, rule, or what was said."""

import sqlalchemy as sa

from gateway.store.schema import cases, customers, devices, inbound, timeline

FOUND_AT_MOST = 500
_NAMES_AT_MOST = 200


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
    device = _like(pattern, devices.c.id, devices.c.name, devices.c.model, devices.c.serial, devices.c.site)
    customer = _like(pattern, customers.c.name, customers.c.email, customers.c.phone)
    device_ids = connection.execute(sa.select(devices.c.id).where(device).limit(_NAMES_AT_MOST)).scalars().all()
    customer_ids = connection.execute(sa.select(customers.c.id).where(customer).limit(_NAMES_AT_MOST)).scalars().all()
    note = sa.cast(timeline.c.body, sa.Text)
    queries = [
        sa.select(cases.c.id).where(cases.c.device_id.in_(device_ids)),
        sa.select(cases.c.id).where(cases.c.customer_id.in_(customer_ids)),
        sa.select(cases.c.id).where(cases.c.rule.in_(_rules_like(connection, pattern))),
        sa.select(inbound.c.case_id).where(inbound.c.case_id.is_not(None), _like(pattern, inbound.c.text)),
        sa.select(timeline.c.case_id).where(timeline.c.kind == "note", _like(pattern, note)),
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


def _like(pattern: str, *columns: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    return sa.or_(*(column.ilike(pattern, escape="\\") for column in columns))


def _rules_like(connection: sa.Connection, pattern: str) -> list[str]:
    """Look through the few distinct rules rather than through every case."""
    rule = sa.select(sa.func.min(cases.c.rule).label("rule")).cte("rules", recursive=True)
    following = sa.select(sa.func.min(cases.c.rule)).where(cases.c.rule > rule.c.rule).scalar_subquery()
    rule = rule.union_all(sa.select(following).where(rule.c.rule.is_not(None)))
    query = sa.select(rule.c.rule).where(rule.c.rule.ilike(pattern, escape="\\"))
    return list(connection.execute(query).scalars())
