"""The table of rules that are being written."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import RowId, UtcTime, metadata

rule_drafts = Table(
    "rule_drafts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("state", sa.Text, nullable=False, index=True),
    Column("text", sa.Text, nullable=False),
    Column("replaces", sa.JSON, nullable=False),
    Column("began_as", sa.Text, nullable=False),
    Column("began_from", sa.Text, nullable=False),
    Column("version", sa.Integer, nullable=False),
    Column("began_by", sa.Text, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("saved_by", sa.Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
    Column("put_live_as", sa.Text),
    Column("backtest", sa.JSON),
    Column("trying", sa.JSON),
)
"""``state``: open | live | dropped. The text stands in place of the rules ``replaces`` among those in force;
``began_as`` is what they said, and ``began_from`` the version in force, when it was begun. ``version`` counts savings.
``backtest`` is the outcome of the last one, ``trying`` what one that goes on was asked for: it is left over where the
gateway was ended meanwhile. What went live (``put_live_as``: as that version) is kept for its comments.
"""
