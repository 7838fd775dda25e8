"""Devices that change hands, are swapped for another or are met for the first time, within one commit.

From life: a freezer is sold with its café. The old owner's queued warnings, links and position end at that minute; the
new one hears of the fault that is still there, and sees nothing of what was before them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, assert_never

import sqlalchemy as sa
from pydantic import ValidationError

from device_models.purpose import Purpose, Severity
from device_models.registry import Device
from gateway.cases import dates, own_silences
from gateway.commands import CommandRefused
from gateway.commands.people import (
    EndContact,
    EraseCustomer,
    HistoryForgot,
    LearnDevices,
    PeopleCommand,
    ReplaceDevice,
    SaveContact,
    TransferDevice,
)
from gateway.people import contacts, enrolment, erasure, ownership
from gateway.people.registry import put_records, upsert_records
from gateway.store import schema
from gateway.store.ownership import device_people, device_replacements
from gateway.transaction import Transaction
from rules.forgetting import PLACES, forget_places, take_over
from rules.plan import Plan
from rules.state import DeviceState
from rules.transition import AlertState, Transition

_NEW_OWNER = "the device has a new owner"


class Devices(Protocol):
    """The part of a commit that knows the devices' states."""

    def state_of(self, device_id: str) -> DeviceState | None:
        """Return a state; None where the device was never met."""

    def stage(self, device_id: str, state: DeviceState) -> None:
        """Put another state in its place."""

    def plan_of(self, device: Device) -> Plan:
        """Return the rules for a device."""

    def forget_state(self, device_id: str) -> None:
        """Forget that a device was ever met."""

    def take_facts(self, facts: Iterable[Transition]) -> None:
        """Let response hear of facts."""


def run(tx: Transaction, devices: Devices, command: PeopleCommand) -> Any:
    """Run one command of ``gateway.commands.people``."""
    match command:
        case TransferDevice():
            return transfer(tx, devices, command)
        case ReplaceDevice():
            return replace(tx, devices, command)
        case SaveContact():
            return contacts.save_contact(tx, command)
        case EndContact():
            contacts.end_contact(tx, command)
            own_silences.end_on(tx, command.device_id, command.by, command.customer_id)
            ownership.end_messages(tx, command.device_id, "they hear of this device no longer", command.customer_id)
            return None
        case LearnDevices():
            return learn(tx, command)
        case EraseCustomer():
            return forget_customer(tx, devices, command)
        case HistoryForgot():
            return erasure.history_forgot(tx, command.device_ids)
        case _:
            assert_never(command)


def transfer(tx: Transaction, devices: Devices, command: TransferDevice) -> dict[str, Any]:
    """Hand a device over; its name, place and contacts were the old owner's and go with them."""
    before = _device(tx, command.device_id)
    at = command.at or tx.now
    if at > tx.now:
        raise CommandRefused("a transfer in the future cannot be kept; do it on that day")
    if command.customer_id is not None and command.customer_id not in tx.registry.customers:
        raise CommandRefused(f"there is no customer {command.customer_id}; import them first")
    if before.customer_id == command.customer_id:
        owner = command.customer_id or "nobody"
        raise CommandRefused(f"device {before.id} belongs to {owner} already")
    since = ownership.owned_since(tx.connection, before.id, before.customer_id) if before.customer_id else None
    if since is not None and at < since:
        raise CommandRefused(f"the owner until now has it only since {since:%Y-%m-%dT%H:%M:%SZ}; say a later --at")
    private = {"name": None, "site": None, "latitude": None, "longitude": None}
    after = before.model_copy(update={"customer_id": command.customer_id, **(private if before.customer_id else {})})
    put_records(tx, "devices", [after])
    ended = _end_for(tx, devices, before, after, at, command.by)
    tx.audit(command.by, "device.transfer", before.id, customer_id=command.customer_id, **ended)
    done = {"device_id": before.id, "customer_id": command.customer_id, **ended}
    if command.customer_id is None:
        return done
    code = enrolment.begin_for(tx, after, command.customer_id, command.by)
    return {**done, "claim_url": f"{tx.config.public_url}/claim/{code}"}


def give(tx: Transaction, devices: Devices, device_id: str, customer_id: str, by: str) -> None:
    """Let a customer own a device that was nobody's, as its code allows; what is wrong with it becomes theirs."""
    before = _device(tx, device_id)
    if before.customer_id != customer_id:
        after = before.model_copy(update={"customer_id": customer_id})
        put_records(tx, "devices", [after])
        _end_for(tx, devices, before, after, tx.now, by)
    tx.audit(by, "device.claim", device_id, customer_id=customer_id)


