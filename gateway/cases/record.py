"""Load what response must know, and write what it decided."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from device_models.purpose import Purpose, Severity
from gateway.cases.alerts import (
    hubs_of,
    load_alerts,
    load_alerts_of,
    load_hub_sizes,
    load_site_sizes,
    save_alert,
    sites_of,
)
from gateway.cases.crowds import load_rest, save_member, touched_crowds
from gateway.cases.silences import load_silences
from gateway.cases.timeline import TOLD_TOGETHER, add_entry, touch
from gateway.commands import CommandRefused
from gateway.outbox.outcomes import note_fixed
from gateway.outbox.queue import enqueue, withdraw
from gateway.store import schema
from gateway.store.statements import insert, load, one_of
from gateway.transaction import Transaction
from rules.base import BaseRule
from rules.kinds.absent import AbsentRule
from rules.respond import (
    Action,
    AddToCase,
    CaseRecord,
    JoinIncident,
    KeepAlert,
    KeepMember,
    Notify,
    OpenCase,
    Record,
    RecoverCase,
    ReopenCase,
    Withdraw,
    World,
)
from rules.response.grouping import group_key
from rules.response.storm import STORM, StormLimits
from rules.response.withheld import KnownAlert
from rules.transition import Transition

_PART = 500
"""Keys asked for in one statement."""
_TOLD = ("handed_over", "accepted", "delivered", "read", "unknown")
_LAST_ID = sa.select(sa.func.max(schema.cases.c.id))
_NEWEST = sa.select(schema.cases).where(
    schema.cases.c.id.in_(
        sa.select(sa.func.max(schema.cases.c.id))
        .where(one_of(schema.cases.c.dedupe_key, "keys"))
        .group_by(schema.cases.c.dedupe_key)
    )
)
"""The newest case of each of some dedupe keys."""


def load_world(
    tx: Transaction, rules: Mapping[str, BaseRule], transitions: Sequence[Transition], until: datetime | None = None
) -> World:
    """Read the cases and alerts that ``transitions``, and what is due by ``until``, may touch.

    Registry, rules and profiles are in memory already.
    """
    alerts = load_alerts(tx, rules, transitions, until)
    known = {key for of_device in alerts.values() for key, alert in of_device.items() if alert.firing}
    sites = sites_of(tx, [t.device_id for t in transitions] + list(alerts))
    hubs = hubs_of(tx, [t.device_id for t in transitions] + list(alerts))
    hub_sizes = load_hub_sizes(tx, rules, hubs)
    groups = {f"hub:{hub}" for hub in hub_sizes} | {
        group_key(rule.id, site) for rule in rules.values() if isinstance(rule, AbsentRule) for site in sites
    }
    muted = [alert.transition for of_device in alerts.values() for alert in of_device.values() if _may_count(alert)]
    roster, crowds, counts = touched_crowds(tx, rules, [*transitions, *muted])
    customers = {hearer for t in [*transitions, *muted] for hearer in _hearers(tx, t.device_id)}
    keys = {transition.dedupe_key for transition in transitions} | known | groups | set(crowds) | set(counts)
    last_id = tx.connection.execute(_LAST_ID).scalar()
    storm = tx.config.cases
    world = World(
        rules=rules,
        profiles=tx.profiles,
        devices=tx.registry.devices,
        customers=tx.registry.customers,
        cases=_load_cases(tx, keys, customers),
        next_case_id=(last_id or 0) + 1,
        alerts=alerts,
        site_sizes=load_site_sizes(tx, rules, sites),
        hub_sizes=hub_sizes,
        silences=load_silences(tx.connection, tx.now),
        contacts=tx.registry.contacts,
        storm=StormLimits(storm.storm_openings, storm.storm_within) if storm.storm_openings else None,
        census=tx.registry.census,
        crowds=crowds,
        roster=roster,
    )
    if counts and (more := load_rest(tx, world, counts)):
        for device_id, of_device in load_alerts_of(tx, more).items():
            for key, alert in of_device.items():
                world.alerts.setdefault(device_id, {}).setdefault(key, alert)
        theirs = {key for device_id in more for key in world.alerts.get(device_id, {})}
        world.cases |= _load_cases(tx, theirs - set(world.cases), customers)
    return world


def _hearers(tx: Transaction, device_id: str) -> set[str]:
    """Who may have heard of a device."""
    owner = tx.registry.owner(device_id)
    others = {contact.customer_id for contact in tx.registry.contacts.get(device_id, ())}
    return others | ({owner.id} if owner else set())


def _may_count(alert: KnownAlert) -> bool:
    """Whether a fault that was withheld may begin to count in this batch."""
    return alert.firing and alert.withheld is not None and alert.withheld.by in ("silence", "inhibition", "storm")


def _load_cases(tx: Transaction, keys: Iterable[str], customers: Collection[str]) -> dict[str, CaseRecord]:
    """Read the newest case of each dedupe key; ``customers``: of a fleet's thousands, who of these was told."""
    found: dict[str, CaseRecord] = {}
    of_all = sorted(keys)
    for start in range(0, len(of_all), _PART):
        part = of_all[start : start + _PART]
        for row in tx.connection.execute(_NEWEST, {"keys": part}).mappings().all():
            found[row["dedupe_key"]] = _record(row, _told_customers(tx, row, customers))
    return found


