"""Fleet incidents: devices that are alike and fail alike are one case, each customer's message one of its children.

A crowd is counted by each of its fleet rules (``crowd.py``); the first, in the order of the rule files, that finds an
incident takes the fault into it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from device_models.event import rfc3339
from device_models.purpose import Purpose, Severity
from device_models.registry import Device
from rules.kinds.fleet import FleetRule
from rules.response import incident_titles
from rules.response.alike import values_of
from rules.response.changed import in_common, what_changed
from rules.response.crowd import Crowd, Verdict, crowd_key, is_recent, meaning_of
from rules.response.device_facts import device_facts
from rules.response.episode import begin, end
from rules.response.notice import notice
from rules.response.roster import Member
from rules.response.silence import silence_of
from rules.response.withheld import KnownAlert, Withheld
from rules.response.world import (
    Action,
    AddToCase,
    CaseRecord,
    JoinIncident,
    KeepAlert,
    KeepCrowd,
    KeepMember,
    Notify,
    Record,
    Withdraw,
    World,
)
from rules.transition import Transition

_LISTED = 50
"""Devices that an incident's explanation names."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What counting a fault came to."""

    actions: Sequence[Action] = ()
    taken: bool = False
    """It is part of an incident and has no case of its own."""
    hold: Withheld | None = None
    """It waits for others, unless something else takes it."""


def count(world: World, transition: Transition) -> Counted:
    """Count a fault that begins among the devices alike; it may be part of their incident, or make it one."""
    device = world.devices.get(transition.device_id)
    own = world.cases.get(transition.dedupe_key)
    if device is None or transition.on_arrival or (own is not None and own.open):
        return Counted()
    actions: list[Action] = []
    taken, hold = False, None
    for rule, crowd, values in _crowds(world, transition, device):
        devices = _population(world, rule, values)
        incident = world.cases.get(crowd.key)
        known = world.roster.get(crowd.key, device.id)
        if known is not None and transition.dedupe_key in known.faults:
            if not taken and incident is not None and incident.open and known.incident == incident.id:
                actions += _again(transition, incident, crowd)
                taken = transition.purpose is not Purpose.SAFETY
            continue
        in_incident = incident is not None and incident.open
        learned = crowd.learned(rule, transition.at, devices, in_incident=in_incident)
        if not is_recent(rule, learned, transition.at):
            continue
        counted = learned.counting(rule, transition.at, known.counted_at if known else None)
        faults = (known.faults if known else frozenset()) | {transition.dedupe_key}
        member = replace(
            known or Member(crowd.key, device.id, device.customer_id, transition.at),
            customer_id=device.customer_id,
            counted_at=transition.at,
            faults=faults,
        )
        verdict = counted.judge(rule, devices)
        if rule.shadow:
            actions += [KeepCrowd(counted), KeepMember(member)]
            if verdict.opens and not learned.judge(rule, devices).opens:
                explanation = _explanation(world, rule, counted, verdict, [(member, transition)], transition)
                actions.append(Record(_own(rule, transition, transition.severity, explanation), None))
        elif in_incident and incident is not None and not taken:
            actions += _join(world, rule, transition, incident, counted, member)
            taken = transition.purpose is not Purpose.SAFETY
        elif verdict.opens and not taken:
            actions += _open(world, rule, transition, counted, member, verdict, incident)
            taken = transition.purpose is not Purpose.SAFETY
        else:
            actions += [KeepCrowd(counted), KeepMember(member)]
            if _may_wait(rule, transition, devices):
                until = transition.at + rule.wait
                if hold is None or hold.until is None or until > hold.until:
                    hold = Withheld("group", crowd.key, until, {"fleet": rule.id, **crowd.alike})
    return Counted(actions, taken, None if taken else hold)


def leave(world: World, transition: Transition) -> list[Action]:
    """A fault of a crowd is over: its customer hears of it when none of theirs lasts, and the last one ends it all."""
    actions: list[Action] = []
    for member in world.roster.of_device(transition.device_id):
        if transition.dedupe_key not in member.faults:
            continue
        over = replace(member, faults=member.faults - {transition.dedupe_key})
        actions.append(KeepMember(over))
        crowd, incident = world.crowds.get(member.key), world.cases.get(member.key)
        if over.failing or member.incident is None or crowd is None:
            continue
        crowd = replace(crowd, failing=max(0, crowd.failing - 1))
        actions.append(KeepCrowd(crowd))
        if incident is None or not incident.open or incident.id != member.incident:
            continue
        actions += _end_for_customer(world, incident, over, transition)
        if crowd.failing == 0:
            rule = world.rules.get(incident.rule)
            since = rfc3339(incident.opened_at)
            explanation = {"kind": "incident", "title": _title(rule), "advice": {}, "since": since}
            last = replace(transition, severity=incident.severity, explanation=explanation)
            actions += end(incident, last)
            if isinstance(rule, FleetRule):
                actions.append(Record(_own(rule, last, incident.severity, explanation), incident.id))
    return actions


