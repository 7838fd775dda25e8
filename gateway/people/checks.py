"""Codes that prove an address: sent there, few, short-lived, and bounded in how often one may guess."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

import sqlalchemy as sa

from device_models.event import rfc3339
from gateway.commands import CommandRefused
from gateway.outbox.checking import CHECK, enqueue_to
from gateway.outbox.queue import available_channels
from gateway.store import schema
from gateway.store.enrolment import address_checks
from gateway.transaction import Transaction

STRANGER = "stranger"
"""``notifications.customer_id`` of a check to somebody who is no customer yet."""
LIFE = timedelta(minutes=15)
MOST_ATTEMPTS = 5
MOST_AN_HOUR = 3
"""Checks to one address: whoever types in other people's addresses sends them at most so many."""
CHECKED = ("email", "sms", "whatsapp")
"""Channels where a code can be sent to an address that somebody typed."""
Kind = Literal["claim", "address", "proof"]


def send(
    tx: Transaction,
    kind: Kind,
    channel: str,
    address: str,
    *,
    customer_id: str | None = None,
    claim_hash: str | None = None,
    draft: Mapping[str, Any] | None = None,
) -> str:
    """Send a code to an address and return the token that the answer goes with."""
    if channel not in available_channels(tx):
        raise CommandRefused("check.channel")
    c = address_checks.c
    recent = sa.select(sa.func.count()).where(c.address == address, c.created_at > tx.now - timedelta(hours=1))
    if tx.connection.execute(recent).scalar_one() >= MOST_AN_HOUR:
        raise CommandRefused("check.too_many")
    token, code = secrets.token_urlsafe(32), f"{secrets.randbelow(10**6):06d}"
    expires_at = tx.now + LIFE
    tx.connection.execute(
        sa.insert(address_checks).values(
            token_hash=digest(token),
            answer_hash=digest(token, code),
            kind=kind,
            customer_id=customer_id,
            claim_hash=claim_hash,
            channel=channel,
            address=address,
            draft=dict(draft or {}),
            created_at=tx.now,
            expires_at=expires_at,
            attempts=0,
        )
    )
    # The same address and moment never make a second one; the hash tells nobody the token.
    key, facts = f"check:{digest(token)}", {"check_code": code, "expires_at": rfc3339(expires_at)}
    said = {"draft": dict(draft)} if draft else {}
    enqueue_to(tx, CHECK, key, customer_id or STRANGER, channel, address, {**facts, **said}, expires_at)
    return token


def answer(tx: Transaction, token: str, code: str) -> tuple[sa.RowMapping | None, int]:
    """Take an answer: the check where it is right, else None; and how many attempts are left."""
    c = address_checks
    row = tx.connection.execute(sa.select(c).where(c.c.token_hash == digest(token))).mappings().first()
    if row is None or row["used_at"] is not None or row["expires_at"] <= tx.now or row["attempts"] >= MOST_ATTEMPTS:
        return None, 0
    given = "".join(filter(str.isdigit, code))
    right = secrets.compare_digest(digest(token, given), row["answer_hash"])
    values = {"used_at": tx.now} if right else {"attempts": row["attempts"] + 1}
    tx.connection.execute(sa.update(c).where(c.c.token_hash == row["token_hash"]).values(**values))
    return (row if right else None), MOST_ATTEMPTS - row["attempts"] - (0 if right else 1)


def forget(tx: Transaction) -> int:
    """Drop checks of yesterday, and what their messages said and to whom."""
    c, n = address_checks, schema.notifications
    old = tx.now - timedelta(days=1)
    gone = tx.connection.execute(sa.delete(c).where(c.c.created_at < old)).rowcount
    messages = sa.and_(n.c.template == CHECK, n.c.created_at < old, n.c.address.is_not(None))
    tx.connection.execute(sa.update(n).where(messages).values(address=None, body=None, subject=None, facts={}))
    return gone


def digest(*parts: str) -> str:
    """Hash a secret for keeping."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
