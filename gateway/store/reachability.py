"""The table of addresses that are not tried: dead ones, and those whose owner told the provider to stop."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import UtcTime, metadata

unreachable = Table(
    "unreachable",
    metadata,
    Column("customer_id", sa.Text, primary_key=True),
    Column("channel", sa.Text, primary_key=True),
    Column("address", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("provider", sa.Text, nullable=False),
    Column("code", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
"""``reason``: dead | blocked. It holds for ``address`` alone: once the customer's is another one, that is tried."""
