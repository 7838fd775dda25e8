"""Staff told of what cannot wait: one alert a rota at a time, person after person until somebody takes it.

What comes while an alert is open joins it and is told at most every ``GROUP_INTERVAL``; so many faults at once are one
message that counts them. Its messages go through the outbox like all others, though not held by its brake.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from gateway.cases.claiming import take_all
from gateway.cases.timeline import add_entry
from gateway.outbox.channels import configured_channels
from gateway.outbox.checking import STAFF_ALERT
from gateway.staff.rota import next_to_tell
from gateway.staff.rota_records import Rota, load_rotas
from gateway.store import dialect
from gateway.store.schema import cases, notifications, users
from gateway.store.staff import away, staff_alert_keys, staff_alerts, staff_contacts
from gateway.transaction import Transaction
from gateway.web.language import _, say, speaking, voice
from gateway.web.links import LinkSigner

STAFF = "staff:"
"""Before a colleague's name, ``notifications.customer_id`` of an alert."""
GROUP_INTERVAL = timedelta(minutes=5)
_TOLD_OF_AT_ONCE = 5
_MOST_ITEMS = 500
_LIFETIME = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that an alert is about."""

    key: str
    """The same thing is told of once."""
    kind: str
    """case | breach | alarm | test."""
    text: str
    case_id: int | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    """What the text is made of, so that it can be said in another language: see ``_said``."""


def follow(tx: Transaction, case_ids: Collection[int]) -> None:
    """Tell of new cases that cannot wait; end alerts whose cases somebody has taken, or that are over."""
    known = load_rotas(tx.connection) if case_ids else []
    if not known:
        return
    query = sa.select(cases).where(cases.c.id.in_(sorted(case_ids)[:_MOST_ITEMS]), cases.c.on_arrival.is_(sa.false()))
    for row in tx.connection.execute(query).mappings().all():
        if row["state"] == "open" and row["acknowledged_at"] is None:
            for rota in known:
                if rota.is_for(row["severity"], row["team"]):
                    parts = _parts(tx, row)
                    raise_item(
                        tx, rota, Item(f"case:{row['id']}:{row['reopened']}", "case", _said(parts), row["id"], parts)
                    )
    for alert in _open(tx):
        if any(item["case_id"] in case_ids for item in alert["items"]):
            _settle(tx, alert)


def tell_of_breach(tx: Transaction, case_id: int, target: str, due_at: str, words: str) -> None:
    """Tell of a service level that is about to be breached, or was."""
    row = tx.connection.execute(sa.select(cases).where(cases.c.id == case_id)).mappings().first()
    if row is None:
        return
    for rota in load_rotas(tx.connection):
        if rota.breaches and rota.team in (None, row["team"]):
            key = f"breach:{case_id}:{target}:{due_at}:{words}"
            parts = {**_parts(tx, row), "state": words}
            raise_item(tx, rota, Item(key, "breach", _said(parts), case_id, parts))


def tell_of_alarm(tx: Transaction, part: str, detail: str | None) -> None:
    """Tell that a part of the gateway is not well; ``detail`` None: it is again."""
    for rota in load_rotas(tx.connection):
        if detail is not None and rota.alarms:
            parts = {"part": part, "detail": detail}
            raise_item(tx, rota, Item(f"alarm:{part}", "alarm", _said(parts), None, parts))
    if detail is None:
        gone = sa.delete(staff_alert_keys).where(staff_alert_keys.c.key == f"alarm:{part}")
        tx.connection.execute(gone)
        for alert in _open(tx):
            if any(item["key"] == f"alarm:{part}" for item in alert["items"]):
                _settle(tx, alert)


def raise_item(tx: Transaction, rota: Rota, item: Item) -> None:
    """Add something to the rota's open alert, or open one."""
    this = {"rota": rota.name, "key": item.key}
    if not dialect.insert_new(tx.connection, staff_alert_keys, {**this, "alert_id": 0}, unique=["rota", "key"]):
        return
    shown = {"key": item.key, "kind": item.kind, "text": item.text, "case_id": item.case_id, "parts": dict(item.parts)}
    newest = _newest(tx, rota.name)
    if newest is not None and newest["state"] == "open":
        alert_id = newest["id"]
        items = [*newest["items"], shown][:_MOST_ITEMS]
        _set(tx, alert_id, items=items)
    else:
        # Whoever has just taken one need not be called again for the next within minutes.
        last = newest["last_sent_at"] if newest is not None else None
        first_at = max(tx.now, last + GROUP_INTERVAL) if last is not None else tx.now
        row = {
            "rota": rota.name,
            "state": "open",
            "opened_at": tx.now,
            "items": [shown],
            "sent_items": 0,
            "told": [],
            "next_at": first_at,
        }
        alert_id = tx.connection.execute(sa.insert(staff_alerts).values(row).returning(staff_alerts.c.id)).scalar_one()
        tx.changed("alert", alert_id)
    where = (staff_alert_keys.c.rota == rota.name, staff_alert_keys.c.key == item.key)
    tx.connection.execute(sa.update(staff_alert_keys).where(*where).values(alert_id=alert_id))


