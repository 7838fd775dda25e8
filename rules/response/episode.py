"""The case of an incident from its begin to its end, whatever the incident is of."""

from collections.abc import Collection
from dataclasses import replace

from rules.base import BaseRule
from rules.response.world import Action, CaseRecord, OpenCase, RecoverCase, ReopenCase, Withdraw, World
from rules.transition import Transition


def begin(
    world: World, key: str, rule: BaseRule, begun: Transition, device_id: str, owners: Collection[str | None]
) -> tuple[CaseRecord, Action]:
    """Open an incident's case, or reopen it where the one before ended lately; return it with what does so.

    Args:
        world: Where the case before is known.
        key: Dedupe key of the incident.
        rule: Whose purpose and ``reopen_within`` count.
        begun: What is told of it: its severity, and from its ``at`` on.
        device_id: What began first.
        owners: Of all of its devices; with several the case is nobody's.
    """
    known = world.cases.get(key)
    if known is not None and known.resolved_at is not None and begun.at - known.resolved_at <= rule.reopen_within:
        again = replace(
            known,
            open=True,
            resolved_at=None,
            reopened=known.reopened + 1,
            severity=begun.severity,
            told=False,
            told_customers=frozenset(),
        )
        return again, ReopenCase(again, begun)
    incident = CaseRecord(
        id=world.next_case_id,
        dedupe_key=key,
        rule=rule.id,
        device_id=device_id,
        customer_id=next(iter(owners)) if len(owners) == 1 else None,
        kind="incident",
        purpose=rule.purpose,
        severity=begun.severity,
        open=True,
        on_arrival=False,
        opened_at=begun.at,
    )
    return incident, OpenCase(incident, begun, known.id if known else None)


def end(incident: CaseRecord, last: Transition, why: str = "resolved before it was sent") -> list[Action]:
    """End an incident's case at the time of ``last``, and keep back what it has not told yet."""
    return [
        RecoverCase(replace(incident, open=False, resolved_at=last.at), last),
        Withdraw(incident.id, why),
    ]
