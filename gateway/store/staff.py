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

teams = Table(
    "teams",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("position", sa.Integer, nullable=False),
    Column("hours", sa.Text),
    Column("rules", sa.JSON, nullable=False),
    Column("profiles", sa.JSON, nullable=False),
    Column("languages", sa.JSON, nullable=False),
    Column("regions", sa.JSON, nullable=False),
    Column("assigns", sa.Boolean, nullable=False),
    Column("fallback", sa.Text),
)
"""The first by ``position`` whose conditions hold takes a case.

``assigns``: it goes to the least loaded member at once.
``fallback``: the team that takes over while nobody here is on duty."""

team_members = Table(
    "team_members",
    metadata,
    Column("team", sa.Text, primary_key=True),
    Column("user_name", sa.Text, primary_key=True, index=True),
    Column("languages", sa.JSON, nullable=False),
    Column("at_most", sa.Integer),
)
"""``languages``: those a member answers in; none: any. ``at_most``: open cases that they are given; NULL: no bound."""

away = Table(
    "away",
    metadata,
    Column("user_name", sa.Text, primary_key=True),
    Column("until", UtcTime, nullable=False),
)
"""Who is not on duty although their team is."""

scopes = Table(
    "scopes",
    metadata,
    Column("who", sa.Text, primary_key=True),
    Column("teams", sa.JSON, nullable=False),
    Column("regions", sa.JSON, nullable=False),
)
"""What somebody's role is bounded to: ``who`` is a user's name, or ``token:`` and a token's. An empty list is no bound;
who has no row sees all."""
