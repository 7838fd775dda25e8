"""Whose an address is: a household shares a number, and what is said from it is said by everybody there."""

from device_models.registry import Customer
from gateway.transaction import Transaction
from notifiers.mail.compose import parse_mailbox


def customers_at(tx: Transaction, channel: str, address: str) -> list[Customer]:
    """Return the customers who are reached at an address, in the order of the registry; none for an empty one."""
    if not address:
        return []
    # Not an index, since an address may be written in ``addresses``; a few thousand comparisons cost a millisecond.
    known = tx.registry.customers.values()
    if channel != "email":
        return [customer for customer in known if customer.address(channel) == address]
    plain = plain_mail(address)
    return [customer for customer in known if (own := customer.address(channel)) and plain_mail(own) == plain]


def plain_mail(address: str) -> str:
    """As ``MailArrived.address`` is: lower case, an internationalised domain in ASCII."""
    if address.isascii():
        return address.casefold()
    try:
        return parse_mailbox(address).spec.casefold()
    except ValueError:
        return address.casefold()
