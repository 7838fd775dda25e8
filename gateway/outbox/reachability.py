"""Which of a customer's channels are shut: a dead address, or one whose owner told the provider to stop.

A dead address is tried again once it is another one, its owner writes from it, or a person sends a message again. An
objection at the provider ends when they lift it there (START, unblocking the bot), or with another address.
"""

import sqlalchemy as sa
from pydantic import ValidationError

from device_models.registry import Customer, Origin
from gateway.commands import CommandRefused
from gateway.people.registry import put_records
from gateway.store import dialect
from gateway.store.reachability import unreachable
from gateway.transaction import Transaction
from notifiers.reasons import Reason, channel_name

_SHUT = (
    sa.select(unreachable).where(unreachable.c.customer_id == sa.bindparam("customer")).order_by(unreachable.c.channel)
)


def shut_channels(tx: Transaction, customer: Customer) -> dict[str, Reason]:
    """Return the customer's channels that are not to be tried, each with its reason."""
    shut_ones = {}
    for row in tx.connection.execute(_SHUT, {"customer": customer.id}).mappings():
        if customer.address(row["channel"]) != row["address"]:
            continue
        facts = {"channel": row["channel"], "provider": row["provider"], "reason": row["code"] or row["reason"]}
        shut_ones[row["channel"]] = Reason(f"channel.{row['reason']}", facts)
    return shut_ones


def shut(
    tx: Transaction, customer: Customer, channel: str, address: str, reason: str, provider: str, code: str
) -> None:
    """Remember that ``address`` is not to be tried again; ``reason``: dead | blocked."""
    row = {
        "customer_id": customer.id,
        "channel": channel,
        "address": address,
        "reason": reason,
        "provider": provider,
        "code": code,
        "at": tx.now,
    }
    dialect.upsert(tx.connection, unreachable, [row])
    tx.changed("customer", customer.id)


def heard_from(tx: Transaction, customer: Customer, channel: str, *, let_in: bool) -> None:
    """A person wrote from a channel: it is not dead; ``let_in``: they lifted what they had told the provider too."""
    gone = sa.delete(unreachable).where(unreachable.c.customer_id == customer.id, unreachable.c.channel == channel)
    if not let_in:
        gone = gone.where(unreachable.c.reason == "dead")
    if tx.connection.execute(gone).rowcount:
        tx.changed("customer", customer.id)


def try_again(tx: Transaction, customer_id: str, channel: str) -> None:
    """A person wants a channel tried again whose address was found dead; what its owner stopped stays stopped."""
    u = unreachable.c
    dead = sa.delete(unreachable).where(u.customer_id == customer_id, u.channel == channel, u.reason == "dead")
    if tx.connection.execute(dead).rowcount:
        tx.changed("customer", customer_id)


def mend_address(tx: Transaction, row: sa.RowMapping, address: str) -> None:
    """Give the customer of a message another address on its channel.

    Raises CommandRefused where it has no channel, or what was given is no address of it.
    """
    customer, channel = tx.registry.customers.get(row["customer_id"]), row["channel"]
    if customer is None or channel is None:
        raise CommandRefused(f"message {row['id']} went to nobody whose address could be mended")
    changed: dict[str, object]
    if channel in ("email", "sms", "voice") and channel not in customer.addresses:
        changed = {"email" if channel == "email" else "phone": address.strip()}
    else:
        changed = {"addresses": {**customer.addresses, channel: address.strip()}}
    # The company's file still has the one that did not work, and must not bring it back.
    mended = Origin(source="mended by staff", at=tx.now, own=True)
    changed["origins"] = customer.origins | {"sms" if channel == "voice" else channel: mended}
    try:
        put_records(tx, "customers", [Customer.model_validate({**customer.model_dump(), **changed})])
    except ValidationError as error:
        # Without the value, which is somebody's address.
        said = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise CommandRefused(f"address: {said}") from None
    tx.changed("customer", customer.id)


def said_to_staff(channel: str, reason: str) -> str:
    """Say in the case what was found out about the channel."""
    name = channel_name(channel)
    if reason == "blocked":
        return f"The customer told the provider to stop messages by {name}; it is not used until they lift that."
    return f"The customer's address for {name} is dead; it is not tried again until it is changed."
