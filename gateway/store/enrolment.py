"""Tables of how customers come in and prove who they are: claim codes, checks of addresses, links to messengers."""

import sqlalchemy as sa
from sqlalchemy import Column, Table

from gateway.store.schema import UtcTime, metadata

claim_codes = Table(
    "claim_codes",
    metadata,
    Column("code_hash", sa.Text, primary_key=True),
    Column("device_id", sa.Text, nullable=False, index=True),
    Column("customer_id", sa.Text),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", sa.Text, nullable=False),
    Column("expires_at", UtcTime),
    Column("used_at", UtcTime),
)
"""Printed on a product or a receipt. ``customer_id``: only this customer enrols with it, after a transfer to them."""

address_checks = Table(
    "address_checks",
    metadata,
    Column("token_hash", sa.Text, primary_key=True),
    Column("answer_hash", sa.Text, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("customer_id", sa.Text, index=True),
    Column("claim_hash", sa.Text),
    Column("channel", sa.Text, nullable=False),
    Column("address", sa.Text, nullable=False, index=True),
    Column("draft", sa.JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("attempts", sa.Integer, nullable=False),
    Column("used_at", UtcTime),
)
"""A code that was sent to an address. ``kind``: claim (a product) | address (a new one) | proof (who holds a link).

``draft`` is what a claim says of a person who is no customer yet; nothing else is kept of them until the code is right.
"""

link_codes = Table(
    "link_codes",
    metadata,
    Column("code_hash", sa.Text, primary_key=True),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("channel", sa.Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("proved", sa.Boolean, nullable=False),
    Column("used_at", UtcTime),
    Column("address", sa.Text),
)
"""What a customer sends us on a messenger, by a link that carries it, so that we know whose address that is.

``proved``: whoever asked for it had proved who they are."""

verified_addresses = Table(
    "verified_addresses",
    metadata,
    Column("customer_id", sa.Text, primary_key=True),
    Column("channel", sa.Text, primary_key=True),
    Column("address", sa.Text, nullable=False),
    Column("source", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
"""Proven addresses. ``source``: claim | check | link | open_link, where nobody could prove yet who opened the page."""

customer_settings = Table(
    "customer_settings",
    metadata,
    Column("customer_id", sa.Text, primary_key=True),
    Column("location", sa.Boolean, nullable=False),
    Column("links_from", UtcTime),
)
"""``location``: whether their position may be used for offers they agreed to; ``links_from``: links made before are
revoked."""