def follow_import(
    tx: Transaction, devices: Devices, before: Mapping[str, Device], device_ids: Sequence[str], by: str
) -> None:
    """Let the rows of owners follow an import; a device that changed hands by it is handed over.

    Its new owner is welcomed, once for all of them. No code is made, which nobody would see.
    """
    received: dict[str, Device] = {}
    now = [tx.registry.devices[device_id] for device_id in device_ids if device_id in tx.registry.devices]
    for device in now:
        old = before.get(device.id)
        if old is not None and old.customer_id is not None and old.customer_id != device.customer_id:
            _end_for(tx, devices, old, device, tx.now, by)
            tx.audit(by, "device.transfer", device.id, customer_id=device.customer_id)
            if device.customer_id in tx.registry.customers:
                received.setdefault(device.customer_id, device)
    for customer_id, device in received.items():
        enrolment.welcome_owner(tx, device, customer_id)
    ownership.record_owners(tx, now, by)


def replace(tx: Transaction, devices: Devices, command: ReplaceDevice) -> dict[str, Any]:
    """Put a swapped unit in another's place: whoever had the old one has the new one, since when they had it."""
    old = _device(tx, command.old_id)
    if command.new_id == old.id:
        raise CommandRefused("a device cannot take its own place")
    new = tx.registry.devices.get(command.new_id)
    if new is not None and new.customer_id not in (None, old.customer_id):
        raise CommandRefused(f"device {new.id} belongs to another customer; transfer it first")
    r = device_replacements.c
    taken = sa.select(r.new_id).where(sa.or_(r.new_id == command.new_id, r.old_id == old.id))
    if (known := tx.connection.execute(taken).scalar()) is not None:
        raise CommandRefused(f"{known} is written down as a replacement already")
    kept = old.model_dump(include={"profile", "customer_id", "name", "model", "site", "latitude", "longitude"})
    own = new.model_dump(include={"serial", "firmware"}) if new is not None else {}
    try:
        unit = Device.model_validate({"id": command.new_id, **kept, **own})
    except ValidationError:
        raise CommandRefused("the new unit's id cannot be a device's") from None
    put_records(tx, "devices", [unit, old.model_copy(update={"customer_id": None})])
    ownership.forget_unknown(tx, [unit.id])
    _hand_on(tx, old.id, unit.id)
    tx.connection.execute(
        sa.insert(device_replacements).values(new_id=unit.id, old_id=old.id, at=tx.now, by=command.by)
    )
    reason = f"replaced by {unit.id}"
    ended = ownership.end_messages(tx, old.id, reason)
    cases = ownership.end_cases(tx, old.id, command.by, reason)
    devices.take_facts(_closings(tx, old.id, reason))
    state = devices.state_of(old.id)
    if state is not None:
        plan = devices.plan_of(unit)
        devices.stage(unit.id, take_over(plan, state, devices.state_of(unit.id) or DeviceState()))
        # A unit on the workbench is no customer's silence.
        devices.stage(old.id, DeviceState())
    tx.audit(command.by, "device.replace", old.id, new_id=unit.id)
    tx.changed("device", unit.id)
    return {"device_id": unit.id, "replaces": old.id, "ended_messages": ended, "ended_cases": len(cases)}


def learn(tx: Transaction, command: LearnDevices) -> int:
    """Register devices from the quarantine; their next message counts."""
    if command.profile not in tx.profiles and tx.profiles:
        raise CommandRefused(f"there is no profile '{command.profile}'; there are {', '.join(sorted(tx.profiles))}")
    if command.customer_id is not None and command.customer_id not in tx.registry.customers:
        raise CommandRefused(f"there is no customer {command.customer_id}; import them first")
    u = schema.unknown_devices.c
    wanted = list(dict.fromkeys(command.device_ids))
    heard = set(tx.connection.execute(sa.select(u.id).where(u.id.in_(wanted))).scalars())
    for device_id in wanted:
        if device_id in tx.registry.devices:
            raise CommandRefused(f"device {device_id} is registered already")
        if device_id not in heard:
            raise CommandRefused(f"nothing was heard of a device '{device_id}'; import it if it is to come")
    fields = {"profile": command.profile, "customer_id": command.customer_id, "site": command.site}
    upsert_records(tx, "devices", [{"id": device_id, **fields} for device_id in wanted])
    ownership.record_owners(tx, (tx.registry.devices[device_id] for device_id in wanted), command.by)
    ownership.forget_unknown(tx, wanted)
    tx.audit(command.by, "device.learn", ", ".join(wanted[:20]), profile=command.profile, devices=len(wanted))
    for device_id in wanted:
        tx.changed("device", device_id)
    return len(wanted)


