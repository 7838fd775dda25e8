"""The tables of what became of messages, and of what was learned from it."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from gateway.store.schema import UtcTime, metadata

outcomes = Table(
    "outcomes",
    metadata,
    Column("notification_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("channel", sa.Text, primary_key=True),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("case_id", sa.BigInteger),
    Column("purpose", sa.Text, nullable=False),
    Column("country", sa.Text),
    Column("segment", sa.Text, nullable=False),
    Column("decided_by", sa.Text, nullable=False),
    Column("holdout", sa.Boolean, nullable=False),
    Column("asks", sa.Boolean, nullable=False),
    Column("sent_at", UtcTime, nullable=False, index=True),
    Column("delivered_at", UtcTime),
    Column("read_at", UtcTime),
    Column("answered_at", UtcTime),
    Column("fixed_at", UtcTime),
    Column("failed_at", UtcTime),
    Column("settles_at", UtcTime, nullable=False),
    Column("settled", sa.Boolean, nullable=False),
    Column("taken", sa.Boolean, nullable=False),
    Column("segments", sa.Integer),
    Column("billed_as", sa.Text),
    Index("ix_outcomes_case_id_sent_at", "case_id", "sent_at"),
    Index(
        "ix_outcomes_unsettled",
        "settles_at",
        sqlite_where=sa.text("settled IS 0"),
        postgresql_where=sa.text("settled IS false"),
    ),
)
"""One row for each channel that a message went out on. ``decided_by`` is the code of the reason that chose the channel;
``asks``: it asked for something, so that silence says something; ``settled``: its time is over and it was learned from.
``taken``: a provider accepted it, and may ask money for it; ``segments`` of an SMS; ``billed_as``: what the provider
said that it bills it as (``utility``), ``FREE`` for nothing.
"""

FREE = "free"
"""``outcomes.billed_as`` of a message that its provider does not charge for."""

tallies = Table(
    "tallies",
    metadata,
    Column("scope", sa.Text, primary_key=True),
    Column("channel", sa.Text, primary_key=True),
    Column("customer_id", sa.Text, index=True),
    Column("counts", sa.JSON, nullable=False),
)
"""``notifiers.learning.tally.Tally`` by ``level/purpose/key``, such as ``customer/fault/ana``, with their id.
"""

channel_reports = Table(
    "channel_reports",
    metadata,
    Column("channel", sa.Text, primary_key=True),
    Column("stage", sa.Text, primary_key=True),
    Column("last_at", UtcTime, nullable=False),
)
"""When a channel last reported a stage (delivered, read) to anybody: whether its silence says something."""
