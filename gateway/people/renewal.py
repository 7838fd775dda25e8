"""What an import changes of what is known: the columns it gives, and nothing that a customer said themselves."""

from datetime import datetime
from typing import Any

from device_models.purpose import Purpose
from device_models.registry import IMPORTED, Customer, Device, Origin, Record

_CHANNEL_OF = {"email": "email", "phone": "sms"}
_JOINED = frozenset({"id", "addresses", "consents", "objections", "origins", "consent_source", "consented_at"})
"""Fields of a customer that an import adds to, each in its own way."""


def renewed(known: Record | None, record: Record, now: datetime) -> Record:
    """Return what is to be known after an import. ``record``: its row; ``known``: None where it is new."""
    if isinstance(record, Customer):
        return _customer(known if isinstance(known, Customer) else None, record, now)
    if known is None:
        return record
    given = {name: getattr(record, name) for name in record.model_fields_set}
    if isinstance(record, Device) and record.customer_id is None:
        # A device changes hands by its transfer; a row that names nobody takes no owner away.
        given.pop("customer_id", None)
    return known.model_copy(update=given)


def _customer(known: Customer | None, record: Customer, now: datetime) -> Customer:
    own = frozenset(what for what, origin in known.origins.items() if origin.own) if known else frozenset[str]()
    base = known or record
    given = {
        name: getattr(record, name)
        for name in record.model_fields_set - _JOINED
        if _CHANNEL_OF.get(name, name) not in own
    }
    given |= {"addresses": _addresses(base, record, own), "consents": _consents(base, record, own)}
    # An objection that an import no longer has is one that its customer may have raised here: only they take it back.
    given |= {"objections": base.objections | record.objections, "consent_source": None, "consented_at": None}
    after = base.model_copy(update=given)
    return after.model_copy(update={"origins": _origins(known, record, after, own, now)})


def _addresses(known: Customer, record: Customer, own: frozenset[str]) -> dict[str, str]:
    """By channel; an emptied column takes away what earlier imports brought."""
    if "addresses" not in record.model_fields_set:
        return known.addresses
    kept = {c: address for c, address in known.addresses.items() if record.addresses or c in own}
    return kept | {c: address for c, address in record.addresses.items() if c not in own}


def _consents(known: Customer, record: Customer, own: frozenset[str]) -> frozenset[Purpose]:
    if "consents" not in record.model_fields_set:
        return known.consents
    theirs = frozenset(purpose for purpose in Purpose if purpose.value in own)
    return (record.consents - theirs) | (known.consents & theirs)


def _origins(
    known: Customer | None, record: Customer, after: Customer, own: frozenset[str], now: datetime
) -> dict[str, Origin]:
    before: dict[str, Any] = _said(known) if known else {}
    origins = dict(known.origins) if known else {}
    for what, value in _said(after).items():
        if what in own:
            continue
        brought = what in _said(record)
        if brought and (stated := record.origin(what)) is not None:
            origins[what] = stated
        elif before.get(what) != value:
            origins[what] = Origin(source=IMPORTED, at=now)
    return {what: origin for what, origin in origins.items() if origin.own or what in _said(after)}


def _said(customer: Customer) -> dict[str, object]:
    """What has an origin: an address by its channel, whether messages of a purpose are agreed to or objected to."""
    addresses = {channel: customer.address(channel) for channel in ("email", "sms", *customer.addresses)}
    agreed: dict[str, object] = {purpose.value: True for purpose in customer.consents}
    objected: dict[str, object] = {purpose.value: False for purpose in customer.objections}
    return {channel: address for channel, address in addresses.items() if address} | agreed | objected
