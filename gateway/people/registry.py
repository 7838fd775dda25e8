"""The registry in memory: who owns what. Read at start, kept true by the commits that change it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from device_models.contact import Contact
from device_models.purpose import Purpose
from device_models.registry import STORED, Customer, Device, Offer, Record, Shop
from gateway.commands import CommandRefused
from gateway.people.consent_log import log_changes
from gateway.people.contacts import load_contacts
from gateway.people.objections import objected_before
from gateway.people.renewal import renewed
from gateway.store import dialect, schema
from gateway.store.enrolment import customer_settings
from gateway.store.fleets import device_changes
from gateway.texts.own import NOTHING, OwnTexts, load_texts
from rules.places.opening import check_opening_hours
from rules.response.alike import Census
from rules.response.changed import changes_between

if TYPE_CHECKING:
    from gateway.transaction import Transaction

_TABLES: Mapping[str, tuple[sa.Table, type[Record]]] = {
    "devices": (schema.devices, Device),
    "customers": (schema.customers, Customer),
    "shops": (schema.shops, Shop),
    "offers": (schema.offers, Offer),
}


@dataclass(slots=True)
class Registry:
    """Devices, customers, shops and offers by id. Replaced values are new objects; readers may keep what they hold."""

    devices: dict[str, Device] = field(default_factory=dict)
    customers: dict[str, Customer] = field(default_factory=dict)
    shops: dict[str, Shop] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    contacts: dict[str, tuple[Contact, ...]] = field(default_factory=dict)
    """Who hears of a device besides its owner, by device; see ``gateway.people.ownership``."""
    no_location: set[str] = field(default_factory=set)
    """Customers who agreed to offers and not to the use of where they are."""
    texts: OwnTexts = NOTHING
    """What messages and articles say in the company's own words."""
    census: Census = field(init=False)
    """How many devices are alike; the writer's alone."""

    def __post_init__(self) -> None:
        """Count in the devices held here."""
        self.census = Census(self.devices)

    def of_kind(self, kind: str) -> dict[str, Any]:
        """Return the records of ``devices`` | ``customers`` | ``shops`` | ``offers`` by id."""
        kinds: dict[str, dict[str, Any]] = {
            "devices": self.devices,
            "customers": self.customers,
            "shops": self.shops,
            "offers": self.offers,
        }
        return kinds[kind]

    def put_device(self, device: Device) -> None:
        """Replace a device, or make it known."""
        self.census.replace(self.devices.get(device.id), device)
        self.devices[device.id] = device

    def forget_device(self, device_id: str) -> None:
        """Take a device out."""
        self.census.replace(self.devices.pop(device_id, None), None)

    def owner(self, device_id: str) -> Customer | None:
        """The customer a device belongs to, None where nobody owns it or it is unknown."""
        device = self.devices.get(device_id)
        return self.customers.get(device.customer_id) if device and device.customer_id else None

    def zone(self, device_id: str) -> tzinfo:
        """The time zone of the owner, which is taken for the device's; UTC where nobody owns it."""
        owner = self.owner(device_id)
        return owner.zone if owner is not None else UTC

    def may_use_location(self, device_id: str) -> bool:
        """Whether the owner agreed to offers and with them to the use of where they are, which they may take back."""
        owner = self.owner(device_id)
        return owner is not None and owner.allows(Purpose.OFFER) and owner.id not in self.no_location


def load_registry(connection: sa.Connection) -> Registry:
    """Read everything."""
    registry = Registry()
    for kind, (table, model) in _TABLES.items():
        records = registry.of_kind(kind)
        for row in connection.execute(sa.select(table)).mappings():
            records[row["id"]] = model.model_validate(dict(row), context=STORED)
    registry.contacts = load_contacts(connection)
    s = customer_settings.c
    registry.no_location = set(connection.execute(sa.select(s.customer_id).where(s.location.is_(False))).scalars())
    registry.texts = load_texts(connection)
    return registry


def upsert_records(
    tx: "Transaction", kind: str, rows: Sequence[Mapping[str, Any]], source: str = "import"
) -> tuple[int, int]:
    """Write records by id, never delete; return how many were new and how many were there.

    Columns that are not there stay as they are, and so does what customers said themselves. What changes about a device
    is kept, with its ``source``: ``import``, or ``device`` where it said so itself; so is what changes about what a
    customer agrees or objects to.
    Raises pydantic.ValidationError for a row that is none of ``kind``, CommandRefused for hours that cannot be read.
    """
    model = _TABLES[kind][1]
    known = tx.registry.of_kind(kind)
    records = [renewed(known.get(str(row.get("id"))), model.model_validate(dict(row)), tx.now) for row in rows]
    if kind == "customers":
        records = [_with_old_objections(tx, record, known) for record in records]
        log_changes(tx, [(known.get(record.id), record) for record in records if isinstance(record, Customer)])
    for record in records:
        if isinstance(record, Shop) and record.opening_hours and (wrong := check_opening_hours(record.opening_hours)):
            raise CommandRefused(f"{record.id}: opening_hours: {wrong}")
    before = {record.id: known.get(record.id) for record in records}
    put_records(tx, kind, records, source)
    created = sum(record is None for record in before.values())
    return created, len(before) - created


def put_records(tx: "Transaction", kind: str, records: Sequence[Record], source: str | None = "import") -> None:
    """Write records as they are, in the store and in memory; ``source`` None: what changes is not kept."""
    known = tx.registry.of_kind(kind)
    dialect.upsert(tx.connection, _TABLES[kind][0], [_row(record) for record in records])
    before = {record.id: known.get(record.id) for record in records}
    # What follows in this transaction must see it, so memory changes now and is put back if the commit fails.
    _put(tx.registry, kind, {record.id: record for record in records})
    tx.on_rollback.append(lambda: _put(tx.registry, kind, before))
    if source is not None:
        _keep_changes(tx, before, records, source)


def _put(registry: Registry, kind: str, records: Mapping[str, Record | None]) -> None:
    """Replace records in memory; None takes one out."""
    known = registry.of_kind(kind)
    for identity, record in records.items():
        if isinstance(record, Device):
            registry.put_device(record)
        elif record is not None:
            known[identity] = record
        elif kind == "devices":
            registry.forget_device(identity)
        else:
            known.pop(identity, None)


def _keep_changes(
    tx: "Transaction", before: Mapping[str, Record | None], records: Sequence[Record], source: str
) -> None:
    changes = [
        {**asdict(change), "source": source}
        for record in records
        if isinstance(record, Device) and isinstance(known := before.get(record.id), Device)
        for change in changes_between(known, record, tx.now)
    ]
    if changes:
        tx.connection.execute(sa.insert(device_changes), changes)


def _with_old_objections(tx: "Transaction", record: Record, known: Mapping[str, Record]) -> Record:
    """A new customer at an address whose owner was erased is not written to for what that owner had stopped."""
    if not isinstance(record, Customer) or record.id in known:
        return record
    objections = objected_before(tx, record)
    return record.model_copy(update={"objections": record.objections | objections}) if objections else record


def _row(record: Record) -> dict[str, Any]:
    row = record.model_dump(exclude={"consent_source", "consented_at"})
    if isinstance(record, Customer):
        row |= record.model_dump(mode="json", include={"origins"})
    return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in row.items()}
