"""The table of verdicts: what people said of cases, and of those there would have been."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import RowId, UtcTime, metadata

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", sa.BigInteger, unique=True),
    Column("transition_id", sa.BigInteger, unique=True),
    Column("rule", sa.Text, nullable=False),
    Column("device_id", sa.Text, nullable=False),
    Column("verdict", sa.Text, nullable=False),
    Column("duplicate_of", sa.BigInteger),
    Column("said_by", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("fired_at", UtcTime, nullable=False),
    sa.Index("ix_verdicts_rule_fired_at", "rule", "fired_at"),
)
"""The last word on each. ``case_id``, or ``transition_id`` of the firing that would have opened one in shadow.

``verdict``: real | false_alarm | duplicate. ``said_by``: a user's name, or ``customer``, whom staff overrule.
``fired_at``: when the case opened, or would have.
"""
