"""How a customer comes in: a code on the product, an address that is proven, messengers that they link themselves.

From life: the freezer's door has a sticker. Its buyer scans it, types a number, gets a code there, and from then on
hears of the freezer; on Telegram too, once they tap a link that writes to us for them.
"""

import secrets
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device, Origin
from gateway.commands import CommandRefused, SetConsent
from gateway.commands.enrolment import MakeClaimCodes, MakeLinkCode, SaveSettings, SendCheck, StartClaim
from gateway.outbox.checking import ADDRESS_ADDED, enqueue_to
from gateway.outbox.owed import PAGE_LINK
from gateway.outbox.queue import enqueue
from gateway.people import checks
from gateway.people.consent import set_consent
from gateway.people.proven import OPEN_LINK, proving_channels, ways_to
from gateway.people.registry import put_records
from gateway.store import dialect
from gateway.store.enrolment import claim_codes, customer_settings, link_codes, verified_addresses
from gateway.transaction import Transaction
from notifiers.link_codes import new_link_code
from notifiers.masking import mask
from rules.respond import Notify, device_facts

_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""Without what is easily mistaken for another: 0 and O, 1 and I."""
_CLAIM_LETTERS = 12
_LINK_LIFE = timedelta(hours=1)
_PAGE = "their page"
_TOLD_WITHIN = timedelta(days=2)
_READABLE = frozenset({"email", "sms", "whatsapp"})
"""Channels whose addresses say something to their owner; a messenger's number for them does not."""


def make_claim_codes(tx: Transaction, command: MakeClaimCodes) -> list[dict[str, str]]:
    """Make a code for each device; codes made before for it that nobody used stop working."""
    for device_id in command.device_ids:
        if device_id not in tx.registry.devices:
            raise CommandRefused(f"there is no device {device_id}; import it first")
    made = [
        {"device_id": d, "code": _new_claim(tx, d, None, command.by, command.valid_for)} for d in command.device_ids
    ]
    tx.audit(command.by, "device.claim_codes", ", ".join(list(command.device_ids)[:20]), codes=len(made))
    return made


def begin_for(tx: Transaction, device: Device, customer_id: str, by: str) -> str:
    """Begin the enrolment of a new owner who is a customer already: welcome them; return a code for their product."""
    welcome_owner(tx, device, customer_id)
    return _new_claim(tx, device.id, customer_id, by, timedelta(days=90))


def welcome_owner(tx: Transaction, device: Device, customer_id: str) -> None:
    """Welcome a customer who was handed a product."""
    welcome(tx, tx.registry.customers[customer_id], device, f"transfer:{device.id}:{tx.now.isoformat()}")


def start_claim(tx: Transaction, command: StartClaim) -> dict[str, str]:
    """Send a check to the address that the holder of a product's code named."""
    claim = open_claim(tx, command.code)
    if claim is None:
        raise CommandRefused("claim.unknown")
    owner = tx.registry.devices[claim["device_id"]].customer_id
    if owner is not None and owner != claim["customer_id"]:
        raise CommandRefused("claim.owned")
    address = plain_address(command.channel, command.address)
    draft = {"name": command.name.strip()[:200], "locale": command.locale, "timezone": command.timezone}
    token = checks.send(
        tx,
        "claim",
        command.channel,
        address,
        customer_id=claim["customer_id"],
        claim_hash=claim["code_hash"],
        draft=draft,
    )
    return {"token": token}


def open_claim(tx: Transaction, code: str) -> sa.RowMapping | None:
    """Read the claim behind a code; None where there is none that can still be used."""
    return read_claim(tx.connection, code, tx.now)


def read_claim(connection: sa.Connection, code: str, now: Any) -> sa.RowMapping | None:
    """As ``open_claim``, for a page."""
    c = claim_codes
    row = connection.execute(sa.select(c).where(c.c.code_hash == checks.digest(_plain_code(code)))).mappings().first()
    if row is None or row["used_at"] is not None or (row["expires_at"] is not None and row["expires_at"] <= now):
        return None
    return row


