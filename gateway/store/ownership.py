"""The tables of who is what to a device, since when and until when, and which unit took which one's place."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from gateway.store.schema import RowId, UtcTime, metadata

device_people = Table(
    "device_people",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("device_id", sa.Text, nullable=False, index=True),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("role", sa.Text, nullable=False),
    Column("purposes", sa.JSON, nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime),
    Column("source", sa.Text, nullable=False),
    Index(
        "ix_device_people_one_owner",
        "device_id",
        unique=True,
        sqlite_where=sa.text("role = 'owner' AND ends_at IS NULL"),
        postgresql_where=sa.text("role = 'owner' AND ends_at IS NULL"),
    ),
    Index(
        "ix_device_people_once",
        "device_id",
        "customer_id",
        unique=True,
        sqlite_where=sa.text("ends_at IS NULL"),
        postgresql_where=sa.text("ends_at IS NULL"),
    ),
)
"""``role``: owner | household | caretaker | site_manager; ``ends_at`` None: still so. The owner of now is also
``devices.customer_id``."""

device_replacements = Table(
    "device_replacements",
    metadata,
    Column("new_id", sa.Text, primary_key=True),
    Column("old_id", sa.Text, nullable=False, unique=True),
    Column("at", UtcTime, nullable=False),
    Column("by", sa.Text, nullable=False),
)
"""The unit ``new_id`` took the place of ``old_id``; its history goes on there."""
