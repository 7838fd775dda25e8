"""Tables of what customers ask for on their page: calls, service dates, and what they thought of the help."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from gateway.store.schema import RowId, UtcTime, metadata

tasks = Table(
    "tasks",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("kind", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False, index=True),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("case_id", sa.BigInteger),
    Column("wanted_from", UtcTime, nullable=False),
    Column("wanted_until", UtcTime),
    Column("number", sa.Text),
    Column("about", sa.Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("outcome", sa.Text),
    Column("settled_by", sa.Text),
    Column("settled_at", UtcTime),
)
"""``kind``: call | date. ``state``: open | done | missed | cancelled. ``number``: one that is not on record."""

service_slots = Table(
    "service_slots",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("team", sa.Text, nullable=False, index=True),
    Column("feed", sa.Text, nullable=False),
    Column("starts_at", UtcTime, nullable=False, index=True),
    Column("ends_at", UtcTime, nullable=False),
)
"""Dates that a team's feeds offer; what a feed no longer names is taken out."""

bookings = Table(
    "bookings",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("slot_id", sa.Text, nullable=False),
    Column("team", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("case_id", sa.BigInteger),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("held_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    # Whatever else goes wrong, no date has two customers. A feed may give a date's id to another hour.
    Index(
        "ix_bookings_once",
        "slot_id",
        "starts_at",
        unique=True,
        sqlite_where=sa.text("state != 'cancelled'"),
        postgresql_where=sa.text("state != 'cancelled'"),
    ),
)
"""``state``: held (until ``held_until``) | booked | cancelled."""

survey_answers = Table(
    "survey_answers",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", sa.BigInteger, nullable=False),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("satisfaction", sa.Integer),
    Column("effort", sa.Integer),
    Column("helped", sa.Text),
    Column("helped_other", sa.Text),
    Column("better", sa.Text),
    Column("at", UtcTime, nullable=False, index=True),
    sa.UniqueConstraint("case_id", "customer_id"),
)
"""``satisfaction``: 1 very bad to 5 very good (CSAT counts 4 and 5). ``effort``: 1 very hard to 5 very easy.

``helped``: steps | message | person | nothing | other, then ``helped_other`` says what.
"""