def send_check(tx: Transaction, command: SendCheck) -> dict[str, str]:
    """Send a customer a code, to a new address or to one that is theirs."""
    customer = _customer(tx, command.customer_id)
    if command.address is not None:
        address = plain_address(command.channel, command.address)
        return {"token": checks.send(tx, "address", command.channel, address, customer_id=customer.id)}
    known = customer.address(command.channel)
    if known is None or command.channel not in proving_channels(tx.connection, customer, tx.config.notifiers):
        raise CommandRefused("check.channel")
    return {"token": checks.send(tx, "proof", command.channel, known, customer_id=customer.id)}


def take_claim(tx: Transaction, check: sa.RowMapping) -> tuple[Customer, str] | None:
    """Find or make the customer who claimed a product with a right code; (customer, device id), None if it is gone."""
    c = claim_codes
    claim = tx.connection.execute(sa.select(c).where(c.c.code_hash == check["claim_hash"])).mappings().first()
    if claim is None or claim["used_at"] is not None or claim["device_id"] not in tx.registry.devices:
        return None
    channel, address = check["channel"], check["address"]
    if claim["customer_id"] in tx.registry.customers:
        customer = tx.registry.customers[claim["customer_id"]]
    else:
        here = [known for known in tx.registry.customers.values() if known.address(channel) == address]
        customer = here[0] if len(here) == 1 else _new_customer(check["draft"])
    customer = put_address(tx, customer, channel, address, "claim")
    tx.connection.execute(sa.update(c).where(c.c.code_hash == claim["code_hash"]).values(used_at=tx.now))
    return customer, claim["device_id"]


def put_address(tx: Transaction, customer: Customer, channel: str, address: str, source: str) -> Customer:
    """Reach a customer at a proven address from now on, and say so where they were reached until now."""
    if customer.id in tx.registry.customers and customer.address(channel) != address:
        _tell_known_addresses(tx, customer, channel, address)
    changed = _with_address(customer, channel, address, Origin(source=source, at=tx.now, own=True))
    put_records(tx, "customers", [changed])
    row = {"customer_id": customer.id, "channel": channel, "address": address, "source": source, "at": tx.now}
    dialect.upsert(tx.connection, verified_addresses, [row])
    tx.audit("customer", "customer.address", customer.id, channel=channel, source=source)
    tx.changed("customer", customer.id)
    return changed


def drop_address(tx: Transaction, customer_id: str, channel: str) -> None:
    """Reach a customer there no more; the last address stays, since nothing else would tell them of a fault."""
    customer = _customer(tx, customer_id)
    left = [c for c in ("email", "sms", *customer.addresses) if c != channel and customer.address(c)]
    if not left:
        raise CommandRefused("address.last")
    kept = {purpose: chosen for purpose, chosen in customer.channel_choices.items() if chosen != channel}
    left_alone = customer.model_copy(update={"channel_choices": kept})
    dropped = Origin(source=_PAGE, at=tx.now, own=True)
    put_records(tx, "customers", [_with_address(left_alone, channel, None, dropped)])
    v = verified_addresses.c
    tx.connection.execute(sa.delete(verified_addresses).where(v.customer_id == customer.id, v.channel == channel))
    tx.audit("customer", "customer.address_dropped", customer.id, channel=channel)
    tx.changed("customer", customer.id)


def _tell_known_addresses(tx: Transaction, customer: Customer, channel: str, address: str) -> None:
    """Whoever is reached there must hear of an address that somebody else may have added."""
    facts = {"added_channel": channel, "added_address": mask(address) if channel in _READABLE else ""}
    for known in proving_channels(tx.connection, customer, tx.config.notifiers):
        key = f"address:{customer.id}:{channel}:{known}:{tx.now.isoformat()}"
        to = customer.address(known)
        if to is not None:
            enqueue_to(tx, ADDRESS_ADDED, key, customer.id, known, to, facts, tx.now + _TOLD_WITHIN)


def make_link_code(tx: Transaction, command: MakeLinkCode) -> str:
    """Make a code that a customer brings along to a messenger.

    Raises CommandRefused with ``link.unproved`` where nobody proved who they are, though there is an address to prove.
    """
    customer, channel = _customer(tx, command.customer_id), command.channel
    if not command.proved and proving_channels(tx.connection, customer, tx.config.notifiers):
        raise CommandRefused("link.unproved")
    code = new_link_code()
    tx.connection.execute(
        sa.insert(link_codes).values(
            code_hash=checks.digest(code),
            customer_id=customer.id,
            channel=channel,
            created_at=tx.now,
            expires_at=tx.now + _LINK_LIFE,
            proved=command.proved,
        )
    )
    return code


