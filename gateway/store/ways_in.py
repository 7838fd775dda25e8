"""Tables of how staff get in: links to set a password with, codes for a lost authenticator, identities elsewhere."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import UtcTime, metadata

account_links = Table(
    "account_links",
    metadata,
    Column("token_hash", sa.Text, primary_key=True),
    Column("user_name", sa.Text, nullable=False, index=True),
    Column("role", sa.Text),
    Column("forget_second_factor", sa.Boolean, nullable=False),
    Column("created_by", sa.Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("email", sa.Text),
)
"""Invitations (``role`` and ``email`` are what the new user gets) and password resets (``role`` is NULL).

A used one is deleted."""

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("user_name", sa.Text, primary_key=True),
    Column("code_hash", sa.Text, primary_key=True),
)
"""Each stands in for the authenticator once; a used one is deleted."""

outside_identities = Table(
    "outside_identities",
    metadata,
    Column("issuer", sa.Text, primary_key=True),
    Column("subject", sa.Text, primary_key=True),
    Column("user_name", sa.Text, nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
)
"""Who a user is at an identity provider: ``subject`` (``sub``) is the one claim that never goes to somebody else."""
