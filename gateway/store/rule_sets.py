"""The table of rule sets that were put live."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import RowId, UtcTime, metadata

rule_sets = Table(
    "rule_sets",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("version", sa.Text, nullable=False, index=True),
    Column("rules", sa.JSON, nullable=False),
    Column("origin", sa.Text, nullable=False),
    Column("files_version", sa.Text),
    Column("who", sa.Text, nullable=False),
    Column("put_live_at", UtcTime, nullable=False, index=True),
    Column("migration", sa.JSON, nullable=False),
)
"""One row each time a rule set went live; the newest is in force. ``origin``: files | command | roll-back.

``rules`` are as rule files write them; ``files_version`` is that of the configured files at that time: once those say
something else, they are in force again.
"""