def _crowds(world: World, transition: Transition, device: Device) -> Iterator[tuple[FleetRule, Crowd, tuple[str, ...]]]:
    for rule in world.fleets.get(transition.rule, ()):
        values = values_of(device, rule.alike)
        if values is None or not rule.applies_to(device.profile):
            continue
        if silence_of(world.silences, replace(transition, rule=rule.id), device) is not None:
            continue
        alike: dict[str, str] = dict(zip(map(str, rule.alike), values, strict=True))
        key = crowd_key(rule.id, alike)
        crowd = world.crowds.get(key)
        if crowd is None:
            since = min(world.watched_since.get(rule.id, transition.at), transition.at)
            crowd = Crowd.empty(key, rule, alike, since)
        elif crowd.meaning != meaning_of(rule):
            crowd = replace(Crowd.empty(key, rule, alike, transition.at), failing=crowd.failing)
        yield rule, crowd, values


def _population(world: World, rule: FleetRule, values: tuple[str, ...]) -> int:
    return world.census.count(rule.alike, values, lambda profile: is_watched(world, rule, profile))


def is_watched(world: World, rule: FleetRule, profile: str) -> bool:
    """Tell whether devices of a profile can have a fault that ``rule`` counts."""
    counted = (world.rules[name] for name in rule.of if name in world.rules)
    return rule.applies_to(profile) and any(each.applies_to(profile) for each in counted)


def _may_wait(rule: FleetRule, transition: Transition, devices: int) -> bool:
    """Who cannot become an incident waits for nobody."""
    return bool(rule.wait) and transition.purpose is not Purpose.SAFETY and devices >= rule.at_least


def _again(transition: Transition, incident: CaseRecord, crowd: Crowd) -> list[Action]:
    """A fault of an incident fires again: it got worse, and the incident with it."""
    if transition.purpose is Purpose.SAFETY:
        return []
    actions: list[Action] = [KeepAlert(_child(transition, incident, crowd))]
    if transition.severity.rank > incident.severity.rank:
        actions.append(AddToCase(replace(incident, severity=transition.severity), transition))
    return actions


def _join(
    world: World, rule: FleetRule, transition: Transition, incident: CaseRecord, crowd: Crowd, member: Member
) -> list[Action]:
    failing = crowd.failing + (member.incident != incident.id or len(member.faults) == 1)
    actions: list[Action] = [
        KeepCrowd(replace(crowd, failing=failing)),
        KeepMember(replace(member, incident=incident.id)),
    ]
    worse = transition.severity.rank > incident.severity.rank
    if worse or _is_milestone(failing):
        severity = transition.severity if worse else incident.severity
        incident = replace(incident, severity=severity)
        actions.append(AddToCase(incident, transition))
    if transition.purpose is not Purpose.SAFETY:
        actions.append(KeepAlert(_child(transition, incident, crowd)))
        others = [
            (each, transition)
            for each in world.roster.of_customer(crowd.key, member.customer_id or "")
            if each.failing and each.incident == incident.id and each.device_id != member.device_id
        ]
        told = _tell(world, incident, [*others, (member, transition)])
        actions += [replace(each, refresh=True) for each in told if isinstance(each, Notify)]
    return actions


def _is_milestone(failing: int) -> bool:
    """The timeline of an incident has a line each time that it doubled, not for each of a thousand devices."""
    return failing >= 2 and failing & (failing - 1) == 0


def _open(
    world: World,
    rule: FleetRule,
    transition: Transition,
    crowd: Crowd,
    member: Member,
    verdict: Verdict,
    known: CaseRecord | None,
) -> list[Action]:
    others = [
        other
        for other in world.roster.of_crowd(crowd.key)
        if other.failing and other.device_id != member.device_id and _belongs(rule, crowd, other, known)
    ]
    faults = [(member, transition)]
    for other in others:
        alerts = (world.alerts.get(other.device_id, {}).get(key) for key in sorted(other.faults))
        faults += [(other, alert.transition) for alert in alerts if alert is not None and alert.firing]
    faults.sort(key=lambda fault: (fault[1].at, fault[1].dedupe_key))
    severity = max((fault.severity for _, fault in faults), key=lambda each: each.rank)
    severity = max(severity, rule.severity, key=lambda each: each.rank)
    begun = _own(rule, transition, severity, _explanation(world, rule, crowd, verdict, faults, transition))
    owners = {each.customer_id for each, _ in faults}
    incident, opening = begin(world, crowd.key, rule, begun, faults[0][1].device_id, owners)
    members = {each.device_id: each for each, _ in faults}
    actions: list[Action] = [opening, KeepCrowd(replace(crowd, failing=len(members)))]
    told: set[str] = set()
    for _, fault in faults:
        own = world.cases.get(fault.dedupe_key)
        if fault.purpose is Purpose.SAFETY:
            continue
        if own is not None and own.open:
            actions.append(JoinIncident(replace(own, open=False, resolved_at=transition.at), incident.id))
            told |= {fault.device_id} if own.told else set()
        actions.append(KeepAlert(_child(fault, incident, crowd)))
    members = {
        name: replace(each, incident=incident.id, told=each.told or name in told) for name, each in members.items()
    }
    actions += [KeepMember(each) for each in members.values()]
    untold = [(members[each.device_id], fault) for each, fault in faults if fault.purpose is not Purpose.SAFETY]
    actions += _tell(world, incident, untold)
    actions.append(Record(begun, incident.id))
    return actions


