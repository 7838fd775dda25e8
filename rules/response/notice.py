"""One message to a customer about all of their devices that an incident concerns."""

from collections.abc import Mapping, Sequence
from typing import Any

from device_models.event import rfc3339
from device_models.purpose import Severity
from device_models.registry import Device
from rules.response.world import CaseRecord, Notify, World
from rules.transition import AlertState, Transition

_NAMED_AT_MOST = 3


def notice(
    world: World,
    incident: CaseRecord,
    customer_id: str,
    devices: Sequence[Device],
    transition: Transition,
    facts: Mapping[str, Any] | None = None,
) -> Notify:
    """Tell a customer that an incident concerns them, or is over for them, by the state of ``transition``.

    Args:
        world: For the rule's own mode.
        incident: Its case.
        customer_id: Whom to tell.
        devices: Theirs; named up to three.
        transition: What is told of.
        facts: In place of those about a site that is gone.
    """
    template = "fault_opened" if transition.state is AlertState.FIRING else "fault_resolved"
    rule = world.rules.get(incident.rule)
    said: Mapping[str, Any] = {
        **transition.explanation,
        **(facts or {"kind": "absent", "labels": {}, "decimals": {}}),
        "device": {"product": {}, **(facts or {}).get("device", {}), "name": _names(devices)},
        "severity": incident.severity.value,
        "purpose": incident.purpose.value,
        "case_id": incident.id,
        "again": incident.reopened > 0,
        "at": rfc3339(transition.at),
    }
    return Notify(
        key=notice_key(incident, template, customer_id),
        template=template,
        customer_id=customer_id,
        device_id=devices[0].id if devices else incident.device_id,
        case_id=incident.id,
        purpose=incident.purpose,
        severity=Severity(incident.severity),
        facts=said,
        mode=rule.notify if rule else None,
    )


def notice_key(incident: CaseRecord, template: str, customer_id: str) -> str:
    """Return the key of a message, so that an episode makes one for each customer."""
    return f"case:{incident.id}:{template}:{incident.reopened}:{customer_id}"


def _names(devices: Sequence[Device]) -> str:
    named = ", ".join(device.label for device in devices[:_NAMED_AT_MOST])
    return f"{named} +{len(devices) - _NAMED_AT_MOST}" if len(devices) > _NAMED_AT_MOST else named
