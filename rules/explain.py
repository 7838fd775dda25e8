"""Why and why not: where each rule stands on one device, as data."""

from datetime import datetime
from typing import Any

from device_models.event import rfc3339
from rules.conditions.called import Around
from rules.detect import Detector
from rules.evaluator import Evaluator
from rules.expression import Scope
from rules.inputs import DeviceContext
from rules.kinds.fleet import FleetRule
from rules.state import DeviceState
from rules.transition import AlertState


def explain(detector: Detector, device: DeviceContext, state: DeviceState, at: datetime) -> list[dict[str, Any]]:
    """Tell for each rule on a device where it stands and why; JSON-ready, in the order of the rule files.

    Keys: ``rule``, ``kind``, ``applies``, ``mode``; where it applies ``alerts`` (each with ``fault``, ``state``,
    ``since``, ``sampled_at``, ``held_s``, ``on_arrival``), ``values`` with ``observed_at`` and ``age_s``, ``missing``
    (fields it reads that the device never said), ``no_sample`` (why the last event could not be evaluated),
    ``called`` (what the functions in its conditions give at ``at``), ``next_timer``, ``late_events``, and what the kind
    adds, such as ``condition``, ``limits``, ``unknown_codes``.
    """
    plan = detector.plan_for(device)
    explained = []
    for rule in detector.ruleset.rules:
        entry: dict[str, Any] = {"rule": rule.id, "kind": rule.kind, "mode": rule.mode, "applies": True}
        evaluator = plan.evaluators.get(rule.id)
        if isinstance(rule, FleetRule) and rule.applies_to(device.profile.name):
            # It has no state on a device; where its crowd stands, response knows.
            entry |= {"state": "inactive", "alerts": [], "of": list(rule.of), "alike": list(rule.alike)}
            entry["why"] = "it counts devices that are alike, which one device alone does not tell"
        elif rule.id in plan.off:
            entry |= {"applies": False, "why": plan.off[rule.id]}
        elif evaluator is None:
            profiles = ", ".join(rule.profile)
            entry |= {"applies": False, "why": f"it is for {profiles}, and this device's profile is another"}
        else:
            entry |= _standing(evaluator, device, state, at)
        explained.append(entry)
    return explained


def _standing(evaluator: Evaluator, device: DeviceContext, state: DeviceState, at: datetime) -> dict[str, Any]:
    rule_state = state.rules.get(evaluator.rule.id)
    twin = state.twin
    alerts = [
        {
            "fault": fault,
            "state": alert.state.value,
            "since": rfc3339(alert.since),
            "sampled_at": rfc3339(alert.sampled_at),
            "held_s": (at - alert.since).total_seconds(),
            "on_arrival": alert.on_arrival,
            "clear_since": rfc3339(alert.clear_since) if alert.clear_since else None,
        }
        for fault, alert in (rule_state.alerts.items() if rule_state else ())
    ]
    reads = sorted(name for name in evaluator.reads if not name.endswith(".*"))
    unsampled = state.unsampled.get(evaluator.rule.id)
    told = {"override": dict(evaluator.override)} if evaluator.override else {}
    return told | {
        # No state yet: nothing that it looks at was ever said.
        "state": max((str(a["state"]) for a in alerts), key=_weight, default=AlertState.INACTIVE.value),
        "alerts": alerts,
        "values": {
            name: {
                "value": twin.values[name],
                "observed_at": rfc3339(twin.observed_at[name]),
                "age_s": (at - twin.observed_at[name]).total_seconds(),
            }
            for name in reads
            if name in twin.values
        },
        "missing": [name for name in reads if name not in twin.values],
        "no_sample": None
        if unsampled is None
        else {"reason": unsampled.reason, "at": rfc3339(unsampled.at), "count": unsampled.count},
        "next_timer": rfc3339(rule_state.due_at) if rule_state and rule_state.due_at else None,
        "late_events": state.counters.get("late", 0),
        **_called(evaluator, device, state, at),
        **evaluator.explain(device, rule_state, at),
    }


def _called(evaluator: Evaluator, device: DeviceContext, state: DeviceState, at: datetime) -> dict[str, Any]:
    calls = [call for expression in evaluator.expressions for call in expression.calls]
    if not calls:
        return {}
    around = Around(at, device.zone, state.twin.observed_at, state.windows)
    return {"called": Scope(state.twin.values, (), calls, around).told(calls)}


def _weight(state: object) -> int:
    return [AlertState.INACTIVE, AlertState.RESOLVED, AlertState.PENDING, AlertState.FIRING].index(
        AlertState(str(state))
    )
