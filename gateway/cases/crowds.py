"""Crowds in the store: devices that fail alike, loaded as far as a batch may touch them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from device_models.registry import Device
from gateway.store import dialect
from gateway.store.fleets import crowd_members, crowds, device_changes
from gateway.store.rule_sets import rule_sets
from gateway.store.statements import one_of
from gateway.transaction import Transaction
from rules.base import BaseRule
from rules.kinds.fleet import FleetRule
from rules.response.alike import value_of, values_of
from rules.response.changed import DeviceChange, Past, RuleChange
from rules.response.crowd import Crowd, crowd_key
from rules.response.fleet import needs_members
from rules.response.roster import Member, Roster
from rules.response.storm import STORM
from rules.response.world import World, fleets_by_rule
from rules.transition import Transition

_PART = 500
"""Keys asked for in one statement."""
_CROWDS = sa.select(crowds).where(one_of(crowds.c.key, "keys"))
_OF_DEVICES = sa.select(crowd_members).where(one_of(crowd_members.c.device_id, "devices"))
_IN_INCIDENT = sa.select(crowd_members).where(
    crowd_members.c.key == sa.bindparam("key"),
    one_of(crowd_members.c.customer_id, "customers"),
    crowd_members.c.incident.is_not(None),
)
"""Members of a crowd that are some customers' and belong to an incident."""


def touched_crowds(
    tx: Transaction, rules: Mapping[str, BaseRule], facts: Sequence[Transition]
) -> tuple[Roster, dict[str, Crowd], Counter[str]]:
    """Read the crowds that facts, in any order, may count in or leave.

    Returns:
        Their members among the facts' devices and the customers of these; the crowds by key; and how many of the
        facts each may count.
    """
    fleets = fleets_by_rule(rules)
    devices = sorted({fact.device_id for fact in facts})
    members = _members_of(tx, devices)
    always = [STORM] if tx.config.cases.storm_openings else []
    if not fleets and not members and not always:
        return Roster(), {}, Counter()
    counts: Counter[str] = Counter()
    for fact in facts:
        device = tx.registry.devices.get(fact.device_id)
        for rule in fleets.get(fact.rule, ()) if device else ():
            values = values_of(device, rule.alike) if device else None
            if values is not None:
                counts[crowd_key(rule.id, dict(zip(rule.alike, values, strict=True)))] += 1
    keys = sorted({*counts, *always, *(member.key for member in members)})
    owners = {owner.id for fact in facts if (owner := tx.registry.owner(fact.device_id)) is not None}
    roster = Roster([*members, *_members_of_customers(tx, members, [*counts, *always], owners)])
    return roster, _crowds(tx, keys), counts


def load_rest(tx: Transaction, world: World, counts: Mapping[str, int]) -> list[str]:
    """Read the members of crowds of which an incident may come, and what changed before; return their devices."""
    rules = {rule.id: rule for of_rule in world.fleets.values() for rule in of_rule}
    world.watched_since = _watched_since(tx, rules)
    found: list[str] = []
    earliest: datetime | None = None
    for key, more in counts.items():
        crowd = world.crowds.get(key)
        rule = rules.get(crowd.rule if crowd else key.removeprefix("fleet:").partition("|")[0])
        case = world.cases.get(key)
        if rule is None or (crowd is None and more < rule.at_least) or (case is not None and case.open):
            continue
        if crowd is not None and not needs_members(world, crowd, rule, more):
            continue
        m = crowd_members
        for member in _read(tx.connection, sa.and_(m.c.key == key, m.c.failing.is_(True))):
            if world.roster.get(key, member.device_id) is None:
                world.roster.put(member)
        found += [member.device_id for member in world.roster.of_crowd(key)]
        since = tx.now - rule.changed_within - 2 * rule.within
        earliest = since if earliest is None else min(earliest, since)
    if earliest is not None:
        world.past = _past(tx, earliest)
    return found


def crowd_of(connection: sa.Connection, rule: FleetRule, device: Device, at: datetime) -> dict[str, Any]:
    """Say where a fleet rule stands for the devices alike to one: ``crowd``, or ``why`` there is none."""
    values = values_of(device, rule.alike)
    if values is None:
        unknown = next(name for name in rule.alike if value_of(device, name) is None)
        return {"why": f"its {unknown} is not known, so it is alike to none"}
    alike = dict(zip(map(str, rule.alike), values, strict=True))
    key = crowd_key(rule.id, alike)
    row = connection.execute(sa.select(crowds).where(crowds.c.key == key)).first()
    if row is None:
        return {"why": f"no device alike ({', '.join(values)}) began to fail since this is counted"}
    crowd = Crowd.from_json(row.key, row.rule, row.alike, row.state)
    crowd = crowd.learned(rule, max(at, crowd.learned_at), crowd.devices, in_incident=crowd.failing > 0)
    verdict = crowd.judge(rule, crowd.devices).as_dict()
    more = {"alike": alike, "within_s": rule.within.total_seconds(), "significance": rule.significance}
    return {"crowd": {**verdict, **more}, "state": "firing" if crowd.failing else "inactive"}


