"""Tables of who works when, and of what is due when: working hours, service levels and their clocks."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table

from gateway.store.schema import RowId, UtcTime, metadata

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

rotas = Table(
    "rotas",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("zone", sa.Text, nullable=False),
    Column("team", sa.Text),
    Column("severities", sa.JSON, nullable=False),
    Column("breaches", sa.Boolean, nullable=False),
    Column("alarms", sa.Boolean, nullable=False),
    Column("ack_within_s", sa.Float, nullable=False),
    Column("lines", sa.JSON, nullable=False),
)
"""Who is told of what: new cases of ``severities`` (of ``team``, or of all), ``breaches`` of service levels, the
gateway's own ``alarms``. ``lines``: [{level, hours, people, since, place, holidays}, …], see ``staff.rota.Line``."""

rota_overrides = Table(
    "rota_overrides",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("rota", sa.Text, nullable=False, index=True),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False),
    Column("person", sa.Text, nullable=False),
    Column("instead_of", sa.Text),
    Column("said_by", sa.Text, nullable=False),
)

staff_contacts = Table(
    "staff_contacts",
    metadata,
    Column("user_name", sa.Text, primary_key=True),
    Column("channel", sa.Text, primary_key=True),
    Column("address", sa.Text, nullable=False, index=True),
    Column("position", sa.Integer, nullable=False),
)
"""Where staff are told, the lowest ``position`` first."""

staff_alerts = Table(
    "staff_alerts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("rota", sa.Text, nullable=False, index=True),
    Column("state", sa.Text, nullable=False, index=True),
    Column("opened_at", UtcTime, nullable=False),
    Column("items", sa.JSON, nullable=False),
    Column("sent_items", sa.Integer, nullable=False),
    Column("told", sa.JSON, nullable=False),
    Column("last_sent_at", UtcTime),
    Column("next_at", UtcTime),
    Column("acknowledged_by", sa.Text),
    Column("acknowledged_at", UtcTime),
)
"""``state``: open | acknowledged | over (it needed nobody any more). ``items``: [{key, kind, text, case_id}, …], of
which the first ``sent_items`` were told. ``told``: [{name, channel, at, notification_id}, …]. ``next_at``: when it goes
on to the next channel or person; NULL: everybody was told."""

staff_alert_keys = Table(
    "staff_alert_keys",
    metadata,
    Column("rota", sa.Text, primary_key=True),
    Column("key", sa.Text, primary_key=True),
    Column("alert_id", sa.BigInteger, nullable=False, index=True),
)
"""What was told of already: a case's round, a breach, an alarm that lasts."""
