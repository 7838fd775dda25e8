"""Which ticket of a help desk stands for which case."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import metadata

tickets = Table(
    "tickets",
    metadata,
    Column("desk", sa.Text, primary_key=True),
    Column("case_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("ticket_id", sa.Text, nullable=False),
    Column("last_comment", sa.BigInteger, nullable=False),
    Column("status", sa.Text, nullable=False),
    sa.UniqueConstraint("desk", "ticket_id"),
)
"""``last_comment``: id of the last of the help desk's comments that was looked at; its ids only grow. ``status``: open
| solved, the last that was seen or set, so that only what somebody changed there changes the case."""
