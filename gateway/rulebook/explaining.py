"""Why and why not at a moment that has passed, and what became of what rules asked for.

The past is told by the very engine: the device's history is run up to that moment under the rules of that moment.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from device_models.event import rfc3339
from device_models.profile import GENERIC, DeviceProfile
from gateway.config import Config
from gateway.history import History
from gateway.people.registry import Registry
from gateway.replay import replay
from gateway.rulebook.versions import detector_at_start, live_at
from gateway.store import schema
from gateway.store.store import Store
from rules.detect import Detector
from rules.explain import explain
from rules.inputs import DeviceContext
from rules.recordings.backtest import Backtest
from rules.spatial_index import ShopIndex
from rules.state import DeviceState

LOOK_BACK = timedelta(days=30)
"""How far before the moment the history is run from; what began earlier is met as found."""


async def explain_past(
    store: Store,
    history: History,
    registry: Registry,
    config: Config,
    profiles: Mapping[str, DeviceProfile],
    device_id: str,
    at: datetime,
) -> Sequence[Mapping[str, Any]]:
    """Return one mapping for each rule on a device as it stood at ``at``; see ``rules.explain``.

    Beside its keys ``replayed_since`` (None: nothing was recorded), ``rules_version``, and those of ``outcomes_of``.
    Presence and error messages are not in the history, so rules about them know statuses alone.

    Raises LookupError for an unknown device, HistoryError, and InvalidFileError where the rules cannot be read.
    """
    if device_id not in registry.devices:
        raise LookupError(f"there is no device {device_id}")
    detector = await asyncio.to_thread(_detector_at, store, config, profiles, registry, at)
    standing, first = await standing_under(detector, history, registry, profiles, device_id, at)
    outcomes = await asyncio.to_thread(outcomes_of, store, device_id, at)
    withheld = await asyncio.to_thread(_withheld_at, store, device_id, at)
    told = {"replayed_since": rfc3339(first) if first else None, "rules_version": detector.ruleset.version}
    return [
        {**rule, **told, **outcomes.get(rule["rule"], {}), **withheld.get(rule["rule"], {})}
        if rule.get("state") == "firing"
        else {**rule, **told, **outcomes.get(rule["rule"], {})}
        for rule in standing
    ]


async def standing_under(
    detector: Detector,
    history: History,
    registry: Registry,
    profiles: Mapping[str, DeviceProfile],
    device_id: str,
    at: datetime,
    look_back: timedelta = LOOK_BACK,
) -> tuple[list[dict[str, Any]], datetime | None]:
    """Run a device's history under some rules, be they in force or not; tell where each stands at ``at``.

    Returns ``rules.explain``'s mappings, and since when something was recorded (None: nothing was).
    Raises LookupError for an unknown device, HistoryError.
    """
    device = registry.devices.get(device_id)
    if device is None:
        raise LookupError(f"there is no device {device_id}")
    profile = profiles.get(device.profile, GENERIC)
    zone = registry.zone(device_id)
    run, first = Backtest(detector, profile, {device_id: device}, zone=zone), None
    # What was observed at that very moment was known then.
    async for event in replay(history, device_id, at - look_back, at + timedelta(microseconds=1)):
        first = first or event.observed_at
        run.feed(event)
    reached = run.state(device_id, at)
    context = DeviceContext(device, profile, registry.may_use_location(device_id), zone=zone)
    return explain(detector, context, reached[1] if reached else DeviceState(), at), first


def outcomes_of(store: Store, device_id: str, at: datetime) -> dict[str, dict[str, Any]]:
    """Return by rule what had become of it by ``at``: its case, the last word on a message and on an offer.

    ``case``: ``id`` and ``opened_at`` of the newest; ``message``: ``state``, ``reason``, ``channel``, ``created_at`` of
    the newest for a case of the rule; ``offer``: ``reason`` (why none was made, or None), ``sentence``, ``shop_id`` and
    ``at`` of the newest decision on a visit.
    """
    n, d, cases = schema.notifications, schema.offer_decisions, schema.cases
    messages = (
        sa.select(cases.c.rule, n.c.state, n.c.reason, n.c.channel, n.c.created_at)
        .join(cases, cases.c.id == n.c.case_id)
        .where(n.c.device_id == device_id, n.c.created_at <= at)
        .order_by(n.c.id)
    )
    decisions = (
        sa.select(d.c.rule, d.c.reason, d.c.shop_id, d.c.at, d.c.explanation)
        .where(d.c.device_id == device_id, d.c.at <= at)
        .order_by(d.c.id)
    )
    opened = (
        sa.select(cases.c.rule, cases.c.id, cases.c.opened_at)
        .where(cases.c.device_id == device_id, cases.c.opened_at <= at)
        .order_by(cases.c.id)
    )
    found: dict[str, dict[str, Any]] = {}
    with store.read() as connection:
        for rule, case_id, opened_at in connection.execute(opened):
            found.setdefault(rule, {})["case"] = {"id": case_id, "opened_at": rfc3339(opened_at)}
        for row in connection.execute(messages):
            found.setdefault(row.rule, {})["message"] = {
                "state": row.state,
                "reason": row.reason,
                "channel": row.channel,
                "created_at": rfc3339(row.created_at),
            }
        for row in connection.execute(decisions):
            found.setdefault(row.rule, {})["offer"] = {
                "reason": row.reason,
                "sentence": row.explanation.get("sentence"),
                "shop_id": row.shop_id,
                "at": rfc3339(row.at),
            }
    return found


def _withheld_at(store: Store, device_id: str, at: datetime) -> dict[str, dict[str, Any]]:
    """What withheld each rule's last firing by ``at``, where that had opened no case by then."""
    t = schema.transitions
    newest = (
        sa.select(sa.func.max(t.c.id))
        .where(t.c.device_id == device_id, t.c.at <= at, t.c.state.in_(("firing", "resolved")))
        .group_by(t.c.rule, t.c.fault)
    )
    columns = (t.c.rule, t.c.state, t.c.case_id, t.c.explanation)
    with store.read() as connection:
        last = connection.execute(sa.select(*columns).where(t.c.id.in_(newest))).all()
    return {
        row.rule: {"withheld": row.explanation["withheld"]}
        for row in last
        if row.state == "firing" and row.case_id is None and row.explanation.get("withheld")
    }


def _detector_at(
    store: Store, config: Config, profiles: Mapping[str, DeviceProfile], registry: Registry, at: datetime
) -> Detector:
    shops = list(registry.shops.values())
    with store.read() as connection:
        version = live_at(connection, at)
    if version is None:
        return detector_at_start(store, config, profiles, shops)
    return Detector(version.ruleset, profiles, ShopIndex(shops))