def forget_customer(tx: Transaction, devices: Devices, command: EraseCustomer) -> dict[str, Any]:
    """Hand their devices to nobody, then erase the person; the history is asked to forget those devices."""
    if command.customer_id not in tx.registry.customers:
        raise CommandRefused(f"there is no customer {command.customer_id}")
    owned = [device for device in list(tx.registry.devices.values()) if device.customer_id == command.customer_id]
    for device in owned:
        private = dict.fromkeys(("customer_id", "name", "site", "hub", "latitude", "longitude"))
        after = device.model_copy(update=private)
        put_records(tx, "devices", [after], source=None)
        _end_for(tx, devices, device, after, tx.now, command.by)
    for device_id in erasure.drop_person_devices(tx, owned):
        devices.forget_state(device_id)
    erasure.ask_history_to_forget(tx, [device.id for device in owned])
    return {"devices": [device.id for device in owned], **erasure.erase(tx, command.customer_id, command.by)}


def _end_for(tx: Transaction, devices: Devices, before: Device, after: Device, at: datetime, by: str) -> dict[str, int]:
    """End for the old owner what concerned this device, and let what is still wrong open a case for the new one."""
    own_silences.end_on(tx, before.id, by)
    ended = ownership.end_messages(tx, before.id, _NEW_OWNER)
    dates.end_for_owner(tx, before, by, _NEW_OWNER)
    firing = ownership.firing_alerts(tx, before.id)
    closed = ownership.end_cases(tx, before.id, by, _NEW_OWNER)
    ownership.change_owner(tx, before.id, after.customer_id, at, by)
    state = devices.state_of(before.id)
    if state is not None:
        devices.stage(before.id, forget_places(devices.plan_of(after), state))
    for case in closed:
        if case["dedupe_key"] in firing:
            devices.take_facts([_again(tx, case, firing[case["dedupe_key"]])])
    tx.changed("device", before.id)
    return {"ended_messages": ended, "ended_cases": len(closed)}


def _again(tx: Transaction, case: sa.RowMapping, alert: sa.RowMapping) -> Transition:
    """The fault as it stands for the new owner; one about places ends, since those were the old owner's."""
    return Transition(
        rule=case["rule"],
        device_id=case["device_id"],
        state=AlertState.RESOLVED if case["kind"] in PLACES else AlertState.FIRING,
        at=tx.now,
        severity=Severity(case["severity"]),
        purpose=Purpose(case["purpose"]),
        explanation=case["explanation"],
        fault=case["fault"],
        on_arrival=alert["on_arrival"],
    )


def _closings(tx: Transaction, device_id: str, reason: str) -> list[Transition]:
    return [
        Transition(
            rule=row["rule"],
            device_id=device_id,
            state=AlertState.RESOLVED,
            at=tx.now,
            severity=Severity(row["severity"]),
            purpose=Purpose(row["purpose"]),
            explanation={"reason": reason},
            fault=row["fault"],
            on_arrival=row["on_arrival"],
        )
        for row in ownership.firing_alerts(tx, device_id).values()
    ]


def _hand_on(tx: Transaction, old_id: str, new_id: str) -> None:
    p = device_people
    tx.connection.execute(sa.update(p).where(p.c.device_id == new_id, p.c.ends_at.is_(None)).values(ends_at=tx.now))
    columns = [column for column in p.c if column.name not in ("id", "device_id")]
    rows = tx.connection.execute(sa.select(*columns).where(p.c.device_id == old_id, p.c.ends_at.is_(None))).mappings()
    copies = [{**row, "device_id": new_id} for row in rows]
    tx.connection.execute(sa.update(p).where(p.c.device_id == old_id, p.c.ends_at.is_(None)).values(ends_at=tx.now))
    if copies:
        tx.connection.execute(sa.insert(p), copies)
    contacts.set_contacts(tx, new_id, tx.registry.contacts.get(old_id, ()))
    contacts.set_contacts(tx, old_id, ())


def _device(tx: Transaction, device_id: str) -> Device:
    device = tx.registry.devices.get(device_id)
    if device is None:
        raise CommandRefused(f"there is no device {device_id}")
    return device
