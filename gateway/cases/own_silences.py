"""What customers mute on their page: an owner their product, anybody else what they hear of it themselves.

From life: the caretaker goes on holiday and says so. The owner still hears that the freezer in the cellar warms up.
"""

from typing import Any

import sqlalchemy as sa

from gateway.cases.record import load_case
from gateway.cases.silences import create_silence, end_silence
from gateway.cases.timeline import add_entry
from gateway.commands import CommandRefused, CreateSilence, EndSilence
from gateway.commands.desk import MuteByCustomer, UnmuteByCustomer
from gateway.outbox.queue import withdraw
from gateway.store.schema import HEARER, OWNER, cases, silences
from gateway.transaction import Transaction


def mute(tx: Transaction, command: MuteByCustomer) -> list[int]:
    """Be silent for a customer about a case's device, or about all that they hear of; return the silences' numbers."""
    customer = tx.registry.customers.get(command.customer_id)
    if customer is None:
        raise CommandRefused(f"there is no customer {command.customer_id}")
    case = _case(tx, command.case_id)
    if command.known and case is None:
        raise CommandRefused("say of which case you know")
    reason = "knows about it" if command.known else "away or switched off"
    unmute(tx, UnmuteByCustomer(command.customer_id, command.case_id))
    made = []
    for whose in _roles(tx, customer.id, case):
        number = create_silence(
            tx,
            CreateSilence(
                by=customer.name,
                reason=reason,
                ends_at=command.until,
                device_id=case["device_id"] if case else None,
                customer_id=customer.id,
                rule=case["rule"] if case and command.known else None,
            ),
        )
        tx.connection.execute(sa.update(silences).where(silences.c.id == number).values(whose=whose))
        for case_id in [case["id"]] if case else _open_cases(tx, customer.id):
            withdraw(tx, case_id, f"the customer {reason}", None if whose == OWNER else customer.id)
        made.append(number)
    if case is not None:
        alone = "" if OWNER in _roles(tx, customer.id, case) else " They alone are told nothing meanwhile."
        text = f"{customer.name}: {reason}, until {command.until:%Y-%m-%d %H:%M} UTC.{alone}"
        add_entry(tx, case["id"], "note", "customer", body={"text": text})
    return made


def unmute(tx: Transaction, command: UnmuteByCustomer) -> int:
    """End what a customer muted: of a case's device and of all, or of all; return how many silences that were."""
    customer, case = tx.registry.customers.get(command.customer_id), _case(tx, command.case_id)
    if customer is None:
        raise CommandRefused(f"there is no customer {command.customer_id}")
    found = tx.connection.execute(
        sa.select(silences.c.id).where(*in_force(customer.id, case["device_id"] if case else None, tx.now))
    )
    ids = found.scalars().all()
    for silence_id in ids:
        end_silence(tx, EndSilence(silence_id, customer.name))
    return len(ids)


def end_on(tx: Transaction, device_id: str, by: str, customer_id: str | None = None) -> None:
    """End what its people muted on a device that is theirs no longer; ``customer_id``: only what one of them did."""
    s = silences.c
    query = sa.select(s.id).where(
        s.device_id == device_id, s.customer_id.is_not(None), s.ended_at.is_(None), s.ends_at > tx.now
    )
    if customer_id is not None:
        query = query.where(s.customer_id == customer_id)
    for silence_id in tx.connection.execute(query).scalars().all():
        end_silence(tx, EndSilence(silence_id, by))


def in_force(customer_id: str, device_id: str | None, now: Any) -> tuple[sa.ColumnElement[bool], ...]:
    """Which silences a customer made of a device, or of all that they hear of, and that are not over."""
    s = silences.c
    about = sa.or_(s.device_id.is_(None), s.device_id == device_id) if device_id else s.device_id.is_(None)
    return s.customer_id == customer_id, s.whose.is_not(None), about, s.ended_at.is_(None), s.ends_at > now


def _roles(tx: Transaction, customer_id: str, case: sa.RowMapping | None) -> list[str]:
    """As what somebody mutes: of what is theirs all is silent, of what is another's they alone hear nothing."""
    if case is not None:
        owner = tx.registry.owner(case["device_id"])
        return [OWNER if owner is not None and owner.id == customer_id else HEARER]
    owns = any(device.customer_id == customer_id for device in tx.registry.devices.values())
    hears = any(one.customer_id == customer_id for some in tx.registry.contacts.values() for one in some)
    return [role for role, is_so in ((OWNER, owns or not hears), (HEARER, hears)) if is_so]


def _open_cases(tx: Transaction, customer_id: str) -> list[int]:
    c = cases.c
    heard = [d for d, some in tx.registry.contacts.items() if any(one.customer_id == customer_id for one in some)]
    query = sa.select(c.id).where(c.state == "open", sa.or_(c.customer_id == customer_id, c.device_id.in_(heard[:500])))
    return list(tx.connection.execute(query).scalars())


def _case(tx: Transaction, case_id: int | None) -> sa.RowMapping | None:
    if case_id is None:
        return None
    row = load_case(tx, case_id)
    if row is None:
        raise CommandRefused(f"there is no case {case_id}")
    return row
