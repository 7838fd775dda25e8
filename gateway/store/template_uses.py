"""The table of templates that a person has let go once."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import UtcTime, metadata

template_uses = Table(
    "template_uses",
    metadata,
    Column("template", sa.Text, primary_key=True),
    Column("version", sa.Text, primary_key=True),
    Column("language", sa.Text, primary_key=True),
    Column("approved_by", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
"""``version``: of the template with its layouts and partials, ``notifiers.wording.render.Renderer.version``."""
