"""Erasing a customer: what leads back to the person goes, what the company must be able to count stays without them.

Objections outlive the person as keyed hashes of their addresses, so that an import that brings an address back does not
bring back what its owner had stopped.
"""

import secrets
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa

from device_models.profile import GENERIC, PositionOf
from device_models.registry import Customer, Device
from gateway.cases.timeline import touch
from gateway.commands import CommandRefused
from gateway.outbox.queue import set_state
from gateway.people import contacts
from gateway.people.export import condition_of, devices_of
from gateway.people.objections import remember_objections
from gateway.people.personal import HELD, Fate, Owned
from gateway.store import dialect, schema
from gateway.store.erasure import history_erasures
from gateway.store.tables import metadata
from gateway.transaction import Transaction
from rules.forgetting import PLACES

_WAITING = ("awaiting_approval", "queued")


def erase(tx: Transaction, customer_id: str, by: str) -> dict[str, Any]:
    """Erase a customer who owns nothing any more (their devices were handed to nobody before).

    Returns ``{"pseudonym", "rows"}``, rows by table.
    """
    customer = tx.registry.customers.get(customer_id)
    if customer is None:
        raise CommandRefused(f"there is no customer {customer_id}")
    if devices_of(tx.connection, customer_id):
        raise RuntimeError("their devices are handed over first")
    pseudonym = f"erased-{secrets.token_hex(8)}"
    _cancel_waiting(tx, customer_id)
    _forget_receipts(tx, customer_id)
    remember_objections(tx, customer)
    _forget_explanations_of_places(tx, customer_id)
    # Rows that are found by their case come first, while the case still names the customer.
    ordered = sorted(HELD, key=lambda name: HELD[name].owned is Owned.BY_CUSTOMER)
    rows = {name: _erase_rows(tx, name, customer_id, pseudonym) for name in ordered}
    _end_as_contact(tx, customer_id)
    _rename_in_audit(tx, customer_id, pseudonym)
    _forget_in_memory(tx, customer)
    tx.audit(by, "customer.erase", pseudonym, rows=rows)
    tx.changed("customer", pseudonym)
    return {"pseudonym": pseudonym, "rows": rows}


def drop_person_devices(tx: Transaction, devices: Iterable[Device]) -> list[str]:
    """Delete what was a person's own, such as a phone, with its state and what was rejected of it; return their ids."""
    dropped = []
    for device in devices:
        if tx.profiles.get(device.profile, GENERIC).position_of is not PositionOf.PERSON:
            continue
        dropped.append(device.id)
        for table, column in (
            (schema.devices, "id"),
            (schema.device_states, "device_id"),
            (schema.alerts, "device_id"),
        ):
            tx.connection.execute(sa.delete(table).where(table.c[column] == device.id))
        rejected = schema.rejections
        tx.connection.execute(sa.delete(rejected).where(rejected.c.topic.contains(device.id, autoescape=True)))
        tx.registry.forget_device(device.id)
        tx.on_rollback.append(partial(tx.registry.put_device, device))
    return dropped


def ask_history_to_forget(tx: Transaction, device_ids: Iterable[str]) -> None:
    """Write down that the history is to forget devices; the service sees to it, also after a restart."""
    rows = [{"device_id": device_id, "asked_at": tx.now} for device_id in device_ids]
    dialect.upsert(tx.connection, history_erasures, rows)


def history_forgot(tx: Transaction, device_ids: Iterable[str]) -> None:
    """The history has forgotten them."""
    h = history_erasures
    tx.connection.execute(sa.delete(h).where(h.c.device_id.in_(list(device_ids))))


def _cancel_waiting(tx: Transaction, customer_id: str) -> None:
    n = schema.notifications.c
    waiting = sa.select(n.id).where(n.customer_id == customer_id, n.state.in_(_WAITING))
    for notification_id in tx.connection.execute(waiting).scalars().all():
        set_state(tx, notification_id, "cancelled", reason="the customer was erased")


def _forget_receipts(tx: Transaction, customer_id: str) -> None:
    n, r = schema.notifications.c, schema.receipts
    theirs = sa.select(n.provider_id).where(n.customer_id == customer_id, n.provider_id.is_not(None))
    tx.connection.execute(sa.delete(r).where(r.c.provider_id.in_(theirs)))


def _forget_explanations_of_places(tx: Transaction, customer_id: str) -> None:
    for name in ("transitions", "cases"):
        table = metadata.tables[name]
        query = sa.select(table.c.id, table.c.explanation).where(condition_of(name, HELD[name], customer_id))
        for row_id, explanation in tx.connection.execute(query).all():
            if explanation.get("kind") in PLACES:
                tx.connection.execute(sa.update(table).where(table.c.id == row_id).values(explanation={}))


def _erase_rows(tx: Transaction, name: str, customer_id: str, pseudonym: str) -> int:
    held, table = HELD[name], metadata.tables[name]
    condition = condition_of(name, held, customer_id)
    if held.deletes:
        return tx.connection.execute(sa.delete(table).where(condition)).rowcount
    numbered = [column for column, fate in held.fates.items() if fate is Fate.NUMBER]
    for row_id in tx.connection.execute(sa.select(table.c.id).where(condition)).scalars().all() if numbered else ():
        made_up = dict.fromkeys(numbered, f"erased-{row_id}")
        tx.connection.execute(sa.update(table).where(table.c.id == row_id).values(**made_up))
    values = {
        column: pseudonym if fate is Fate.PSEUDONYM else _empty(table.c[column])
        for column, fate in held.fates.items()
        if fate in (Fate.PSEUDONYM, Fate.EMPTY)
    }
    if not values:
        return 0
    if name == "cases":
        for case_id in tx.connection.execute(sa.select(table.c.id).where(condition)).scalars().all():
            touch(tx, case_id)
    return tx.connection.execute(sa.update(table).where(condition).values(**values)).rowcount


def _empty(column: sa.Column[Any]) -> object:
    if column.nullable:
        return sa.null()
    if isinstance(column.type, sa.JSON):
        return {}
    return ""


def _end_as_contact(tx: Transaction, customer_id: str) -> None:
    for device_id, known in list(tx.registry.contacts.items()):
        left = tuple(c for c in known if c.customer_id != customer_id)
        if len(left) != len(known):
            contacts.set_contacts(tx, device_id, left)


def _rename_in_audit(tx: Transaction, customer_id: str, pseudonym: str) -> None:
    a = schema.audit
    for row in tx.connection.execute(sa.select(a.c.id, a.c.subject, a.c.detail)).all():
        detail = _renamed(row.detail, customer_id, pseudonym)
        if row.subject == customer_id or detail != row.detail:
            subject = pseudonym if row.subject == customer_id else row.subject
            tx.connection.execute(sa.update(a).where(a.c.id == row.id).values(subject=subject, detail=detail))


def _renamed(value: Any, customer_id: str, pseudonym: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _renamed(part, customer_id, pseudonym) for name, part in value.items()}
    return pseudonym if value == customer_id else value


def _forget_in_memory(tx: Transaction, customer: Customer) -> None:
    known = tx.registry.customers
    known.pop(customer.id, None)
    tx.on_rollback.append(lambda: known.update({customer.id: customer}))
