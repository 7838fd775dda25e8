"""The table of message texts that the company wrote in the console."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import RowId, UtcTime, metadata

own_texts = Table(
    "own_texts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("kind", sa.Text, nullable=False),
    Column("name", sa.Text, nullable=False),
    Column("language", sa.Text, nullable=False),
    Column("text", sa.Text),
    Column("saved_by", sa.Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
    sa.Index("ix_own_texts_kind", "kind", "name", "language"),
)
"""One row each time a text was saved; the newest of (kind, name, language) is in force, NULL gives back what the files
or the product say. ``kind``: template (``name``; its language is ""), words (``language``; a JSON object of msgid and
translation) | article (``name``, ``language``).
"""
