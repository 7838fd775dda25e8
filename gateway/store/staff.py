"""Tables of who works when, and of what is due when: working hours, service levels and their clocks."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from gateway.store.schema import UtcTime, metadata

working_hours = Table(
    "working_hours",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("hours", sa.Text, nullable=False),
    Column("zone", sa.Text, nullable=False),
    Column("place", sa.Text),
    Column("closed_on", sa.JSON, nullable=False),
)
"""``hours``: ``Mo-Fr 09:00-17:00``. ``place``: whose public holidays are off, ``DE`` or ``DE-BE`` (ISO 3166-1, -2).
``closed_on``: further days off, ``["2026-12-24"]``."""

sla_policies = Table(
    "sla_policies",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("position", sa.Integer, nullable=False),
    Column("within", sa.JSON, nullable=False),
    Column("hours", sa.Text),
    Column("severities", sa.JSON, nullable=False),
    Column("kinds", sa.JSON, nullable=False),
    Column("segments", sa.JSON, nullable=False),
    Column("tiers", sa.JSON, nullable=False),
    Column("pauses", sa.JSON, nullable=False),
    Column("warn_before_s", sa.Float, nullable=False),
)
"""The first by ``position`` whose conditions hold is a case's. ``within``: seconds of business time by target."""

sla_clocks = Table(
    "sla_clocks",
    metadata,
    Column("case_id", sa.BigInteger, primary_key=True, autoincrement=False),
    Column("target", sa.Text, primary_key=True),
    Column("round", sa.Integer, nullable=False),
    Column("runs", sa.JSON, nullable=False),
    Column("stopped_at", UtcTime),
    Column("due_at", UtcTime),
    Column("warn_at", UtcTime),
    Column("warned_at", UtcTime),
    Column("breached_at", UtcTime),
    Index("ix_sla_clocks_due_at", "due_at"),
    Index("ix_sla_clocks_warn_at", "warn_at"),
)
"""``target``: first_response | next_response | resolve. ``runs``: [[from, until or null], …], see ``staff.sla.Clock``.

``due_at`` and ``warn_at`` are NULL while it stands or has stopped."""
