"""Who hears of a device besides its owner, as rows and in memory."""

from collections import defaultdict
from typing import TYPE_CHECKING

import sqlalchemy as sa

from device_models.contact import SHARED_PURPOSES, Contact, Role
from device_models.purpose import Purpose
from gateway.commands import CommandRefused
from gateway.commands.people import EndContact, SaveContact
from gateway.store.ownership import device_people

if TYPE_CHECKING:
    from gateway.transaction import Transaction


def load_contacts(connection: sa.Connection) -> dict[str, tuple[Contact, ...]]:
    """Read the contacts of now, by device; owners are not among them."""
    p = device_people.c
    query = sa.select(p.device_id, p.customer_id, p.role, p.purposes).where(p.ends_at.is_(None), p.role != Role.OWNER)
    found: defaultdict[str, list[Contact]] = defaultdict(list)
    for device_id, customer_id, role, purposes in connection.execute(query.order_by(p.id)):
        found[device_id].append(Contact(customer_id, Role(role), frozenset(map(Purpose, purposes))))
    return {device_id: tuple(contacts) for device_id, contacts in found.items()}


def save_contact(tx: "Transaction", command: SaveContact) -> None:
    """Add a contact, or change role and purposes of one."""
    device, customer = tx.registry.devices.get(command.device_id), tx.registry.customers.get(command.customer_id)
    if device is None:
        raise CommandRefused(f"there is no device {command.device_id}")
    if customer is None:
        raise CommandRefused(f"there is no customer {command.customer_id}; import them first")
    if command.role is Role.OWNER:
        raise CommandRefused("an owner is made by a transfer")
    if device.customer_id is None:
        raise CommandRefused(f"device {device.id} has no owner: transfer it to one first")
    if device.customer_id == customer.id:
        raise CommandRefused(f"{customer.id} owns device {device.id} and hears of everything")
    purposes = frozenset(command.purposes) if command.purposes is not None else command.role.purposes
    if not purposes or purposes - SHARED_PURPOSES:
        allowed = ", ".join(sorted(SHARED_PURPOSES))
        raise CommandRefused(f"purposes of a contact are some of {allowed}; offers and news are for the owner alone")
    _close(tx, command.device_id, command.customer_id)
    tx.connection.execute(
        sa.insert(device_people).values(
            device_id=device.id,
            customer_id=customer.id,
            role=command.role.value,
            purposes=sorted(purposes),
            starts_at=tx.now,
            source=command.by,
        )
    )
    others = [c for c in tx.registry.contacts.get(device.id, ()) if c.customer_id != customer.id]
    set_contacts(tx, device.id, (*others, Contact(customer.id, command.role, purposes)))
    tx.audit(command.by, "device.contact", device.id, customer_id=customer.id, role=command.role.value)
    tx.changed("device", device.id)


def end_contact(tx: "Transaction", command: EndContact) -> None:
    """Let somebody hear of a device no longer; what still waits for them is withdrawn by ``withdraw_for``."""
    known = tx.registry.contacts.get(command.device_id, ())
    left = tuple(c for c in known if c.customer_id != command.customer_id)
    if len(left) == len(known):
        raise CommandRefused(f"{command.customer_id} is no contact of device {command.device_id}")
    _close(tx, command.device_id, command.customer_id)
    set_contacts(tx, command.device_id, left)
    tx.audit(command.by, "device.contact_ended", command.device_id, customer_id=command.customer_id)
    tx.changed("device", command.device_id)


def set_contacts(tx: "Transaction", device_id: str, contacts: tuple[Contact, ...]) -> None:
    """Put a device's contacts in memory, and back where the commit fails."""
    held = tx.registry.contacts
    before = held.get(device_id)

    def put(value: tuple[Contact, ...] | None) -> None:
        if value:
            held[device_id] = value
        else:
            held.pop(device_id, None)

    put(contacts)
    tx.on_rollback.append(lambda: put(before))


def _close(tx: "Transaction", device_id: str, customer_id: str) -> None:
    p = device_people.c
    open_row = (p.device_id == device_id, p.customer_id == customer_id, p.ends_at.is_(None))
    tx.connection.execute(sa.update(device_people).where(*open_row).values(ends_at=tx.now))
