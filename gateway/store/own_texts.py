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

text_drafts = Table(
    "text_drafts",
    metadata,
    Column("kind", sa.Text, primary_key=True),
    Column("name", sa.Text, primary_key=True),
    Column("language", sa.Text, primary_key=True),
    Column("text", sa.Text, nullable=False),
    Column("began_from", sa.BigInteger, nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("saved_by", sa.Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
)
"""What is being written of each text, in force nowhere. ``began_from``: the id in ``own_texts`` that was in force then,
0 where the files or the product spoke. ``version`` counts how often it was kept."""
