"""Response within one commit: facts in the order they came, and between them what was withheld and is due."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.cases.alerts import next_release, reason_of
from gateway.cases.crowds import save_crowd
from gateway.cases.record import apply_actions, load_world, record_transition
from gateway.offers.record import record_visit
from gateway.transaction import Transaction
from rules.base import BaseRule
from rules.respond import Action, KeepAlert, KeepCrowd, World, absorb, due_alerts, release, respond
from rules.transition import Transition, Visit

Fact = Transition | Visit


def respond_to(
    tx: Transaction,
    rules: Mapping[str, BaseRule],
    facts: Sequence[tuple[Fact, datetime | None]],
    until: datetime | None = None,
) -> None:
    """Turn facts into cases, messages and offers.

    Args:
        tx: The transaction.
        rules: The rules in force, by id.
        facts: Each with the time of the input it came from: a message's arrival, a timer's due time. What is due by
            then is released before it, so that any size of batch gives the same. None: a command's, which waits for
            nobody and says nothing of how far the log is read.
        until: Release what is due by then after the facts; None while the log is not read to its end.
    """
    times = [at for _, at in facts if at is not None] + ([until] if until is not None else [])
    horizon = max(times, default=None)
    due = next_release(tx.connection) if horizon is not None else None
    if not facts and (due is None or horizon is None or due > horizon):
        return
    world = load_world(tx, rules, [fact for fact, _ in facts if isinstance(fact, Transition)], horizon)
    counted: set[str] = set()
    for fact, at in facts:
        if at is not None:
            counted |= _release(tx, world, at)
        if isinstance(fact, Visit):
            record_visit(tx, rules, fact)
        else:
            counted |= _write(tx, world, fact, respond(world, fact))
    if until is not None:
        counted |= _release(tx, world, until)
    # Once, however many of a batch were counted in the same crowd.
    for key in sorted(counted):
        save_crowd(tx, world.crowds[key])


def _release(tx: Transaction, world: World, until: datetime) -> set[str]:
    counted: set[str] = set()
    # Releasing one may set a new time for it or for another, so it goes on until none is due.
    while due := due_alerts(world, until):
        for alert in due:
            if world.alert(alert.transition) is alert:
                counted |= _write(tx, world, *release(world, alert))
    return counted


def _write(tx: Transaction, world: World, transition: Transition, actions: Sequence[Action]) -> set[str]:
    """Write what came of a fact; return the crowds that it was counted in, or left."""
    absorb(world, actions)
    case_id = apply_actions(tx, actions)
    own = (action.alert for action in actions if isinstance(action, KeepAlert))
    withheld = next((a.withheld for a in own if a.transition.dedupe_key == transition.dedupe_key), None)
    record_transition(tx, transition, case_id, reason_of(withheld) if withheld else None)
    return {action.crowd.key for action in actions if isinstance(action, KeepCrowd)}