def load_case(tx: Transaction, case_id: int) -> sa.RowMapping | None:
    """Read one case's row."""
    return load(tx.connection, schema.cases, case_id)


def case_of(tx: Transaction, case_id: int) -> sa.RowMapping:
    """Load a case. Raises CommandRefused where there is none."""
    row = load_case(tx, case_id)
    if row is None:
        raise CommandRefused(f"there is no case {case_id}")
    return row


def _told_customers(tx: Transaction, row: sa.RowMapping, customers: Collection[str]) -> frozenset[str]:
    """Who heard that this episode began; a reopening asks anew."""
    n = schema.notifications
    prefix = f"case:{row['id']}:%:{row['reopened']}:%"
    query = sa.select(n.c.key, n.c.customer_id, n.c.state).where(n.c.case_id == row["id"], n.c.key.like(prefix))
    query = query.where(n.c.state.in_((*_TOLD, "cancelled")))
    if row["dedupe_key"].startswith(("fleet:", STORM)):
        query = query.where(n.c.customer_id.in_(sorted(customers)))
    found = list(tx.connection.execute(query))
    told = {customer_id for _, customer_id, state in found if state != "cancelled"}
    elsewhere = {key: customer_id for key, customer_id, state in found if state == "cancelled"}
    return frozenset(told | {elsewhere[key] for key in _told_together(tx, row["id"]) if key in elsewhere})


def _told_together(tx: Transaction, case_id: int) -> Iterator[str]:
    """The keys of messages about a case that went out as a part of another's."""
    t, n = schema.timeline.c, schema.notifications.c
    query = (
        sa.select(t.body)
        .join(schema.notifications, n.id == t.notification_id)
        .where(t.case_id == case_id, t.kind == TOLD_TOGETHER, n.state.in_(_TOLD))
    )
    yield from (body["key"] for body in tx.connection.execute(query).scalars())


def _record(row: sa.RowMapping, told: frozenset[str]) -> CaseRecord:
    return CaseRecord(
        id=row["id"],
        dedupe_key=row["dedupe_key"],
        rule=row["rule"],
        device_id=row["device_id"],
        customer_id=row["customer_id"],
        kind=row["kind"],
        purpose=Purpose(row["purpose"]),
        severity=Severity(row["severity"]),
        open=row["state"] == "open",
        on_arrival=row["on_arrival"],
        opened_at=row["opened_at"],
        resolved_at=row["resolved_at"],
        reopened=row["reopened"],
        told=bool(told),
        told_customers=told,
    )


