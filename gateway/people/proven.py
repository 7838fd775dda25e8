"""Which of a customer's addresses are proven to be theirs, and so where they may be written to."""

import sqlalchemy as sa

from device_models.registry import Customer
from gateway.config import Notifiers
from gateway.outbox.channels import configured_channels
from gateway.store.enrolment import verified_addresses


def proven_channels(connection: sa.Connection, customer: Customer, settings: Notifiers) -> frozenset[str] | None:
    """Channels whose address its owner proved; None where what the company imported counts as proven."""
    if settings.trust_imported:
        return None
    v = verified_addresses.c
    rows = connection.execute(sa.select(v.channel, v.address).where(v.customer_id == customer.id))
    return frozenset(channel for channel, address in rows if customer.address(channel) == address)


def ways_to(connection: sa.Connection, customer: Customer, settings: Notifiers) -> list[str]:
    """Channels that have a provider and reach a customer at a proven address, in the company's order."""
    proven = proven_channels(connection, customer, settings)
    return [
        channel
        for channel in configured_channels(settings)
        if customer.address(channel) and (proven is None or channel in proven)
    ]