def link_address(tx: Transaction, channel: str, address: str, code: str) -> str | None:
    """Let the sender of a link code be that customer on this channel; None where the code does not work (any more)."""
    c = link_codes
    row = tx.connection.execute(sa.select(c).where(c.c.code_hash == checks.digest(code.upper()))).mappings().first()
    if row is None or row["channel"] != channel or row["customer_id"] not in tx.registry.customers:
        return None
    if row["used_at"] is not None:
        # A provider that repeats its webhook says nothing new; anybody else's second try does not work.
        return row["customer_id"] if row["address"] == address else None
    if row["expires_at"] <= tx.now:
        return None
    tx.connection.execute(sa.update(c).where(c.c.code_hash == row["code_hash"]).values(used_at=tx.now, address=address))
    for other in list(tx.registry.customers.values()):
        if other.id != row["customer_id"] and other.addresses.get(channel) == address:
            # One messenger account is one person: an answer there must find one customer.
            taken = Origin(source="linked by somebody else", at=tx.now, own=True)
            put_records(tx, "customers", [_with_address(other, channel, None, taken)])
    source = "link" if row["proved"] else OPEN_LINK
    customer = put_address(tx, tx.registry.customers[row["customer_id"]], channel, address, source)
    welcome(tx, customer, None, f"link:{row['code_hash'][:16]}", via=channel)
    return customer.id


def welcome(tx: Transaction, customer: Customer, device: Device | None, key: str, via: str | None = None) -> None:
    """Say on a channel that it is where we will write: what arrives there proves that it works.

    ``via``: the channel on which they asked for it just now; None for who was handed a product, and may be asleep.
    """
    owned = device or next((d for d in tx.registry.devices.values() if d.customer_id == customer.id), None)
    notify = Notify(
        key=f"welcome:{customer.id}:{key}",
        template="welcome",
        customer_id=customer.id,
        device_id=owned.id if owned else "",
        case_id=None,
        # What it promises: to tell of faults. Who asked for it gets it whatever they stopped, see ``outbox.owed``.
        purpose=Purpose.FAULT,
        severity=Severity.INFO,
        facts=device_facts(owned, tx.profiles) if owned else {},
        mode="auto",
    )
    enqueue(tx, notify, via=via)


