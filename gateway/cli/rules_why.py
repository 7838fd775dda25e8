"""``gateway rules explain``: why and why not, now or at a moment that has passed."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_models.event import rfc3339
from device_models.profile import GENERIC
from device_models.yaml_lines import InvalidFileError
from gateway.backtest.recorded import BadTableError
from gateway.cli.options import ConfigOption, plain_errors, read_config
from gateway.clock import Clock
from gateway.config import Config, ConfigError
from gateway.errors import StartRefused
from gateway.history import HistoryError
from rules.detect import Detector
from rules.recordings.recorded import parse_time

if TYPE_CHECKING:
    from gateway.people.registry import Registry
    from gateway.store.store import Store


@dataclass(frozen=True, slots=True)
class _InForce:
    detector: Detector


def explain(
    device_id: Annotated[str, typer.Argument(metavar="DEVICE")],
    rule: Annotated[str | None, typer.Option(help="Only this rule.")] = None,
    at: Annotated[
        str | None, typer.Option(help="A moment that has passed, told from history; default: now.", metavar="TIME")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with all that is known.")] = False,
    config: ConfigOption = None,
) -> None:
    """Say where each rule stands on a device and why: what it saw, what was missing, what withheld it."""
    from gateway.people.registry import load_registry
    from gateway.rulebook.files import load_profiles
    from gateway.store.store import Store
    from gateway.web.why import standings

    with plain_errors(ConfigError, StartRefused, HistoryError, InvalidFileError, OSError, BadTableError, LookupError):
        settings = read_config(config)
        moment = _time(at) if at else None
        if moment is not None and moment > Clock().now():
            raise BadTableError(f"--at {at}: lies ahead; what a rule will say nobody can tell")
        profiles = load_profiles(settings)
        store = Store(settings.store_url)
        try:
            with store.read() as connection:
                registry = load_registry(connection)
            explained = _explained(settings, store, registry, device_id, moment)
        finally:
            store.close()
        if rule is not None:
            explained = [entry for entry in explained if entry["rule"] == rule]
            if not explained:
                raise BadTableError(f"there is no rule '{rule}'")
    if as_json:
        for entry in explained:
            print(json.dumps(entry, ensure_ascii=False))
        return
    now = moment or Clock().now()
    device = registry.devices[device_id]
    told = f"{device.id} ({device.name})" if device.name else device.id
    print(f"{told}, {device.profile}, at {rfc3339(now)}")
    by_rule = {entry["rule"]: entry for entry in explained}
    for standing in standings(explained, profiles.get(device.profile, GENERIC), now, registry.devices):
        print(f"{standing.rule}: {standing.state if standing.applies else 'does not apply'}. {standing.sentence}")
        for line in _details(by_rule[standing.rule], standing.condition):
            print(f"    {line}")


def _explained(
    config: Config, store: "Store", registry: "Registry", device_id: str, at: datetime | None
) -> Sequence[Mapping[str, Any]]:
    from gateway.pipeline.explaining import explain_device
    from gateway.replay import open_recorded
    from gateway.rulebook.explaining import explain_past, outcomes_of
    from gateway.rulebook.files import load_profiles
    from gateway.rulebook.versions import detector_at_start

    profiles = load_profiles(config)
    if at is None:
        detector = detector_at_start(store, config, profiles, registry.shops.values())
        now = Clock().now()
        outcomes = outcomes_of(store, device_id, now)
        found = explain_device(store, _InForce(detector), registry, profiles, device_id, now)
        return [{**entry, **outcomes.get(entry["rule"], {})} for entry in found]

    async def past() -> Sequence[Mapping[str, Any]]:
        history = await open_recorded(config)
        try:
            return await explain_past(store, history, registry, config, profiles, device_id, at)
        finally:
            await history.close()

    return asyncio.run(past())


def _details(entry: Mapping[str, Any], condition: str) -> list[str]:
    lines = [f"condition: {condition}"] if condition else []
    if late := entry.get("late_events"):
        lines.append(f"{late} messages came too late to count")
    if case := entry.get("case"):
        lines.append(f"case #{case['id']}, opened {case['opened_at']}")
    if message := entry.get("message"):
        why = f": {message['reason']}" if message["reason"] else ""
        lines.append(f"message of {message['created_at']}: {message['state']}{why}")
    if offer := entry.get("offer"):
        lines.append(f"visit of {offer['at']}: {offer['sentence'] or offer['reason'] or 'an offer was made'}")
    if "replayed_since" in entry and entry["replayed_since"] is None:
        lines.append("nothing was recorded in the 30 days before")
    return lines


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise BadTableError(f"--at: {error}; write it as 2026-11-23T10:00:00Z") from error
