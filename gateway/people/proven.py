"""Which of a customer's addresses are proven to be theirs, and so where they may be written to."""

import sqlalchemy as sa

from device_models.registry import Customer
from gateway.config import Notifiers
from gateway.outbox.channels import configured_channels
from gateway.store.enrolment import verified_addresses

OPEN_LINK = "open_link"
"""``verified_addresses.source`` of a messenger that was linked while nobody could prove who they are."""
_PROVING = frozenset({"email", "sms", "whatsapp", "telegram", "line"})
"""Where a code is read by whoever has the address; what comes to their page proves only that they hold its link."""


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


def proving_channels(connection: sa.Connection, customer: Customer, settings: Notifiers) -> list[str]:
    """Channels where a code proves that whoever gives it back is this customer.

    Whoever was passed a link on may have linked a messenger of their own by it while there were none of these.
    """
    v = verified_addresses.c
    linked = sa.select(v.channel, v.address).where(v.customer_id == customer.id, v.source == OPEN_LINK)
    unsure = {channel for channel, address in connection.execute(linked) if customer.address(channel) == address}
    return [
        channel
        for channel in configured_channels(settings)
        if channel in _PROVING and channel not in unsure and customer.address(channel)
    ]
