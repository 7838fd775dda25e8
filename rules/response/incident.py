"""Incidents: one case for a site or hub that is gone, its silent devices as children, one message for each customer.

From life: a café's router dies at night. Its two freezers and the ice machine fall silent within minutes; one case says
so, the owner gets one message, and it is over when they are heard again. A Zigbee bridge loses its stick: its forty
sensors are silent because of it, and nothing is known of them until it is back.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from device_models.event import rfc3339
from device_models.purpose import Purpose
from device_models.registry import Device
from rules.kinds.absent import AbsentRule
from rules.response.episode import begin, end
from rules.response.grouping import is_place
from rules.response.incident_titles import place_title
from rules.response.notice import notice
from rules.response.place import Place, alerts_at, place_named, places_of
from rules.response.withheld import KnownAlert, Withheld
from rules.response.world import (
    Action,
    AddToCase,
    CaseRecord,
    JoinIncident,
    KeepAlert,
    Notify,
    World,
)
from rules.transition import AlertState, Transition


def gather(world: World, transition: Transition) -> list[Action] | None:
    """Let a silent device wait for others of its hub or site, or take it into their incident; None: it stands alone."""
    rule, device = world.rules.get(transition.rule), world.devices.get(transition.device_id)
    if not isinstance(rule, AbsentRule) or device is None or not rule.incident.wait:
        return None
    own = world.cases.get(transition.dedupe_key)
    if transition.purpose is Purpose.SAFETY or transition.on_arrival or (own is not None and own.open):
        return None
    places = places_of(world, device, rule)
    before = world.alert(transition)
    known = before if before is not None and before.firing else None
    for place in places:
        incident = world.cases.get(place.key)
        if incident is not None and incident.open:
            if known is not None and known.withheld is not None and known.withheld.key == place.key:
                return _rise(world, known.withheld, transition, incident, rule)
            child = _child(KnownAlert(transition), incident, place)
            return [AddToCase(incident, transition), KeepAlert(child), *_tell(world, incident, [child], rule)]
    until = transition.at + rule.incident.wait
    if known is not None and known.withheld is not None and known.withheld.by == "group" and known.withheld.until:
        # It got worse while it waits: that makes the wait no longer.
        until = known.withheld.until
    for place in places:
        held = KnownAlert(transition, Withheld("group", place.key, until, place.reason))
        members = [alert for alert in alerts_at(world, place) if _gathers(alert, transition, rule, place)]
        if _is_gone(place, [*members, held], rule):
            return _open(world, rule, place, [*members, held], transition)
    if not places:
        return None
    return [KeepAlert(KnownAlert(transition, Withheld("group", places[0].key, until, places[0].reason)))]


def _is_gone(place: Place, members: list[KnownAlert], rule: AbsentRule) -> bool:
    """So many are silent, or two of whom one is the hub that the others speak through."""
    if len(members) >= rule.incident.needed(place.size):
        return True
    silent = {alert.transition.device_id for alert in members}
    return place.kind == "hub" and len(silent) >= 2 and place.name in silent


def leave(world: World, alert: KnownAlert | None, at: datetime) -> list[Action]:
    """A device of an incident is heard again, or stands alone from now on: the last one out ends the incident."""
    if alert is None or alert.withheld is None or alert.withheld.by != "incident" or not is_place(alert.withheld.key):
        return []
    incident, rule = world.cases.get(alert.withheld.key), world.rules.get(alert.transition.rule)
    if incident is None or not incident.open:
        return []
    left = [
        other
        for other in world.all_alerts()
        if other.firing
        and other.withheld is not None
        and other.withheld.key == incident.dedupe_key
        and other.transition.dedupe_key != alert.transition.dedupe_key
    ]
    if left:
        settle = rule.incident.settle if isinstance(rule, AbsentRule) else None
        if settle is None:
            return []
        stragglers = [other for other in left if other.withheld and other.withheld.until is None]
        return [
            KeepAlert(replace(other, withheld=replace(other.withheld, until=at + settle)))
            for other in stragglers
            if other.withheld
        ]
    last = replace(alert.transition, state=AlertState.RESOLVED, at=at)
    place = place_named(alert.withheld.reason)
    told = [
        notice(world, incident, customer_id, [d for d in _theirs(world, incident, customer_id) if place.holds(d)], last)
        for customer_id in sorted(incident.told_customers)
        if customer_id in world.customers
    ]
    return [*end(incident, last), *told]


def _gathers(alert: KnownAlert, transition: Transition, rule: AbsentRule, place: Place) -> bool:
    waits = alert.withheld is None or alert.withheld.by == "group"
    # A hub that is gone still is: sensors that report once an hour are missed hours later.
    is_hub = place.kind == "hub" and alert.transition.device_id == place.name
    recent = is_hub or abs(_missed_at(alert.transition) - _missed_at(transition)) <= rule.incident.within
    other = alert.transition.dedupe_key != transition.dedupe_key
    return alert.firing and waits and recent and other and not alert.transition.on_arrival


def _missed_at(transition: Transition) -> datetime:
    """When a device was missed first, however much worse its silence got and however long it waited for others."""
    at = transition.explanation.get("missed_at")
    return datetime.fromisoformat(at) if at else transition.at


def _rise(
    world: World, withheld: Withheld, transition: Transition, incident: CaseRecord, rule: AbsentRule
) -> list[Action]:
    """The silence of a device of an incident got worse: the incident with it, and each customer hears so once."""
    child = KnownAlert(transition, withheld)
    actions: list[Action] = [KeepAlert(child)]
    if transition.severity.rank > incident.severity.rank:
        incident = replace(incident, severity=transition.severity)
        actions.append(AddToCase(incident, transition))
    others = [
        alert
        for alert in world.all_alerts()
        if alert.firing
        and alert.withheld is not None
        and alert.withheld.key == incident.dedupe_key
        and alert.transition.dedupe_key != transition.dedupe_key
    ]
    hearers = {hearer.id for hearer in world.hearers(transition.device_id, rule.purpose)}
    return actions + [
        replace(message, key=f"{message.key}:{transition.severity}")
        for message in _tell(world, incident, [child, *others], rule)
        if message.customer_id in hearers
    ]


def _open(
    world: World,
    rule: AbsentRule,
    place: Place,
    members: list[KnownAlert],
    last: Transition,
) -> list[Action]:
    first = min((alert.transition for alert in members), key=lambda t: (t.at, t.dedupe_key))
    severity = max((alert.transition.severity for alert in members), key=lambda s: s.rank)
    begun = replace(
        first,
        at=last.at,
        severity=severity,
        explanation=_explanation(rule, place, members, first),
    )
    owners = {owner.id if (owner := world.owner(alert.transition.device_id)) else None for alert in members}
    incident, opening = begin(world, place.key, rule, begun, first.device_id, owners)
    actions: list[Action] = [opening]
    for alert in members:
        own = world.cases.get(alert.transition.dedupe_key)
        if own is not None and own.open:
            actions.append(JoinIncident(replace(own, open=False, resolved_at=last.at), incident.id))
        actions.append(KeepAlert(_child(alert, incident, place)))
    return [*actions, *_tell(world, incident, members, rule)]


def _child(alert: KnownAlert, incident: CaseRecord, place: Place) -> KnownAlert:
    reason = {**place.reason, "case_id": incident.id}
    return KnownAlert(alert.transition, Withheld("incident", incident.dedupe_key, None, reason))


def _explanation(rule: AbsentRule, place: Place, members: list[KnownAlert], first: Transition) -> dict[str, Any]:
    count, name = len(members), place.name
    return {
        "kind": "incident",
        "title": place_title(place.kind, name, count),
        "advice": dict(rule.advice),
        "since": rfc3339(first.at),
        "last_heard_at": _last_heard(members),
        place.kind: name,
        "devices": sorted(alert.transition.device_id for alert in members),
        f"devices_at_{place.kind}": place.size,
    }


def _last_heard(members: Iterable[KnownAlert]) -> str | None:
    heard = [str(at) for alert in members if (at := alert.transition.explanation.get("last_heard_at"))]
    return min(heard, default=None)


def _tell(world: World, incident: CaseRecord, members: Iterable[KnownAlert], rule: AbsentRule) -> list[Notify]:
    """One message for each customer, about all of their devices that are gone."""
    by_owner: defaultdict[str, list[KnownAlert]] = defaultdict(list)
    for alert in members:
        for hearer in world.hearers(alert.transition.device_id, rule.purpose):
            by_owner[hearer.id].append(alert)
    told: list[Notify] = []
    for customer_id, theirs in sorted(by_owner.items()):
        devices = [world.devices[alert.transition.device_id] for alert in theirs]
        begun = replace(theirs[0].transition, severity=incident.severity)
        heard = {"last_heard_at": _last_heard(theirs), "advice": dict(rule.advice)}
        explained = {**begun.explanation, **heard}
        told.append(notice(world, incident, customer_id, devices, replace(begun, explanation=explained)))
    return told


def _theirs(world: World, incident: CaseRecord, customer_id: str) -> list[Device]:
    return [
        world.devices[device_id]
        for device_id in world.alerts
        if any(hearer.id == customer_id for hearer in world.hearers(device_id, incident.purpose))
    ]