def save_settings(tx: Transaction, command: SaveSettings) -> None:
    """Write down how a customer wants to be reached.

    Raises CommandRefused with ``choice.safety`` where safety messages are refused, ``choice.channel`` for a channel
    that does not reach them at a proven address, or with what is wrong with a value. Nothing is changed then.
    """
    customer = _customer(tx, command.customer_id)
    refused = [p for p, on in (command.purposes or {}).items() if not on and customer.allows(p)]
    if Purpose.SAFETY in refused:
        raise CommandRefused("choice.safety")
    wished = [p for p, on in (command.purposes or {}).items() if on and not customer.allows(p)]
    wanted = {
        "locale": command.locale,
        "timezone": command.timezone,
        "quiet_hours": command.quiet_hours,
        "preferred_channel": command.preferred_channel,
        "channel_choices": _choices(tx, customer, command.channel_choices),
    }
    given = {name: value for name, value in wanted.items() if value is not None and name in Customer.model_fields}
    if given:
        try:
            changed = Customer.model_validate({**customer.model_dump(), **given})
            new = [name for name in given if getattr(changed, name) != getattr(customer, name)]
            theirs = dict.fromkeys(new, Origin(source=_PAGE, at=tx.now, own=True))
            changed = changed.model_copy(update={"origins": customer.origins | theirs})
        except ValidationError as error:
            raise CommandRefused(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error
        put_records(tx, "customers", [changed])
    for purposes, granted in ((refused, False), (wished, True)):
        if purposes:
            set_consent(tx, SetConsent(customer.id, tuple(purposes), granted, _PAGE))
    if command.location is not None:
        _put_settings(tx, customer.id, location=command.location)
    tx.audit("customer", "customer.settings", customer.id, changed=sorted(given))
    tx.changed("customer", customer.id)


def revoke_links(tx: Transaction, customer_id: str, by: str) -> None:
    """Let no link work that was made before now."""
    customer = _customer(tx, customer_id)
    _put_settings(tx, customer.id, links_from=tx.now)
    tx.audit(by, "customer.links_revoked", customer.id)


def send_link(tx: Transaction, customer_id: str) -> None:
    """Send a new link to where a customer is reached already; whoever holds an old one learns nothing by it."""
    notify = Notify(
        key=f"link:{_customer(tx, customer_id).id}:{tx.now:%Y-%m-%d}",
        template=PAGE_LINK,
        customer_id=customer_id,
        device_id="",
        case_id=None,
        purpose=Purpose.FAULT,
        severity=Severity.INFO,
        facts={},
        mode="auto",
        expires_at=tx.now + timedelta(hours=1),
    )
    enqueue(tx, notify)


def plain_address(channel: str, address: str) -> str:
    """Return an address as it is kept. Raises CommandRefused with ``check.address`` for what is none."""
    if channel not in checks.CHECKED:
        raise CommandRefused("check.channel")
    name = "email" if channel == "email" else "phone"
    try:
        found = Customer.model_validate({"id": "x", "name": "x", name: address.strip()})
    except ValidationError as error:
        raise CommandRefused("check.address") from error
    plain = found.email.casefold() if channel == "email" and found.email else found.phone
    if not plain:
        raise CommandRefused("check.address")
    return plain


def _new_claim(tx: Transaction, device_id: str, customer_id: str | None, by: str, valid_for: timedelta | None) -> str:
    c = claim_codes
    tx.connection.execute(sa.delete(c).where(c.c.device_id == device_id, c.c.used_at.is_(None)))
    plain = "".join(secrets.choice(_LETTERS) for _ in range(_CLAIM_LETTERS))
    row = {"code_hash": checks.digest(plain), "device_id": device_id, "customer_id": customer_id}
    times = {"created_at": tx.now, "created_by": by, "expires_at": tx.now + valid_for if valid_for else None}
    tx.connection.execute(sa.insert(c).values(**row, **times))
    return "-".join(plain[start : start + 4] for start in range(0, _CLAIM_LETTERS, 4))


def _plain_code(code: str) -> str:
    return "".join(letter for letter in code.upper() if letter.isalnum())


def _new_customer(draft: Mapping[str, Any]) -> Customer:
    return Customer.model_validate(
        {
            "id": f"c-{secrets.token_hex(6)}",
            "name": draft.get("name") or "–",
            "locale": draft.get("locale") or "en",
            "timezone": draft.get("timezone") or "UTC",
        }
    )


def _with_address(customer: Customer, channel: str, address: str | None, origin: Origin) -> Customer:
    others = {name: value for name, value in customer.addresses.items() if name != channel}
    update: dict[str, Any] = {"addresses": others, "origins": customer.origins | {channel: origin}}
    if channel in ("email", "sms"):
        update["email" if channel == "email" else "phone"] = address
    elif address is not None:
        update["addresses"] = others | {channel: address}
    return customer.model_copy(update=update)


def _choices(tx: Transaction, customer: Customer, wanted: Mapping[Purpose, str] | None) -> dict[Purpose, str] | None:
    """Join new choices of a channel to the ones before; None where there are none."""
    if wanted is None:
        return None
    before, ways = customer.channel_choices, ways_to(tx.connection, customer, tx.config.notifiers)
    # What they chose once and which cannot be used just now is theirs to keep: it is not chosen anew.
    if any(channel and channel != before.get(purpose) and channel not in ways for purpose, channel in wanted.items()):
        raise CommandRefused("choice.channel")
    return {purpose: channel for purpose, channel in {**before, **wanted}.items() if channel}


def _put_settings(tx: Transaction, customer_id: str, **values: Any) -> None:
    s = customer_settings
    known = tx.connection.execute(sa.select(s).where(s.c.customer_id == customer_id)).mappings().first()
    row = {"customer_id": customer_id, "location": True, "links_from": None, **(known or {}), **values}
    dialect.upsert(tx.connection, s, [row])
    if "location" in values:
        held = tx.registry.no_location
        before = customer_id in held
        (held.discard if values["location"] else held.add)(customer_id)
        tx.on_rollback.append(lambda: (held.add if before else held.discard)(customer_id))


def _customer(tx: Transaction, customer_id: str) -> Customer:
    customer = tx.registry.customers.get(customer_id)
    if customer is None:
        raise CommandRefused(f"there is no customer {customer_id}")
    return customer
