"""The table of what tills reported: which offers were redeemed, and what customers bought of them."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import RowId, UtcTime, metadata

redemptions = Table(
    "redemptions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("key", sa.Text, nullable=False, unique=True),
    Column("offer_id", sa.Text, nullable=False, index=True),
    Column("code", sa.Text),
    Column("customer_id", sa.Text, index=True),
    Column("decision_id", sa.BigInteger),
    Column("amount", sa.Float),
    Column("shop_id", sa.Text),
    Column("source", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
"""One row a purchase. ``key`` makes it count once: the offer with its code, else with the till's own receipt number.

``decision_id``: the visit at which the offer was made to them; None where it was not offered to them.
"""