def due(connection: sa.Connection, now: Any) -> bool:
    """Tell whether ``tell`` may have something to do."""
    query = sa.select(sa.true()).where(staff_alerts.c.state == "open").limit(1)
    return connection.execute(query).first() is not None


def tell(tx: Transaction, links: LinkSigner) -> int:
    """Send what is due of the open alerts; return how many messages."""
    by_name, sent = {rota.name: rota for rota in load_rotas(tx.connection)}, 0
    for alert in _open(tx):
        rota = by_name.get(alert["rota"])
        if rota is None:
            _set(tx, alert["id"], state="over")
        elif (alert["next_at"] is not None and alert["next_at"] <= tx.now) or _failed(tx, alert):
            sent += _go_on(tx, rota, alert, links)
        elif alert["told"] and _has_more(alert) and alert["last_sent_at"] + GROUP_INTERVAL <= tx.now:
            sent += _tell_more(tx, alert, links)
    return sent


def acknowledge(tx: Transaction, alert: sa.RowMapping, who: str, via: str) -> None:
    """Somebody takes it, and its cases: nobody else is told."""
    _set(tx, alert["id"], state="acknowledged", acknowledged_by=who, acknowledged_at=tx.now, next_at=None)
    _note(tx, alert, "staff_acknowledged", who, {"via": via})
    take_all(tx, {item["case_id"] for item in alert["items"] if item["case_id"] is not None}, who)
    tx.audit(who, "alert.acknowledge", str(alert["id"]), via=via)


def pass_on(tx: Transaction, alert: sa.RowMapping, who: str, via: str) -> None:
    """Somebody cannot: the next is told at once."""
    told = [*alert["told"], {"name": who, "channel": None, "at": tx.now.isoformat(), "notification_id": None}]
    _set(tx, alert["id"], told=told, next_at=tx.now)
    _note(tx, alert, "staff_passed_on", who, {"via": via})
    tx.audit(who, "alert.pass_on", str(alert["id"]), via=via)


def load_alert(tx: Transaction, alert_id: int) -> sa.RowMapping | None:
    """Read one alert."""
    return tx.connection.execute(sa.select(staff_alerts).where(staff_alerts.c.id == alert_id)).mappings().first()


def open_alert_of(tx: Transaction, name: str) -> sa.RowMapping | None:
    """Read the newest open alert that somebody was told of."""
    found = [alert for alert in _open(tx) if any(one["name"] == name for one in alert["told"])]
    return found[-1] if found else None


def _has_more(alert: sa.RowMapping) -> bool:
    return bool(len(alert["items"]) > alert["sent_items"])


