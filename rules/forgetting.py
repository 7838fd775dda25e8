"""What detection forgets, and what it hands on, when a device changes hands or is swapped for another."""

from dataclasses import replace

from rules.evaluator import Clock
from rules.plan import Plan
from rules.state import DeviceState

PLACES = frozenset({"geofence", "proximity"})
"""Kinds of rules that remember where a device was."""


def forget_places(plan: Plan, state: DeviceState) -> DeviceState:
    """Return ``state`` without any position in it; rules about places begin anew.

    Args:
        plan: the device's rules, which know whose time their timers are in.
        state: left as it is.
    """
    kept = {rule: known for rule, known in state.rules.items() if known.fingerprint.kind not in PLACES}
    held = tuple(event for event in state.held if event.position is None)
    if len(kept) == len(state.rules) and len(held) == len(state.held):
        return state
    found = state.copy()
    found.rules, found.held = kept, held
    dues = [(plan.evaluators[rule].clock, known.due_at) for rule, known in kept.items() if rule in plan.evaluators]
    found.event_due_at = min((due for clock, due in dues if due and clock is Clock.EVENT), default=None)
    found.arrival_due_at = min((due for clock, due in dues if due and clock is Clock.ARRIVAL), default=None)
    return found


def take_over(plan: Plan, old: DeviceState, new: DeviceState) -> DeviceState:
    """Return the state of a new unit with what the old one's service plans remember.

    A counter that begins anew is taken as set back, so that what was used stays used.
    """
    services = {
        rule: replace(known, alerts={}, due_at=None)
        for rule, known in old.rules.items()
        if known.fingerprint.kind == "maintenance" and rule in plan.evaluators
    }
    if not services:
        return new
    found = new.copy()
    found.rules = {**new.rules, **services}
    return found
