"""Files of a conversation: what customers sent and what staff added."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import RowId, UtcTime, metadata

attachments = Table(
    "attachments",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", sa.BigInteger, index=True),
    Column("customer_id", sa.Text, index=True),
    Column("inbound_id", sa.BigInteger, index=True),
    Column("notification_id", sa.BigInteger, index=True),
    Column("entry_id", sa.BigInteger, index=True),
    Column("name", sa.Text, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("size", sa.BigInteger, nullable=False),
    Column("sha256", sa.Text, nullable=False),
    Column("added_by", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    # Last, so that what is read without it reads none of its pages.
    Column("content", sa.LargeBinary, nullable=False),
)
"""One row a file. It belongs to a message of the customer's (``inbound_id``), one of ours (``notification_id``) or a
note (``entry_id``, a row of ``timeline``). ``case_id``: NULL while its message joins none. ``kind``: its media type by
its content. ``added_by``: ``customer`` or a user's name."""
