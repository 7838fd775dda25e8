"""A customer as staff see them: their products, their cases, and what they thought of the help."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from gateway.store.desk import survey_answers
from gateway.store.schema import customers
from gateway.web.queries import cases, devices
from gateway.web.queries.cases import CaseLine
from gateway.web.queries.devices import DeviceLine
from gateway.web.queries.search import contains, matcher

PAGE = 100
RATINGS = 5


@dataclass(frozen=True, slots=True)
class Around:
    """What stands beside a customer's name."""

    devices: Sequence[DeviceLine]
    cases: Sequence[CaseLine]
    """The newest first."""
    ratings: Sequence[sa.RowMapping]
    """The newest first: ``case_id``, ``satisfaction`` and ``effort`` (1 to 5 or None), ``better``, ``at``."""


def around(connection: sa.Connection, customer_id: str, *, limit: int = 20) -> Around:
    """Load what belongs to a customer, of cases ``limit``."""
    a = survey_answers.c
    rated = sa.select(a.case_id, a.satisfaction, a.effort, a.better, a.at).where(a.customer_id == customer_id)
    return Around(
        devices.of_customer(connection, customer_id),
        cases.of_customer(connection, customer_id, limit=limit),
        connection.execute(rated.order_by(a.at.desc()).limit(RATINGS)).mappings().all(),
    )


def page(connection: sa.Connection, words: str, after_id: str | None, limit: int) -> Sequence[sa.RowMapping]:
    """List customers by id, beginning after ``after_id``; each of ``words`` is in their id, name or mail address."""
    c, like = customers.c, matcher(connection)
    query = sa.select(c.id, c.name, c.country, c.locale, c.timezone, c.segment, c.tier, c.left_at)
    for word in words.split()[:6]:
        query = query.where(like(contains(word), c.id, c.name, c.email))
    if after_id is not None:
        query = query.where(c.id > after_id)
    return connection.execute(query.order_by(c.id).limit(limit)).mappings().all()
