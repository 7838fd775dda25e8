"""Tables of what staff do with cases: links, steps of runbooks, commands to devices, macros and saved views."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import RowId, UtcTime, metadata

case_links = Table(
    "case_links",
    metadata,
    Column("case_id", sa.BigInteger, primary_key=True),
    Column("other_id", sa.BigInteger, primary_key=True, index=True),
)
"""Cases that belong together, the lower number first."""

case_steps = Table(
    "case_steps",
    metadata,
    Column("case_id", sa.BigInteger, primary_key=True),
    Column("step", sa.Text, primary_key=True),
    Column("done_by", sa.Text, nullable=False),
    Column("done_at", UtcTime, nullable=False),
)
"""Steps of a runbook that were run, by their id in the rule."""

device_commands = Table(
    "device_commands",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("device_id", sa.Text, nullable=False, index=True),
    Column("case_id", sa.BigInteger, index=True),
    Column("name", sa.Text, nullable=False),
    Column("payload", sa.JSON, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("reason", sa.Text),
    Column("sent_by", sa.Text, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    Column("published_at", UtcTime),
    Column("answer_by", UtcTime),
    Column("confirmed_at", UtcTime),
    sa.Index("ix_device_commands_state", "state"),
)
"""``state``: queued | published | confirmed | failed. Confirmed by the device's next message after it was
published; failed where none came until ``answer_by``."""

macros = Table(
    "macros",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("text", sa.Text, nullable=False),
    Column("sends", sa.Boolean, nullable=False),
    Column("saved_by", sa.Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
)
"""Answers that staff give often; one that ``sends`` goes out as it is chosen."""

saved_views = Table(
    "saved_views",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("owner", sa.Text, index=True),
    Column("name", sa.Text, nullable=False),
    Column("query", sa.Text, nullable=False),
    Column("saved_at", UtcTime, nullable=False),
)
"""Filters of the queue under a name, as the address's query; ``owner`` NULL: everybody's."""
