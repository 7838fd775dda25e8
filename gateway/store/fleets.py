"""The tables of what concerns many devices: who fails alike, and what changed about each."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from gateway.store.schema import RowId, UtcTime, metadata

crowds = Table(
    "crowds",
    metadata,
    Column("key", sa.Text, primary_key=True),
    Column("rule", sa.Text, nullable=False, index=True),
    Column("alike", sa.JSON, nullable=False),
    Column("state", sa.JSON, nullable=False),
)
"""``rules.response.crowd.Crowd`` by key: how many alike devices of a fleet rule fail, and how many usually do."""

crowd_members = Table(
    "crowd_members",
    metadata,
    Column("key", sa.Text, primary_key=True),
    Column("device_id", sa.Text, primary_key=True),
    Column("customer_id", sa.Text),
    Column("counted_at", UtcTime, nullable=False),
    Column("faults", sa.JSON, nullable=False),
    Column("failing", sa.Boolean, nullable=False),
    Column("incident", sa.BigInteger, index=True),
    Column("told", sa.Boolean, nullable=False),
    Index("ix_crowd_members_device_id", "device_id"),
    Index("ix_crowd_members_key_failing", "key", "failing", "counted_at"),
    Index("ix_crowd_members_key_customer_id", "key", "customer_id"),
)
"""Devices counted in a crowd; ``failing`` while one of ``faults`` (dedupe keys) lasts; ``incident``: its case."""

device_changes = Table(
    "device_changes",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("device_id", sa.Text, nullable=False),
    Column("field", sa.Text, nullable=False),
    Column("before", sa.Text),
    Column("after", sa.Text),
    Column("at", UtcTime, nullable=False),
    Column("source", sa.Text, nullable=False),
    Index("ix_device_changes_device_id_at", "device_id", "at"),
    Index("ix_device_changes_at", "at"),
)
"""What a device was and is: firmware, model, site, hub, profile. ``source``: ``import`` or ``device``, its own word."""
