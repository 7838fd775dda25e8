"""The tables of self-help: steps that customers tried, and the value that is watched after one."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import UtcTime, metadata

tried_steps = Table(
    "tried_steps",
    metadata,
    Column("case_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("step", sa.Integer, primary_key=True, autoincrement=False),
    Column("article", sa.Text, nullable=False),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("via", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
"""``step``: its index in the article, 0 is the first."""

watches = Table(
    "watches",
    metadata,
    Column("case_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("via", sa.Text, nullable=False),
    Column("field", sa.Text, nullable=False),
    Column("state", sa.JSON, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime, index=True),
    Column("told", sa.Boolean, nullable=False),
)
"""``state`` is ``rules.response.improving.Watch``; ``ended_at``: told, over, or given up. ``via``: where they are."""
