"""What response remembers of alerts, in the store: the last word of each, and what withholds it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from device_models.event import rfc3339
from device_models.purpose import Purpose, Severity
from gateway.store import dialect, schema
from gateway.store.statements import one_of
from gateway.transaction import Transaction
from rules.base import BaseRule
from rules.kinds.absent import AbsentRule
from rules.response.withheld import KnownAlert, Withheld
from rules.transition import AlertState, Transition

_DUE_AT_ONCE = 500
"""How many withheld alerts are looked at again in one commit; the rest follows in the next."""
_PART = 500
"""Devices asked for in one statement."""

_a = schema.alerts
_OF_DEVICES = sa.select(_a).where(one_of(_a.c.device_id, "devices"))
_WITHHELD_BY = sa.select(_a).where(one_of(_a.c.withheld_key, "keys"))
_DUE = (
    sa.select(_a).where(_a.c.due_at <= sa.bindparam("until")).order_by(_a.c.due_at, _a.c.dedupe_key).limit(_DUE_AT_ONCE)
)
_NEXT = sa.select(_a.c.due_at).where(_a.c.due_at.is_not(None)).order_by(_a.c.due_at).limit(1)

Alerts = dict[str, dict[str, KnownAlert]]


def load_alerts(
    tx: Transaction, rules: Mapping[str, BaseRule], transitions: Sequence[Transition], until: datetime | None
) -> Alerts:
    """Read what ``transitions``, and timers due by ``until``, may touch; by device and dedupe key."""
    keys = sorted({transition.dedupe_key for transition in transitions})
    released = _alerts(tx.connection.execute(_WITHHELD_BY, {"keys": keys})) if keys else []
    if until is not None:
        released += _alerts(tx.connection.execute(_DUE, {"until": until}))
    device_ids = {transition.device_id for transition in transitions} | {x.transition.device_id for x in released}
    if not device_ids:
        return {}
    found = [*released, *_of_devices(tx.connection, sorted(device_ids))]
    concerned = {t.rule for t in transitions} | {x.transition.rule for x in released}
    found += _of_sites(tx, rules, device_ids, concerned) + _behind_hubs(tx, rules, device_ids, concerned)
    alerts: Alerts = {}
    for alert in found:
        alerts.setdefault(alert.transition.device_id, {})[alert.transition.dedupe_key] = alert
    return alerts


def load_alerts_of(tx: Transaction, device_ids: Sequence[str]) -> Alerts:
    """Read all that is known of the alerts of some devices."""
    alerts: Alerts = {}
    for start in range(0, len(device_ids), _PART):
        for alert in _of_devices(tx.connection, device_ids[start : start + _PART]):
            alerts.setdefault(alert.transition.device_id, {})[alert.transition.dedupe_key] = alert
    return alerts


def save_alert(tx: Transaction, alert: KnownAlert) -> None:
    """Write the last word of one alert."""
    transition, withheld = alert.transition, alert.withheld
    row = {
        "dedupe_key": transition.dedupe_key,
        "device_id": transition.device_id,
        "rule": transition.rule,
        "fault": transition.fault,
        "state": transition.state.value,
        "at": transition.at,
        "severity": transition.severity.value,
        "purpose": transition.purpose.value,
        "on_arrival": transition.on_arrival,
        # What lasts may still open a case, or join an incident that tells of it; the rest stands in ``transitions``.
        "explanation": dict(transition.explanation) if alert.firing else {},
        "withheld_by": withheld.by if withheld else None,
        "withheld_key": withheld.key if withheld else None,
        "withheld": dict(withheld.reason) if withheld else {},
        "due_at": withheld.until if withheld else None,
    }
    dialect.upsert(tx.connection, schema.alerts, [row])


def next_release(connection: sa.Connection) -> datetime | None:
    """Return when a withheld alert is next to be looked at, None while none waits for a time."""
    found: datetime | None = connection.execute(_NEXT).scalar()
    return found


def look_again(tx: Transaction, condition: sa.ColumnElement[bool]) -> int:
    """Have withheld alerts of ``condition`` looked at again at once; return how many."""
    a = schema.alerts
    changed = tx.connection.execute(sa.update(a).where(a.c.withheld_by.is_not(None), condition).values(due_at=tx.now))
    return changed.rowcount


def reason_of(withheld: Withheld) -> dict[str, Any]:
    """Return what withholds a fault as a transition's explanation shows it."""
    return withheld.as_dict() | ({"until": rfc3339(withheld.until)} if withheld.until else {})


def withheld_on(connection: sa.Connection, device_id: str) -> dict[str, dict[str, Any]]:
    """Return what withholds the faults that fire on a device now, by rule; see ``reason_of``."""
    a = schema.alerts
    found = _read(connection, sa.and_(a.c.device_id == device_id, a.c.withheld_by.is_not(None)))
    return {alert.transition.rule: reason_of(alert.withheld) for alert in found if alert.withheld}


def sites_of(tx: Transaction, device_ids: Iterable[str]) -> list[str]:
    """Return the sites of some devices."""
    devices = tx.registry.devices
    return sorted({d.site for device_id in device_ids if (d := devices.get(device_id)) and d.site})


