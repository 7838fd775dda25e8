"""The tables of what customers wrote: how each message was understood, and those that join no case."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from gateway.store.schema import RowId, UtcTime, metadata

readings = Table(
    "readings",
    metadata,
    Column("inbound_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", sa.Text, index=True),
    Column("case_id", sa.BigInteger, index=True),
    Column("intent", sa.Text, nullable=False),
    Column("confidence", sa.Float, nullable=False),
    Column("tagged_by", sa.Text, nullable=False),
    Column("urgency", sa.Text, nullable=False),
    Column("sentiment", sa.Integer, nullable=False),
    Column("noise", sa.Boolean, nullable=False),
    Column("may_stop", sa.Boolean, nullable=False),
    Column("language", sa.Text),
    Column("language_confidence", sa.Float, nullable=False),
    Column("cues", sa.JSON, nullable=False),
    Column("translation", sa.Text),
    Column("translated_to", sa.Text),
    Column("waits_for", sa.Text),
    Column("attempts", sa.Integer, nullable=False),
    Column("not_before", UtcTime),
    Column("at", UtcTime, nullable=False),
    Index(
        "ix_readings_waiting",
        "waits_for",
        "not_before",
        sqlite_where=sa.text("waits_for IS NOT NULL"),
        postgresql_where=sa.text("waits_for IS NOT NULL"),
    ),
)
"""One row a message of ``inbound``. ``tagged_by``: keyword | number | button | phrase | cues | model; ``urgency``:
low | normal | high; ``sentiment``: -1 | 0 | 1; ``language`` is a guess; ``may_stop``: taken for no STOP and perhaps
one, so that what can wait is not sent before a person has read it. ``waits_for``: model | translation while a service
outside is still to be asked, ``not_before`` when it is asked again."""

phrases = Table(
    "phrases",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("words", sa.Text, nullable=False, unique=True),
    Column("text", sa.Text, nullable=False),
    Column("language", sa.Text),
    Column("intent", sa.Text, nullable=False),
    Column("said_by", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
"""Phrases that staff gave a meaning: whatever a customer writes in these ``words`` (plain, parted by spaces) has it."""

unjoined = Table(
    "unjoined",
    metadata,
    Column("inbound_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("customer_id", sa.Text, index=True),
    Column("address", sa.Text, nullable=False),
    Column("verified", sa.Boolean, nullable=False),
    Column("claims_case_id", sa.BigInteger),
    Column("state", sa.Text, nullable=False),
    Column("case_id", sa.BigInteger),
    Column("decided_by", sa.Text),
    Column("decided_at", UtcTime),
    Column("at", UtcTime, nullable=False),
    Index("ix_unjoined_state_at", "state", "at"),
)
"""Messages that join no case by themselves. ``state``: open | joined | discarded. ``claims_case_id`` is the case whose
mail it answers; ``verified``: its sender is who it says, and still nobody's customer or in no case."""
