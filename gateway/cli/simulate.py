"""``gateway simulate``: play a fleet against a broker, and score the gateway behind it."""

import asyncio
import json
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from device_models.duration import format_duration, parse_duration
from gateway.cli.options import plain_errors, stderr
from gateway.clock import Clock
from gateway.ending import end
from gateway.logs import configure_logs
from simulator.control import Control
from simulator.fleet import Fleet
from simulator.mqtt import BrokerRefusedError, BrokerUrlError
from simulator.run import run
from simulator.scenario import Scenario, ScenarioError
from simulator.score import Score, score
from simulator.truth import TruthLog

_POLL_S = 1.0
_SETTLE_S = 5.0
"""Real seconds that the gateway gets for the last messages before it is scored."""
_SAMPLED = timedelta(minutes=20)
_TIMEOUT_S = 10.0


class GatewayUnreachableError(Exception):
    """The gateway's API gave no usable answer; the message says which."""


def simulate(
    scenario: Annotated[str, typer.Argument(help="demo, clean-month, freezer-seal, or a .yaml file.")],
    broker: Annotated[str, typer.Option(help="mqtt://host:1883 or mqtts://host:8883.")] = "mqtt://127.0.0.1:1883",
    seed: Annotated[int, typer.Option(help="What is drawn by chance: devices, people, minutes.")] = 1,
    rate: Annotated[
        float | None, typer.Option(help="Messages per second on average; sets how fast simulated time runs.", min=0.01)
    ] = None,
    speed: Annotated[float | None, typer.Option(help="Simulated seconds per second instead.", min=0.01)] = None,
    duration: Annotated[
        str | None, typer.Option("--for", help="Simulated time to play, such as 8h; default: the scenario's.")
    ] = None,
    username: Annotated[str | None, typer.Option(envvar="SIMULATE_USERNAME")] = None,
    password: Annotated[str | None, typer.Option(envvar="SIMULATE_PASSWORD", help="Better in the environment.")] = None,
    ca: Annotated[Path | None, typer.Option(help="CA certificate for mqtts.", exists=True, dir_okay=False)] = None,
    truth: Annotated[Path | None, typer.Option(help="File for what really happened, JSON lines.")] = None,
    registry: Annotated[
        Path | None, typer.Option(help="Only write devices, customers, shops and offers there, for gateway import.")
    ] = None,
    scored: Annotated[bool, typer.Option("--score", help="Score the gateway's cases and messages at the end.")] = False,
    gateway: Annotated[str | None, typer.Option(help="The gateway's address, such as http://127.0.0.1:8080.")] = None,
    token: Annotated[str | None, typer.Option(envvar="GATEWAY_TOKEN", help="API token of role viewer.")] = None,
) -> None:
    """Play a fleet with known causes of faults over MQTT.

    With --gateway its customers act on what they are told; with --score one JSON line says how well it did.
    """
    if scored and gateway is None:
        raise typer.BadParameter("--score needs --gateway and --token")
    if rate is not None and speed is not None:
        raise typer.BadParameter("give --rate or --speed, not both")
    configure_logs("info", "text")
    problems = (ScenarioError, BrokerUrlError, BrokerRefusedError, GatewayUnreachableError, OSError, ValueError)
    with plain_errors(*problems):
        play = Scenario.load(scenario)
        if registry is not None:
            write_registry(play, registry)
            return
        length = parse_duration(duration) if duration else play.duration
        factor = speed or (rate / usual_rate(play, seed) if rate else 1.0)
        clock = clock_for(length, factor)
        stderr.print(
            f"{play.title}: {format_duration(length)} at {factor:.3g} times the speed, "
            f"{format_duration(timedelta(seconds=math.ceil(length.total_seconds() / factor)))} to play. Ctrl-C ends it."
        )
        with TruthLog(truth) as log, suppress(KeyboardInterrupt):
            asyncio.run(
                _simulate(play, broker, clock, seed, log, length, username, password, ca, gateway, token, scored)
            )


