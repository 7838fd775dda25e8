"""Inhibition: a fault that another alert explains opens no case of its own. Alertmanager's word for it.

From life: the freezer's door stands open, so it gets too warm and its compressor runs without end. One case says so,
with what to do; three would have the customer look for three faults.
"""

from collections.abc import Iterable, Mapping

from device_models.event import rfc3339
from device_models.purpose import Purpose
from device_models.registry import Device
from rules.base import BaseRule
from rules.response.withheld import KnownAlert, Withheld
from rules.transition import Transition

_NOT_EXPLAINED_BY_ABSENCE = frozenset({"absent", "maintenance", "incident"})


def inhibitor_of(
    transition: Transition,
    rule: BaseRule,
    rules: Mapping[str, BaseRule],
    alerts: Iterable[KnownAlert],
    devices: Mapping[str, Device],
) -> Withheld | None:
    """Return what explains the firing ``transition`` of ``rule`` at ``transition.at``, None where nothing does.

    Args:
        transition: The fault that fires.
        rule: Its rule; ``inhibited_by`` names the rules that explain it, ``inhibited_scope`` where.
        rules: All rules in force, by id.
        alerts: What response knows of alerts on the same device, and on its hub or site where the scope is that.
        devices: The registry, by id.

    An alert that is itself inhibited explains nothing, so that two that name each other cannot both stay unheard.
    Besides what rules say, a device that is silent explains its other faults unless they are worse or about safety:
    what it said last is all that they go by.
    """
    over: list[Withheld] = []
    for alert in alerts:
        if alert.transition.dedupe_key == transition.dedupe_key or alert.inhibited:
            continue
        if not (_named(alert, transition, rule, devices) or _silence_explains(alert, transition, rule, rules)):
            continue
        withheld = _withheld(alert, transition, rule)
        if withheld is not None and withheld.until is None:
            return withheld
        if withheld is not None:
            over.append(withheld)
    # Of several that are over, the one that explains it longest decides when the fault counts by itself.
    return max(over, key=lambda each: each.until or transition.at, default=None)


def _named(alert: KnownAlert, transition: Transition, rule: BaseRule, devices: Mapping[str, Device]) -> bool:
    if alert.transition.rule not in rule.inhibited_by:
        return False
    if alert.transition.device_id == transition.device_id:
        return True
    here, there = devices.get(transition.device_id), devices.get(alert.transition.device_id)
    if here is None or there is None:
        return False
    if rule.inhibited_scope == "hub":
        return here.hub == there.id
    return rule.inhibited_scope == "site" and _same_site(here, there)


def _same_site(one: Device, other: Device) -> bool:
    return one.site is not None and one.site == other.site


def _silence_explains(alert: KnownAlert, transition: Transition, rule: BaseRule, rules: Mapping[str, BaseRule]) -> bool:
    other = rules.get(alert.transition.rule)
    return (
        other is not None
        and other.kind == "absent"
        and alert.firing
        and alert.transition.device_id == transition.device_id
        and rule.kind not in _NOT_EXPLAINED_BY_ABSENCE
        and transition.purpose is not Purpose.SAFETY
        and transition.severity.rank <= alert.transition.severity.rank
    )


def _withheld(alert: KnownAlert, transition: Transition, rule: BaseRule) -> Withheld | None:
    cause = alert.transition
    reason = {"rule": cause.rule, "device_id": cause.device_id}
    if alert.firing:
        return Withheld("inhibition", cause.dedupe_key, None, reason | {"since": rfc3339(cause.at)})
    until = cause.at + rule.inhibited_after
    if until <= transition.at:
        return None
    return Withheld("inhibition", cause.dedupe_key, until, reason | {"ended_at": rfc3339(cause.at)})
