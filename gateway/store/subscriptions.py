"""Tables of the systems that are told what happens: how far each was told, and what it would not take."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import RowId, UtcTime, metadata

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("position", sa.BigInteger, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("failures", sa.Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("next_try_at", UtcTime),
    Column("reason", sa.Text),
)
"""``position``: id of the last timeline entry that was taken or put aside. ``state``: active | paused, which a person
ends. ``failures`` in a row, ``reason`` of the last."""

refused_events = Table(
    "refused_events",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("subscription", sa.Text, nullable=False, index=True),
    Column("entry_id", sa.BigInteger, nullable=False),
    Column("case_id", sa.BigInteger, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    sa.UniqueConstraint("subscription", "entry_id"),
)
"""What a system refused again and again, put aside so that the rest goes on."""
