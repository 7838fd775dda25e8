"""Response: facts about devices become help for people. Pure; what it needs to know is loaded for it.

One case per fault episode: the dedupe key is device and fault. A fault that fires while its case is open adds to
it, one that returns soon after resolving reopens it, a later one opens a new case linked to the last. A fault that
is withheld is kept with the reason and looked at again when that ends (``due_alerts``, ``release``).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from device_models.event import rfc3339
from rules.response import fleet
from rules.response.device_facts import device_facts
from rules.response.incident import gather, leave
from rules.response.inhibition import inhibitor_of
from rules.response.silence import silence_of
from rules.response.storm import RELEASED, Opening, hold_opening
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
    OpenCase,
    Record,
    RecoverCase,
    ReopenCase,
    Withdraw,
    World,
    absorb,
)
from rules.transition import AlertState, Transition

__all__ = [
    "Action",
    "AddToCase",
    "CaseRecord",
    "JoinIncident",
    "KeepAlert",
    "KeepCrowd",
    "KeepMember",
    "Notify",
    "OpenCase",
    "Record",
    "RecoverCase",
    "ReopenCase",
    "Withdraw",
    "World",
    "absorb",
    "device_facts",
    "due_alerts",
    "facts_of",
    "release",
    "respond",
]


def respond(world: World, transition: Transition) -> list[Action]:
    """Turn one transition into actions. ``at`` of the transition is the time of everything that follows from it."""
    if transition.shadow:
        return []
    if transition.state is AlertState.FIRING:
        return _act_or_withhold(world, transition)
    if transition.state is AlertState.RESOLVED:
        explained = [KeepAlert(alert) for alert in _no_longer_explained(world, transition)]
        ended = leave(world, world.alert(transition), transition.at)
        left = fleet.leave(world, transition)
        return [*_on_resolved(world, transition), KeepAlert(KnownAlert(transition)), *explained, *ended, *left]
    return []


def due_alerts(world: World, until: datetime) -> list[KnownAlert]:
    """Return the withheld alerts that are to be looked at again by ``until``, in the order in which they are due."""
    due = [
        (alert.withheld.until, alert.transition.dedupe_key, alert)
        for alert in world.all_alerts()
        if alert.firing and alert.withheld and alert.withheld.until and alert.withheld.until <= until
    ]
    return [alert for _, _, alert in sorted(due, key=lambda entry: entry[:2])]


def release(world: World, alert: KnownAlert) -> tuple[Transition, list[Action]]:
    """Look again at a withheld alert whose time has come: it acts now, or something else withholds it.

    Returns the transition as it counts from now on, with what withheld it in its explanation, and the actions.
    """
    withheld = alert.withheld
    if withheld is None or withheld.until is None:
        raise ValueError(f"{alert.transition.dedupe_key} does not wait for a time")
    before = alert.transition
    known = before.explanation.get("withheld")
    was = {**withheld.as_dict(), "from": known["from"] if known else rfc3339(before.at)}
    transition = replace(before, at=max(before.at, withheld.until), explanation={**before.explanation, "withheld": was})
    alone = withheld.by in ("group", "incident", "storm")
    acts = _act_or_withhold(world, transition, alone=alone, released=withheld.key == RELEASED)
    return transition, [*acts, *leave(world, alert, transition.at)]


def _act_or_withhold(
    world: World, transition: Transition, *, alone: bool = False, released: bool = False
) -> list[Action]:
    """``alone``: it has waited for others already; ``released``: by a person, from a storm."""
    withheld = _withheld(world, transition)
    if withheld is not None:
        return [*_raise_cause(world, transition, withheld), KeepAlert(KnownAlert(transition, withheld))]
    if alone:
        return _open_or_hold(world, transition, released=released)
    counted = fleet.count(world, transition)
    if counted.taken:
        return list(counted.actions)
    gathered = gather(world, transition)
    if gathered is not None:
        return [*counted.actions, *gathered]
    if counted.hold is not None:
        return [*counted.actions, KeepAlert(KnownAlert(transition, counted.hold))]
    return [*counted.actions, *_open_or_hold(world, transition)]


def _open_or_hold(world: World, transition: Transition, *, released: bool = False) -> list[Action]:
    """Open a case, or hold it in a storm of them; what adds to an open case is never held."""
    known = world.cases.get(transition.dedupe_key)
    opening = Opening() if known is not None and known.open else hold_opening(world, transition, released=released)
    if opening.held:
        return list(opening.actions)
    return [*opening.actions, *_on_firing(world, transition), KeepAlert(KnownAlert(transition))]


def _withheld(world: World, transition: Transition) -> Withheld | None:
    silence = silence_of(world.silences, transition, world.devices.get(transition.device_id))
    if silence is not None:
        return silence
    rule, case = world.rules.get(transition.rule), world.cases.get(transition.dedupe_key)
    if rule is None or (case is not None and case.open):
        # Who was told of a fault is told when it gets worse, whatever explains it by then.
        return None
    devices = world.alerts if rule.inhibited_scope != "device" else (transition.device_id,)
    near = (alert for device_id in devices for alert in world.alerts.get(device_id, {}).values())
    return inhibitor_of(transition, rule, world.rules, near, world.devices)


def _raise_cause(world: World, transition: Transition, withheld: Withheld) -> list[Action]:
    """A fault that is worse than what explains it makes that case worse: who left the door open hears of the food."""
    case = world.cases.get(withheld.key) if withheld.by == "inhibition" else None
    if case is None or not case.open or transition.severity.rank <= case.severity.rank:
        return []
    return _on_firing_again(world, transition, case)


def _no_longer_explained(world: World, cause: Transition) -> Iterable[KnownAlert]:
    """What ``cause`` explained until now is looked at again once it has had its time to fade."""
    beyond = any(r.inhibited_scope != "device" and cause.rule in r.inhibited_by for r in world.rules.values())
    for alert in world.all_alerts() if beyond else world.alerts.get(cause.device_id, {}).values():
        withheld, rule = alert.withheld, world.rules.get(alert.transition.rule)
        if alert.firing and withheld is not None and withheld.key == cause.dedupe_key and withheld.until is None:
            until = max(alert.transition.at, cause.at + (rule.inhibited_after if rule else timedelta(0)))
            reason = {**withheld.reason, "ended_at": rfc3339(cause.at)}
            yield KnownAlert(alert.transition, replace(withheld, until=until, reason=reason))


def _on_firing(world: World, transition: Transition) -> list[Action]:
    known = world.cases.get(transition.dedupe_key)
    if known and known.open:
        return _on_firing_again(world, transition, known)
    rule = world.rules.get(transition.rule)
    reopen_within = rule.reopen_within if rule else timedelta(hours=24)
    owner = world.owner(transition.device_id)
    # What was told to an owner before is none of the next one's business.
    same_owner = known is not None and known.customer_id == (owner.id if owner else None)
    if known and same_owner and known.resolved_at and transition.at - known.resolved_at <= reopen_within:
        case = replace(
            known,
            open=True,
            resolved_at=None,
            reopened=known.reopened + 1,
            severity=transition.severity,
            on_arrival=known.on_arrival and transition.on_arrival,
            told=False,
        )
        return [ReopenCase(case, transition), *_tell(world, transition, case)]
    case = CaseRecord(
        id=world.next_case_id,
        dedupe_key=transition.dedupe_key,
        rule=transition.rule,
        device_id=transition.device_id,
        customer_id=owner.id if owner else None,
        kind=str(transition.explanation.get("kind", "")),
        purpose=transition.purpose,
        severity=transition.severity,
        open=True,
        on_arrival=transition.on_arrival,
        opened_at=transition.at,
    )
    return [OpenCase(case, transition, known.id if known else None), *_tell(world, transition, case)]


def _on_firing_again(world: World, transition: Transition, known: CaseRecord) -> list[Action]:
    rises = transition.severity.rank > known.severity.rank
    # It is less bad than it was: the case says so and nobody is told, unless something else made the case this bad.
    falls = transition.explanation.get("severity_before") == known.severity
    begins_anew = known.on_arrival and not transition.on_arrival
    case = replace(
        known,
        severity=transition.severity if rises or falls else known.severity,
        on_arrival=known.on_arrival and transition.on_arrival,
    )
    added: list[Action] = [AddToCase(case, transition)]
    reminds = bool(transition.explanation.get("reminder"))
    # What was found on arrival and comes back after clearing is news; so is a fault that got worse, and a service that
    # its owner put off and is due again.
    return added + (_tell(world, transition, case) if rises or begins_anew or reminds else [])


def _on_resolved(world: World, transition: Transition) -> list[Action]:
    known = world.cases.get(transition.dedupe_key)
    if known is None or not known.open:
        return []
    case = replace(known, open=False, resolved_at=transition.at)
    # It ended before anyone was told: a warning that arrives now would only worry.
    actions: list[Action] = [
        RecoverCase(case, transition),
        Withdraw(case.id, "resolved before it was sent"),
    ]
    if known.told:
        template = "maintenance_confirmed" if known.kind == "maintenance" else "fault_resolved"
        told = known.told_customers or {known.customer_id}
        ends = _notify(world, transition, case, template, f"{template}:{case.reopened}")
        actions.extend(end for end in ends if end.customer_id in told)
    return actions


def _tell(world: World, transition: Transition, case: CaseRecord) -> list[Notify]:
    if case.on_arrival:
        return []
    template = "maintenance_due" if case.kind == "maintenance" else "fault_opened"
    what = f"{template}:{case.reopened}:{case.severity}"
    if transition.explanation.get("reminder"):
        what += f":{transition.at.isoformat()}"
    return _notify(world, transition, case, template, what)


def _notify(world: World, transition: Transition, case: CaseRecord, template: str, what: str) -> list[Notify]:
    """Tell the owner, and whoever else hears of the device for this purpose, each with a key of their own."""
    if case.customer_id is None or case.customer_id not in world.customers:
        return []
    rule = world.rules.get(transition.rule)
    hearers = world.hearers(case.device_id, case.purpose)
    told = [case.customer_id, *(hearer.id for hearer in hearers if hearer.id != case.customer_id)]
    return [
        Notify(
            key=f"case:{case.id}:{what}" + (f":{customer_id}" if customer_id != case.customer_id else ""),
            template=template,
            customer_id=customer_id,
            device_id=case.device_id,
            case_id=case.id,
            purpose=case.purpose,
            severity=case.severity,
            facts=facts_of(world, transition, case),
            mode=rule.notify if rule else None,
        )
        for customer_id in told
    ]


def facts_of(world: World, transition: Transition, case: CaseRecord) -> dict[str, Any]:
    """Gather what a message may say: the transition's explanation, the device as its owner knows it, the case."""
    return {
        **transition.explanation,
        **device_facts(world.devices.get(case.device_id), world.profiles),
        "severity": case.severity.value,
        "purpose": case.purpose.value,
        "case_id": case.id,
        "again": case.reopened > 0,
        "at": transition.at.isoformat(),
    }
