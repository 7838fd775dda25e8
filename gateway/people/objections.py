"""What an erased customer had objected to, kept as keyed hashes of their addresses."""

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

import sqlalchemy as sa

from device_models.purpose import Purpose
from device_models.registry import Customer
from gateway.store import dialect
from gateway.store.erasure import erased_objections

if TYPE_CHECKING:
    from gateway.transaction import Transaction

_KEY = "erasure_key"


def remember_objections(tx: "Transaction", customer: Customer) -> None:
    """Keep proof of what this person objected to, without the person."""
    if not customer.objections:
        return
    key = tx.get_meta(_KEY)
    if key is None:
        key = secrets.token_hex(32)
        tx.set_meta(_KEY, key)
    rows = [
        {"address_hash": _hash(key, address), "purpose": purpose.value, "at": tx.now}
        for address in sorted(addresses_of(customer))
        for purpose in sorted(customer.objections)
    ]
    dialect.upsert(tx.connection, erased_objections, rows)


def objected_before(tx: "Transaction", customer: Customer) -> frozenset[Purpose]:
    """Return what the owner of one of these addresses objected to before they were erased."""
    key = tx.get_meta(_KEY)
    hashes = [_hash(key, address) for address in addresses_of(customer)] if key else []
    if not hashes:
        return frozenset()
    e = erased_objections.c
    found = tx.connection.execute(sa.select(e.purpose).where(e.address_hash.in_(hashes))).scalars()
    return frozenset(Purpose(purpose) for purpose in found)


def addresses_of(customer: Customer) -> set[str]:
    """All that this person is reached at, in lower case."""
    given = (customer.email, customer.phone, *customer.addresses.values())
    return {address.strip().casefold() for address in given if address}


def _hash(key: str, address: str) -> str:
    return hmac.new(key.encode(), address.encode(), hashlib.sha256).hexdigest()
