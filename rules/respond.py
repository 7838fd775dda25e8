"""Response: facts about devices become help for people. Pure; what it needs to know is loaded for it.

One case per fault episode: the dedupe key is device and fault. A fault that fires while its case is open adds to
it, one that returns soon after resolving reopens it, a later one opens a new case linked to the last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from device_models.profile import GENERIC, DeviceProfile
from device_models.purpose import Purpose, Severity
from device_models.registry import Customer, Device
from rules.base import BaseRule
from rules.transition import AlertState, Transition


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """What response needs to know of a case."""

    id: int
    dedupe_key: str
    rule: str
    device_id: str
    customer_id: str | None
    kind: str
    purpose: Purpose
    severity: Severity
    open: bool
    on_arrival: bool
    opened_at: datetime
    resolved_at: datetime | None = None
    reopened: int = 0
    told: bool = False
    """The opening message was handed over to a provider: they know, and want to hear the end."""


@dataclass(slots=True)
class World:
    """What the inputs of one batch may touch, as it stands before them; ``absorb`` keeps it true within the batch."""

    rules: Mapping[str, BaseRule]
    profiles: Mapping[str, DeviceProfile]
    devices: Mapping[str, Device]
    customers: Mapping[str, Customer]
    cases: dict[str, CaseRecord] = field(default_factory=dict)
    """The open case of each dedupe key, else the one resolved last."""
    next_case_id: int = 1

    def owner(self, device_id: str) -> Customer | None:
        """The customer a device belongs to."""
        device = self.devices.get(device_id)
        return self.customers.get(device.customer_id) if device and device.customer_id else None


@dataclass(frozen=True, slots=True)
class OpenCase:
    """A case opens itself."""

    case: CaseRecord
    transition: Transition
    previous_case_id: int | None


@dataclass(frozen=True, slots=True)
class ReopenCase:
    """The fault is back within the rule's ``reopen_within``."""

    case: CaseRecord
    transition: Transition


@dataclass(frozen=True, slots=True)
class AddToCase:
    """The fault fires while its case is open; ``case.severity`` may have risen."""

    case: CaseRecord
    transition: Transition


@dataclass(frozen=True, slots=True)
class RecoverCase:
    """The rule cleared: the case resolves itself."""

    case: CaseRecord
    transition: Transition


@dataclass(frozen=True, slots=True)
class Notify:
    """Tell a customer; how is the notifiers' choice."""

    key: str
    """Idempotency key: the same fact never makes a second message."""
    template: str
    customer_id: str
    device_id: str
    case_id: int | None
    purpose: Purpose
    severity: Severity
    facts: Mapping[str, Any]
    mode: str | None = None
    """The rule's own ``off`` | ``approve`` | ``auto``; None: the company's default for the purpose."""
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel what this case has not handed over yet."""

    case_id: int
    reason: str


Action = OpenCase | ReopenCase | AddToCase | RecoverCase | Notify | Withdraw


def respond(world: World, transition: Transition) -> list[Action]:
    """Turn one transition into actions. ``at`` of the transition is the time of everything that follows from it."""
    if transition.shadow:
        return []
    if transition.state is AlertState.FIRING:
        return _on_firing(world, transition)
    if transition.state is AlertState.RESOLVED:
        return _on_resolved(world, transition)
    return []


def absorb(world: World, actions: Sequence[Action]) -> None:
    """Bring ``world`` up to date with ``actions``, so that the next input of the batch sees them."""
    for action in actions:
        if isinstance(action, OpenCase | ReopenCase | AddToCase | RecoverCase):
            world.cases[action.case.dedupe_key] = action.case
        if isinstance(action, OpenCase):
            world.next_case_id = max(world.next_case_id, action.case.id + 1)


def _on_firing(world: World, transition: Transition) -> list[Action]:
    known = world.cases.get(transition.dedupe_key)
    if known and known.open:
        return _on_firing_again(world, transition, known)
    rule = world.rules.get(transition.rule)
    reopen_within = rule.reopen_within if rule else timedelta(hours=24)
    if known and known.resolved_at and transition.at - known.resolved_at <= reopen_within:
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
    owner = world.owner(transition.device_id)
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
    begins_anew = known.on_arrival and not transition.on_arrival
    case = replace(
        known,
        severity=transition.severity if rises else known.severity,
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
        actions.extend(_notify(world, transition, case, template, f"{template}:{case.reopened}"))
    return actions


def _tell(world: World, transition: Transition, case: CaseRecord) -> list[Action]:
    if case.on_arrival:
        return []
    template = "maintenance_due" if case.kind == "maintenance" else "fault_opened"
    what = f"{template}:{case.reopened}:{case.severity}"
    if transition.explanation.get("reminder"):
        what += f":{transition.at.isoformat()}"
    return _notify(world, transition, case, template, what)


def _notify(world: World, transition: Transition, case: CaseRecord, template: str, what: str) -> list[Action]:
    owner = world.customers.get(case.customer_id) if case.customer_id else None
    if owner is None:
        return []
    rule = world.rules.get(transition.rule)
    return [
        Notify(
            key=f"case:{case.id}:{what}",
            template=template,
            customer_id=owner.id,
            device_id=case.device_id,
            case_id=case.id,
            purpose=case.purpose,
            severity=case.severity,
            facts=facts_of(world, transition, case),
            mode=rule.notify if rule else None,
        )
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


def device_facts(device: Device | None, profiles: Mapping[str, DeviceProfile]) -> dict[str, Any]:
    """Return the device as its owner knows it: its name, its kind, what its fields are called."""
    profile = profiles.get(device.profile, GENERIC) if device else GENERIC
    return {
        "device": {"name": device.name if device else None, "product": dict(profile.title)},
        "labels": {name: dict(spec.title) for name, spec in profile.fields.items()},
        "decimals": {name: spec.decimals for name, spec in profile.fields.items()},
    }