def _go_on(tx: Transaction, rota: Rota, alert: sa.RowMapping, links: LinkSigner) -> int:
    people = _reachable(tx, rota.in_order(tx.now))
    chosen = next_to_tell(
        [(name, [channel for channel, _ in contacts]) for name, contacts in people],
        [(one["name"], one["channel"]) for one in alert["told"]],
    )
    if chosen is None:
        _set(tx, alert["id"], next_at=None)
        _note(tx, alert, "staff_unreached", "gateway", {"rota": rota.name, "told": len(alert["told"])})
        tx.changed("alert", alert["id"])
        return 0
    name, channel, channels = chosen
    address = dict(dict(people)[name])[channel]
    # Their time is shared among their channels.
    wait = timedelta(seconds=rota.ack_within_s) / channels
    _send(tx, alert, name, channel, address, links, next_at=tx.now + wait)
    _note(tx, alert, "staff_alerted", "gateway", {"name": name, "channel": channel, "rota": rota.name})
    return 1


def _tell_more(tx: Transaction, alert: sa.RowMapping, links: LinkSigner) -> int:
    last = next((one for one in reversed(alert["told"]) if one["channel"] is not None), None)
    address = dict(_contacts(tx, last["name"])).get(last["channel"]) if last is not None else None
    if last is None or address is None:
        return 0
    _send(tx, alert, last["name"], last["channel"], address, links, next_at=alert["next_at"])
    return 1


def _send(
    tx: Transaction, alert: sa.RowMapping, name: str, channel: str, address: str, links: LinkSigner, *, next_at: Any
) -> None:
    number = len(alert["told"])
    url = links.alert_url(alert["id"], name)
    known = alert["sent_items"] if number else 0
    language = _language_of(tx, name)
    with speaking(language):
        text = words(tx.config.brand.name, alert["items"], known, url)
    row = {
        "key": f"staff:{alert['id']}:{number}:{channel}",
        "customer_id": f"{STAFF}{name}",
        "purpose": Purpose.SAFETY.value,
        "severity": Severity.CRITICAL.value,
        "template": STAFF_ALERT,
        "facts": {"draft": {"name": name, "locale": language}},
        "text": text,
        "state": "queued",
        "channel": channel,
        "address": address,
        "why": [],
        "tried": [],
        "expires_at": tx.now + _LIFETIME,
        "attempts": 0,
        "created_at": tx.now,
        "updated_at": tx.now,
    }
    insert = sa.insert(notifications).values(row).returning(notifications.c.id)
    notification_id = tx.connection.execute(insert).scalar_one()
    tx.changed("notification", notification_id)
    told = {"name": name, "channel": channel, "at": tx.now.isoformat(), "notification_id": notification_id}
    _set(
        tx,
        alert["id"],
        told=[*alert["told"], told],
        sent_items=len(alert["items"]),
        last_sent_at=tx.now,
        next_at=next_at,
    )


def words(brand: str, items: Sequence[Mapping[str, Any]], known: int, url: str) -> str:
    """Say what it is about, in the language that is spoken: the newest first where some were told of before, a few of
    many, and how to answer."""
    new = list(items[known:]) or list(items)
    more = known and len(items) > known
    head = say("{1}: {2} more", brand, len(new)) if more else say("{1}: {2} alerts", brand, len(new))
    lines = [said_of(item) for item in new[:_TOLD_OF_AT_ONCE]]
    rest = len(new) - len(lines)
    said = [f"{brand}: {lines[0]}"] if len(new) == 1 else [head, *(f"- {line}" for line in lines)]
    if rest:
        said.append(say("and {1} more", rest))
    return "\n".join([*said, _("Answer OK to take it, NO to pass it on."), url])


def said_of(item: Mapping[str, Any]) -> str:
    """Say one thing that an alert is about in the language that is spoken; else as it was noted."""
    return _said(item["parts"]) if item.get("parts") else str(item["text"])


def title_of(items: Sequence[Mapping[str, Any]]) -> str:
    """Say in one line what an alert is about: its first thing, and how many more there are."""
    first = said_of(items[0])
    return first if len(items) == 1 else say("{1}, and {2} more", first, len(items) - 1)


def _language_of(tx: Transaction, name: str) -> str:
    chosen = tx.connection.execute(sa.select(users.c.language).where(users.c.name == name)).scalar()
    return chosen or tx.config.notifiers.staff_language