def record_transition(
    tx: Transaction, transition: Transition, case_id: int | None, withheld: Mapping[str, Any] | None = None
) -> None:
    """Keep a transition, and what ``withheld`` it: the evidence of a case, and the answer to "why" and "why not"."""
    row = {
        "sequence": tx.sequence,
        "device_id": transition.device_id,
        "rule": transition.rule,
        "fault": transition.fault,
        "state": transition.state.value,
        "at": transition.at,
        "committed_at": tx.now,
        "severity": transition.severity.value,
        "purpose": transition.purpose.value,
        "on_arrival": transition.on_arrival,
        "shadow": transition.shadow,
        "case_id": case_id,
        "explanation": {**transition.explanation, **({"withheld": dict(withheld)} if withheld else {})},
    }
    insert(tx.connection, schema.transitions, row)


def apply_actions(tx: Transaction, actions: Sequence[Action]) -> int | None:
    """Write what response decided; return the case concerned, if any."""
    case_id = None
    for action in actions:
        match action:
            case OpenCase(case, transition, previous):
                _open(tx, case, transition, previous)
                case_id = case.id
            case ReopenCase(case, transition):
                _reopen(tx, case, transition)
                case_id = case.id
            case AddToCase(case, transition):
                touch(tx, case.id, severity=case.severity.value, on_arrival=case.on_arrival)
                body = {"at": transition.at.isoformat(), "severity": case.severity.value}
                add_entry(tx, case.id, "firing", body=body)
                case_id = case.id
            case RecoverCase(case, transition):
                values = {"resolved_at": transition.at, "resolved_by": "telemetry", "state": "resolved"}
                touch(tx, case.id, needs_reply=False, **values)
                add_entry(tx, case.id, "recovered", body=_why(transition))
                note_fixed(tx, case.id)
                case_id = case.id
            case Notify():
                enqueue(tx, action)
            case JoinIncident(case, incident_id):
                said = f"part of incident #{incident_id}"
                touch(
                    tx, case.id, state="resolved", resolved_at=case.resolved_at, resolved_by="incident", resolution=said
                )
                add_entry(tx, case.id, "resolved", body={"resolution": said})
                withdraw(tx, case.id, said)
            case KeepAlert(alert):
                save_alert(tx, alert)
                if case_id is None and alert.withheld is not None and alert.withheld.by in ("incident", "storm"):
                    case_id = alert.withheld.reason.get("case_id")
            case KeepMember(member):
                save_member(tx, member)
            case Record(transition, of_case):
                record_transition(tx, transition, of_case)
            case Withdraw(case_id=of_case, reason=reason, customer_id=customer_id):
                withdraw(tx, of_case, reason, customer_id)
    return case_id


def _open(tx: Transaction, case: CaseRecord, transition: Transition, previous_case_id: int | None) -> None:
    row = {
        "id": case.id,
        "dedupe_key": case.dedupe_key,
        "rule": case.rule,
        "fault": transition.fault,
        "kind": case.kind,
        "device_id": case.device_id,
        "customer_id": case.customer_id,
        "severity": case.severity.value,
        "purpose": case.purpose.value,
        "state": "open",
        "on_arrival": case.on_arrival,
        "explanation": dict(transition.explanation),
        "opened_at": case.opened_at,
        "updated_at": tx.now,
        "needs_reply": False,
        "reopened": 0,
        "previous_case_id": previous_case_id,
        "version": 1,
    }
    insert(tx.connection, schema.cases, row)
    add_entry(tx, case.id, "opened", body=_why(transition))


def _reopen(tx: Transaction, case: CaseRecord, transition: Transition) -> None:
    touch(
        tx,
        case.id,
        state="open",
        resolved_at=None,
        resolved_by=None,
        resolution=None,
        severity=case.severity.value,
        on_arrival=case.on_arrival,
        reopened=case.reopened,
        explanation=dict(transition.explanation),
        first_response_at=None,
        response_due_at=None,
        waiting_since=None,
    )
    add_entry(tx, case.id, "reopened", body=_why(transition))


def _why(transition: Transition) -> dict[str, object]:
    return {"at": transition.at.isoformat(), "explanation": dict(transition.explanation)}