def load_site_sizes(tx: Transaction, rules: Mapping[str, BaseRule], sites: Sequence[str]) -> dict[tuple[str, str], int]:
    """Count the devices of sites that each absent rule watches; by site and rule."""
    absent = [rule for rule in rules.values() if isinstance(rule, AbsentRule)]
    if not absent or not sites:
        return {}
    d = schema.devices
    query = sa.select(d.c.site, d.c.profile, sa.func.count()).where(d.c.site.in_(sites)).group_by(d.c.site, d.c.profile)
    sizes: Counter[tuple[str, str]] = Counter()
    for site, profile, count in tx.connection.execute(query):
        for rule in absent:
            if rule.applies_to(profile):
                sizes[site, rule.id] += count
    return dict(sizes)


def load_hub_sizes(tx: Transaction, rules: Mapping[str, BaseRule], hubs: Sequence[str]) -> dict[str, int]:
    """Count the devices behind hubs that any absent rule watches."""
    absent = [rule for rule in rules.values() if isinstance(rule, AbsentRule)]
    if not absent or not hubs:
        return {}
    d = schema.devices
    query = sa.select(d.c.hub, d.c.profile, sa.func.count()).where(d.c.hub.in_(hubs)).group_by(d.c.hub, d.c.profile)
    sizes: Counter[str] = Counter()
    for hub, profile, count in tx.connection.execute(query):
        if any(rule.applies_to(profile) for rule in absent):
            sizes[hub] += count
    return dict(sizes)


def hubs_of(tx: Transaction, device_ids: Iterable[str]) -> list[str]:
    """Return the hubs that some devices speak through, and the devices themselves, which may be hubs."""
    devices, found = tx.registry.devices, set[str]()
    for device_id in device_ids:
        if device := devices.get(device_id):
            found.add(device.hub or device.id)
    return sorted(found)


def _behind_hubs(
    tx: Transaction, rules: Mapping[str, BaseRule], device_ids: Iterable[str], concerned: set[str]
) -> list[KnownAlert]:
    """Alerts of hubs and of what hangs on them, by rules of silence and by rules that explain what is behind a hub."""
    across = [rule for rule in rules.values() if rule.inhibited_scope == "hub" and rule.inhibited_by]
    names = {name for rule in across if rule.id in concerned for name in rule.inhibited_by}
    if any(isinstance(rules.get(name), AbsentRule) for name in concerned):
        names |= {rule.id for rule in rules.values() if isinstance(rule, AbsentRule)}
    hubs = hubs_of(tx, device_ids)
    found: list[KnownAlert] = []
    a, d = schema.alerts, schema.devices
    for start in range(0, len(hubs) if names else 0, _PART):
        part = hubs[start : start + _PART]
        behind = sa.select(d.c.id).where(d.c.hub.in_(part))
        there = sa.or_(a.c.device_id.in_(part), a.c.device_id.in_(behind))
        found += _read(tx.connection, sa.and_(a.c.rule.in_(sorted(names)), there))
    return found


def _of_sites(
    tx: Transaction, rules: Mapping[str, BaseRule], device_ids: Iterable[str], concerned: set[str]
) -> list[KnownAlert]:
    """Alerts at the same sites by rules that explain, or are explained, across a site."""
    across = [rule for rule in rules.values() if rule.inhibited_scope == "site" and rule.inhibited_by]
    names = {name for rule in across if rule.id in concerned for name in rule.inhibited_by}
    names |= {rule.id for rule in rules.values() if rule.id in concerned and isinstance(rule, AbsentRule)}
    sites = sites_of(tx, device_ids)
    if not names or not sites:
        return []
    at_site = sa.select(schema.devices.c.id).where(schema.devices.c.site.in_(sites))
    a = schema.alerts
    return _read(tx.connection, sa.and_(a.c.rule.in_(sorted(names)), a.c.device_id.in_(at_site)))


def _of_devices(connection: sa.Connection, device_ids: Sequence[str]) -> list[KnownAlert]:
    return _alerts(connection.execute(_OF_DEVICES, {"devices": device_ids}))


def _read(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[KnownAlert]:
    return _alerts(connection.execute(sa.select(schema.alerts).where(condition)))


def _alerts(result: sa.CursorResult[Any]) -> list[KnownAlert]:
    return [_alert(row) for row in result.mappings()]


def _alert(row: sa.RowMapping) -> KnownAlert:
    transition = Transition(
        rule=row["rule"],
        device_id=row["device_id"],
        state=AlertState(row["state"]),
        at=row["at"],
        severity=Severity(row["severity"]),
        purpose=Purpose(row["purpose"]),
        explanation=row["explanation"],
        fault=row["fault"],
        on_arrival=row["on_arrival"],
    )
    if row["withheld_by"] is None:
        return KnownAlert(transition)
    return KnownAlert(transition, Withheld(row["withheld_by"], row["withheld_key"], row["due_at"], row["withheld"]))