def _said(parts: Mapping[str, Any]) -> str:
    """Say one thing that an alert is about in the language that is spoken; English outside of ``speaking``."""
    if "part" in parts:
        return say("The gateway's {1}: {2}", parts["part"], parts["detail"])
    titles = parts["titles"]
    title = titles.get(voice().language) or titles.get("en") or next(iter(titles.values()), parts["rule"])
    device = f" ({parts['device']})" if parts["device"] else ""
    said = f"{title}{device}, {_(parts['severity'].capitalize()).lower()}, #{parts['case']}"
    return f"{said}: {_(parts['state'])}" if "state" in parts else said


def _failed(tx: Transaction, alert: sa.RowMapping) -> bool:
    """Whether the last message could not be sent: then nobody waits for its answer."""
    last = alert["told"][-1] if alert["told"] else None
    if last is None or last["notification_id"] is None or alert["next_at"] is None:
        return False
    query = sa.select(notifications.c.state).where(notifications.c.id == last["notification_id"])
    return tx.connection.execute(query).scalar() in ("dead", "expired", "cancelled", "withheld", "unknown")


def _reachable(tx: Transaction, names: Sequence[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Those who are not away, each with (channel, address) that this gateway serves."""
    absent = set(tx.connection.execute(sa.select(away.c.user_name).where(away.c.until > tx.now)).scalars())
    enabled = set(tx.connection.execute(sa.select(users.c.name).where(users.c.disabled.is_(sa.false()))).scalars())
    return [(name, _contacts(tx, name)) for name in names if name in enabled and name not in absent]


def _contacts(tx: Transaction, name: str) -> list[tuple[str, str]]:
    served = set(configured_channels(tx.config.notifiers))
    query = sa.select(staff_contacts.c.channel, staff_contacts.c.address).where(staff_contacts.c.user_name == name)
    rows = tx.connection.execute(query.order_by(staff_contacts.c.position)).all()
    return [(row.channel, row.address) for row in rows if row.channel in served]


def _settle(tx: Transaction, alert: sa.RowMapping) -> None:
    """End an alert that needs nobody any more."""
    numbers = {item["case_id"] for item in alert["items"] if item["case_id"] is not None}
    needing = sa.select(cases.c.id).where(
        cases.c.id.in_(numbers), cases.c.state == "open", cases.c.acknowledged_at.is_(None)
    )
    lasting = sa.select(staff_alert_keys.c.key).where(
        staff_alert_keys.c.alert_id == alert["id"], staff_alert_keys.c.key.like("alarm:%")
    )
    waits = tx.connection.execute(needing.limit(1)).first() or tx.connection.execute(lasting.limit(1)).first()
    if waits is None and not any(item["kind"] == "test" for item in alert["items"]):
        _set(tx, alert["id"], state="over", next_at=None)


def _open(tx: Transaction) -> list[sa.RowMapping]:
    query = sa.select(staff_alerts).where(staff_alerts.c.state == "open").order_by(staff_alerts.c.id)
    return list(tx.connection.execute(query).mappings())


def _newest(tx: Transaction, rota: str) -> sa.RowMapping | None:
    query = sa.select(staff_alerts).where(staff_alerts.c.rota == rota).order_by(staff_alerts.c.id.desc()).limit(1)
    return tx.connection.execute(query).mappings().first()


def _set(tx: Transaction, alert_id: int, **values: Any) -> None:
    tx.connection.execute(sa.update(staff_alerts).where(staff_alerts.c.id == alert_id).values(**values))
    tx.changed("alert", alert_id)


def _note(tx: Transaction, alert: sa.RowMapping, kind: str, author: str, body: Mapping[str, Any]) -> None:
    for case_id in dict.fromkeys(item["case_id"] for item in alert["items"] if item["case_id"] is not None):
        add_entry(tx, case_id, kind, author, body={**body, "alert": alert["id"]})


def _parts(tx: Transaction, row: sa.RowMapping) -> dict[str, Any]:
    """What is said of a case, without its customer's name: it may lie on a locked screen."""
    device = tx.registry.devices.get(row["device_id"])
    return {
        "titles": dict(row["explanation"].get("title") or {}),
        "rule": row["rule"],
        "device": device.label if device else "",
        "severity": row["severity"],
        "case": row["id"],
    }