async def _simulate(
    play: Scenario,
    broker: str,
    clock: Clock,
    seed: int,
    log: TruthLog,
    length: timedelta,
    username: str | None,
    password: str | None,
    ca: Path | None,
    gateway: str | None,
    token: str | None,
    scored: bool,
) -> None:
    control, until = Control(), clock.now() + length
    listening = asyncio.create_task(_tell(gateway, token, clock, control)) if gateway else None
    try:
        traffic = await run(
            play, broker, clock, seed, control, log, username, password, ca=str(ca) if ca else None, until=until
        )
    finally:
        if listening is not None:
            await end(listening)
    stderr.print(f"{traffic.published} messages, {traffic.acknowledged} acknowledged, {len(log.faults)} faults.")
    if scored and gateway is not None:
        await asyncio.sleep(_SETTLE_S)
        cases, messages = await _found(gateway, token, clock)
        _show(score(log.faults, cases, messages))


def usual_rate(play: Scenario, seed: int) -> float:
    """Return how many messages a simulated second brings on average, from the scenario's first twenty minutes."""
    start = play.begins(datetime.now(UTC).date())
    fleet = Fleet(play, seed, start, TruthLog())
    messages = sum(len(fleet.advance(start + _SAMPLED * part / 20)) for part in range(1, 21))
    return max(messages / _SAMPLED.total_seconds(), 1e-3)


def clock_for(length: timedelta, speed: float) -> Clock:
    """Return a clock that shows the present at the end of the play, however fast it runs.

    A gateway on the wall clock takes the past for a backlog, but refuses stamps from the future.
    """
    now = datetime.now(UTC)
    return Clock() if speed == 1.0 else Clock.simulated(now - length * max(0.0, 1 - 1 / speed), speed)


def write_registry(play: Scenario, folder: Path) -> None:
    """Write ``devices.json``, ``customers.json``, ``shops.json`` and ``offers.json``. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    registry = play.registry()
    for name in ("devices", "customers", "shops", "offers"):
        records = [record.model_dump(mode="json", exclude_defaults=True) for record in getattr(registry, name)]
        (folder / f"{name}.json").write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")
        stderr.print(f"{len(records):4} {name} in {folder / name}.json")


async def _tell(gateway: str, token: str | None, clock: Clock, control: Control) -> None:
    """Let customers hear what the gateway sent them, as soon as it is out."""
    heard: set[object] = set()
    while True:
        await asyncio.sleep(_POLL_S)
        try:
            messages = await _listed(gateway, token, "/api/messages", pages=1)
            new = [message for message in messages if message["id"] not in heard and message.get("told_at")]
            kinds = {case["id"]: case["kind"] for case in await _listed(gateway, token, "/api/cases")} if new else {}
        except GatewayUnreachableError as error:
            stderr.print(f"[yellow]{error}[/yellow]")
            continue
        for message in new:
            heard.add(message["id"])
            if message.get("device_id"):
                kind = kinds.get(message.get("case_id"))
                control.customer_told(str(message["customer_id"]), str(message["device_id"]), clock.now(), kind)


async def _found(gateway: str, token: str | None, clock: Clock) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Load cases and messages, with the times of sending on the simulation's clock: the gateway sends in real time."""
    cases, messages = await _listed(gateway, token, "/api/cases"), await _listed(gateway, token, "/api/messages")
    for item in (*cases, *messages):
        if item.get("told_at"):
            item["told_at"] = clock.at(datetime.fromisoformat(item["told_at"]))
    return cases, messages


async def _listed(gateway: str, token: str | None, path: str, pages: int | None = None) -> list[dict[str, Any]]:
    """Load a list of the API page by page; raises GatewayUnreachableError."""
    import aiohttp

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    try:
        async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S)) as session:
            while pages is None or pages > 0:
                query = {"limit": "1000"} | ({"cursor": cursor} if cursor else {})
                async with session.get(gateway.rstrip("/") + path, params=query, raise_for_status=True) as response:
                    page = await response.json()
                items += page["items"]
                cursor, pages = page["next"], None if pages is None else pages - 1
                if cursor is None:
                    break
    except aiohttp.ClientResponseError as error:
        raise GatewayUnreachableError(f"{path}: the gateway answered {error.status} {error.message}") from error
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise GatewayUnreachableError(f"{path}: no usable answer from the gateway ({type(error).__name__})") from error
    return items


def _show(result: Score) -> None:
    for cause, devices in result.missed.items():
        stderr.print(f"missed: {cause} on {', '.join(devices)}")
    figures: Mapping[str, Any] = {**result.as_dict(), "missed": {c: list(d) for c, d in result.missed.items()}}
    print(json.dumps(figures))