def save_crowd(tx: Transaction, crowd: Crowd) -> None:
    """Write a crowd."""
    row = {"key": crowd.key, "rule": crowd.rule, "alike": dict(crowd.alike), "state": crowd.to_json()}
    dialect.upsert(tx.connection, crowds, [row])


def save_member(tx: Transaction, member: Member) -> None:
    """Write a device of a crowd."""
    row = {
        "key": member.key,
        "device_id": member.device_id,
        "customer_id": member.customer_id,
        "counted_at": member.counted_at,
        "faults": sorted(member.faults),
        "failing": member.failing,
        "incident": member.incident,
        "told": member.told,
    }
    dialect.upsert(tx.connection, crowd_members, [row])


def begin_watch(tx: Transaction, rules: Iterable[BaseRule]) -> None:
    """Note when each fleet rule begins to watch: that nothing happened since is known from then on."""
    known = tx.get_meta("fleets_watched_since", {})
    since = {rule.id: known.get(rule.id, tx.now.isoformat()) for rule in rules if isinstance(rule, FleetRule)}
    if since != known:
        tx.set_meta("fleets_watched_since", since)


def _watched_since(tx: Transaction, rules: Mapping[str, FleetRule]) -> dict[str, datetime]:
    known = tx.get_meta("fleets_watched_since", {}) if rules else {}
    return {rule: datetime.fromisoformat(at) for rule, at in known.items() if rule in rules}


def _past(tx: Transaction, since: datetime) -> Past:
    d = device_changes
    changes: list[DeviceChange] = []
    elsewhere: Counter[tuple[str, str | None, str | None]] = Counter()
    seen: set[tuple[str, str, str | None, str | None]] = set()
    query = sa.select(d.c.device_id, d.c.field, d.c.before, d.c.after, d.c.at).where(d.c.at >= since).order_by(d.c.id)
    for row in tx.connection.execute(query):
        changes.append(DeviceChange(row.device_id, row.field, row.before, row.after, row.at))
        one = (row.device_id, row.field, row.before, row.after)
        if one not in seen:
            seen.add(one)
            elsewhere[one[1:]] += 1
    s = rule_sets
    edits = sa.select(s.c.migration, s.c.put_live_at, s.c.who).where(s.c.put_live_at >= since).order_by(s.c.id)
    edited = [
        RuleChange(entry["rule"], entry["change"], row.put_live_at, row.who)
        for row in tx.connection.execute(edits)
        for entry in row.migration
        if entry["change"] in ("added", "changed")
    ]
    return Past(changes, elsewhere, edited)


def _crowds(tx: Transaction, keys: Sequence[str]) -> dict[str, Crowd]:
    found: dict[str, Crowd] = {}
    for start in range(0, len(keys), _PART):
        for row in tx.connection.execute(_CROWDS, {"keys": keys[start : start + _PART]}):
            found[row.key] = Crowd.from_json(row.key, row.rule, row.alike, row.state)
    return found


def _members_of(tx: Transaction, devices: Sequence[str]) -> list[Member]:
    found: list[Member] = []
    for start in range(0, len(devices), _PART):
        found += _members(tx.connection.execute(_OF_DEVICES, {"devices": devices[start : start + _PART]}))
    return found


def _members_of_customers(
    tx: Transaction, members: Sequence[Member], keys: Iterable[str], owners: Collection[str]
) -> list[Member]:
    """The other devices of the customers concerned: one message tells of all, and its end comes when all are well."""
    wanted = {key: set(owners) for key in keys}
    for member in members:
        if member.incident is not None and member.customer_id is not None:
            wanted.setdefault(member.key, set()).add(member.customer_id)
    found: list[Member] = []
    for key, customers in wanted.items():
        of_key = sorted(customers)
        for start in range(0, len(of_key), _PART):
            theirs = {"key": key, "customers": of_key[start : start + _PART]}
            found += _members(tx.connection.execute(_IN_INCIDENT, theirs))
    return found


def _read(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Member]:
    return _members(connection.execute(sa.select(crowd_members).where(condition)))


def _members(result: sa.CursorResult[Any]) -> list[Member]:
    return [
        Member(
            row["key"],
            row["device_id"],
            row["customer_id"],
            row["counted_at"],
            frozenset(row["faults"]),
            row["incident"],
            row["told"],
        )
        for row in result.mappings()
    ]


FORGET_AFTER = timedelta(days=30)
"""What changed about a device, and that it was counted, is told for so long."""


def forget_changes(tx: Transaction, before: datetime) -> None:
    """Drop what nobody looks at any more: changes and members from before a time, unless they fail still."""
    m = crowd_members
    tx.connection.execute(sa.delete(device_changes).where(device_changes.c.at < before))
    tx.connection.execute(sa.delete(m).where(m.c.counted_at < before, m.c.failing.is_(False)))