def _belongs(rule: FleetRule, crowd: Crowd, member: Member, known: CaseRecord | None) -> bool:
    """Whether a failing device is one of those that fail together now, or of the episode before that is back."""
    return is_recent(rule, crowd, member.counted_at) or (known is not None and member.incident == known.id)


def _child(transition: Transition, incident: CaseRecord, crowd: Crowd) -> KnownAlert:
    reason = {"fleet": crowd.rule, **crowd.alike, "case_id": incident.id}
    return KnownAlert(transition, Withheld("incident", incident.dedupe_key, None, reason))


def _own(rule: FleetRule, cause: Transition, severity: Severity, explanation: Mapping[str, Any]) -> Transition:
    """Make the fleet rule's own fact of what a device's fault brought about."""
    return Transition(
        rule=rule.id,
        device_id=cause.device_id,
        state=cause.state,
        at=cause.at,
        severity=severity,
        purpose=rule.purpose,
        explanation=explanation,
        shadow=rule.shadow,
    )


def _title(rule: Any) -> dict[str, str]:
    return dict(getattr(rule, "title", {}) or incident_titles.FLEET)


def _explanation(
    world: World,
    rule: FleetRule,
    crowd: Crowd,
    verdict: Verdict,
    faults: Sequence[tuple[Member, Transition]],
    last: Transition,
) -> dict[str, Any]:
    began = min(fault.at for _, fault in faults)
    names = sorted({fault.device_id for _, fault in faults})
    devices = [device for name in names if (device := world.devices.get(name)) is not None]
    return {
        "kind": "incident",
        "title": _title(rule),
        "advice": dict(rule.advice),
        "since": rfc3339(began),
        "of": sorted({fault.rule for _, fault in faults}),
        "faults": _titles(faults),
        "alike": dict(crowd.alike),
        **verdict.as_dict(),
        "within_s": rule.within.total_seconds(),
        "significance": rule.significance,
        "devices": names[:_LISTED],
        "failing": len(names),
        "changed": what_changed(world.past, rule, names, began),
        "in_common": in_common(
            rule,
            tuple(crowd.alike.values()),
            devices,
            world.census,
            lambda profile: is_watched(world, rule, profile),
        ),
    }


def _titles(faults: Iterable[tuple[Member, Transition]]) -> list[Any]:
    """What the devices' own rules call it, each once."""
    titles: dict[str, Any] = {}
    for _, fault in faults:
        titles.setdefault(fault.rule, fault.explanation.get("title") or {"en": fault.rule})
    return list(titles.values())[:3]


def _tell(world: World, incident: CaseRecord, faults: Iterable[tuple[Member, Transition]]) -> list[Action]:
    """One message for each customer, about all of their devices; those who heard of theirs already hear no more."""
    by_customer: defaultdict[str, list[tuple[Member, Transition]]] = defaultdict(list)
    for member, fault in faults:
        for hearer in world.hearers(member.device_id, incident.purpose):
            by_customer[hearer.id].append((member, fault))
    actions: list[Action] = []
    for customer_id, theirs in sorted(by_customer.items()):
        if any(member.told for member, _ in theirs):
            continue
        first = theirs[0][1]
        names = dict.fromkeys(member.device_id for member, _ in theirs)
        devices = [world.devices[name] for name in names]
        actions.append(_notice(world, incident, customer_id, devices, first))
    return actions


def _end_for_customer(world: World, incident: CaseRecord, member: Member, transition: Transition) -> list[Action]:
    """Who hears that it is over hears it when their own devices are well, not when the last of all is."""
    actions: list[Action] = []
    for hearer in world.hearers(member.device_id, incident.purpose):
        theirs = [each for each in world.roster.of_customer(member.key, hearer.id) if each.incident == incident.id]
        if any(each.failing for each in theirs if each.device_id != member.device_id):
            continue
        if not (member.told or hearer.id in incident.told_customers or any(each.told for each in theirs)):
            actions.append(Withdraw(incident.id, "resolved before it was sent", hearer.id))
            continue
        names = dict.fromkeys([member.device_id, *(each.device_id for each in theirs)])
        devices = [world.devices[name] for name in names if name in world.devices]
        actions.append(_notice(world, incident, hearer.id, devices, transition))
    return actions


def _notice(
    world: World, incident: CaseRecord, customer_id: str, devices: Sequence[Device], transition: Transition
) -> Notify:
    facts = {**device_facts(devices[0], world.profiles), "kind": transition.explanation.get("kind"), "widespread": True}
    return notice(world, incident, customer_id, devices, transition, facts)


def needs_members(world: World, crowd: Crowd, rule: FleetRule, more: int) -> bool:
    """Tell whether ``more`` faults could make an incident, so that all members must be known."""
    devices = _population(world, rule, tuple(crowd.alike.values()))
    return crowd.judge(rule, devices, more).opens
