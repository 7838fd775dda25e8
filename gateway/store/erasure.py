"""The tables of what is left of a customer who was erased: proof of what they objected to, and what is still to go."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import UtcTime, metadata

erased_objections = Table(
    "erased_objections",
    metadata,
    Column("address_hash", sa.Text, primary_key=True),
    Column("purpose", sa.Text, primary_key=True),
    Column("at", UtcTime, nullable=False),
)
"""A keyed hash of an address and a purpose that its owner objected to: an address that comes back is not written to."""

history_erasures = Table(
    "history_erasures",
    metadata,
    Column("device_id", sa.Text, primary_key=True),
    Column("asked_at", UtcTime, nullable=False),
)
"""Devices whose samples and fixes the history is still to forget."""
