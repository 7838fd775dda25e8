"""Saved views of the queue."""

from collections.abc import Sequence

import sqlalchemy as sa

from gateway.store.case_work import saved_views


def views_of(connection: sa.Connection, user: str) -> Sequence[sa.RowMapping]:
    """List everybody's views, then the user's own: ``id``, ``owner``, ``name``, ``query``."""
    v = saved_views
    query = sa.select(v).where(sa.or_(v.c.owner.is_(None), v.c.owner == user))
    return connection.execute(query.order_by(v.c.owner.is_not(None), v.c.name)).mappings().all()
