"""Files of a conversation: what customers sent and what staff added."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

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
    Column("fetch_from", sa.Text),
    Column("fetch_ref", sa.Text),
    Column("fetch_at", UtcTime),
    Column("fetch_attempts", sa.Integer),
    Column("failed", sa.Text),
    # Last, so that what is read without it reads none of its pages.
    Column("content", sa.LargeBinary, nullable=False),
    Index(
        "ix_attachments_fetch_at",
        "fetch_at",
        sqlite_where=sa.text("fetch_at IS NOT NULL"),
        postgresql_where=sa.text("fetch_at IS NOT NULL"),
    ),
)
"""One row a file. It belongs to a message of the customer's (``inbound_id``), one of ours (``notification_id``) or a
note (``entry_id``, a row of ``timeline``). ``case_id``: NULL while its message joins none. ``kind``: its media type by
its content. ``added_by``: ``customer`` or a user's name.

What lies with a chat provider has no content yet: ``fetch_at`` says when it is asked for (next), by ``fetch_ref`` of
the provider ``fetch_from``; ``failed`` why it will never have any."""
