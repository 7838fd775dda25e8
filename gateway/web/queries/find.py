"""Finding who calls: devices and customers by phone, name, mail, serial or id."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from gateway.store.schema import customers, devices
from gateway.web.queries.search import contains, matcher

FOUND_AT_MOST = 12
_DIGITS = 5
"""A number of so few digits is a phone's no more than a serial's."""


@dataclass(frozen=True, slots=True)
class Found:
    """A device with its owner, or a customer without a device."""

    device_id: str | None
    device_label: str | None
    serial: str | None
    customer_id: str | None
    customer_name: str | None


def find(connection: sa.Connection, words: str) -> list[Found]:
    """Find by what a caller says; every word must fit. A phone number may be written in any way."""
    query = (
        sa.select(devices.c.id, devices.c.name, devices.c.model, devices.c.serial, customers.c.id, customers.c.name)
        .select_from(devices.outerjoin(customers, customers.c.id == devices.c.customer_id))
        .order_by(customers.c.name, devices.c.id)
        .limit(FOUND_AT_MOST)
    )
    alone = sa.select(customers.c.id, customers.c.name).order_by(customers.c.name).limit(FOUND_AT_MOST)
    for condition in _conditions(connection, words, of_device=True):
        query = query.where(condition)
    for condition in _conditions(connection, words, of_device=False):
        alone = alone.where(condition)
    found = [Found(row[0], row[1] or row[2] or row[0], row[3], row[4], row[5]) for row in connection.execute(query)]
    known = {one.customer_id for one in found}
    found += [Found(None, None, None, row[0], row[1]) for row in connection.execute(alone) if row[0] not in known]
    return found[:FOUND_AT_MOST]


def _conditions(connection: sa.Connection, words: str, *, of_device: bool) -> Sequence[sa.ColumnElement[bool]]:
    like = matcher(connection)
    person = (customers.c.id, customers.c.name, customers.c.email)
    thing = (devices.c.id, devices.c.name, devices.c.serial, devices.c.model) if of_device else ()
    digits = "".join(sign for sign in words if sign.isdigit())
    if len(digits) >= _DIGITS and not any(sign.isalpha() for sign in words):
        # 0151 2345 is +49 151 2345 to whoever calls: the country's part and the trunk's zero are left out.
        number = like(contains(digits.lstrip("0")), customers.c.phone)
        return [sa.or_(number, like(contains(words), *thing)) if thing else number]
    return [like(contains(word), *person, *thing) for word in words.split()[:6]] or [sa.false()]
