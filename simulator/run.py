"""Plays a scenario over MQTT in the time of a clock it is handed."""

import asyncio
from datetime import datetime, timedelta

import structlog

from simulator.clock import Clock
from simulator.control import Control, ControlTopic
from simulator.fleet import STEP, Fleet
from simulator.mqtt import Broker, Connections, Traffic
from simulator.scenario import Scenario
from simulator.truth import TruthLog

log = structlog.get_logger(__name__)

_SHORTEST_NAP_S = 0.05
"""Real seconds; at 300 times the speed a step every 17 ms would only wake the processor more often."""
_STEPS_AT_ONCE = 50
"""After the machine slept, hours may have to be caught up on; others on the loop get their turn in between."""


async def run(
    scenario: Scenario,
    broker_url: str,
    clock: Clock,
    seed: int,
    control: Control,
    truth: TruthLog,
    username: str | None = None,
    password: str | None = None,
    *,
    ca: str | None = None,
    until: datetime | None = None,
) -> Traffic:
    """Play ``scenario`` until cancelled, or until ``until`` on ``clock``; return how much was said.

    The play begins at the clock's present moment. Lost connections are made again, also those of a broker that is
    not there yet. Raises BrokerUrlError, BrokerRefusedError (credentials), OSError (the truth cannot be written).
    """
    broker = Broker.at(broker_url, username, password, ca)
    # Whole seconds: stamps are read by people too.
    fleet = Fleet(scenario, seed, clock.now().replace(microsecond=0), truth)
    control.attach(fleet)
    topic = ControlTopic(control)
    log.info("simulator.started", scenario=scenario.name, seed=seed, devices=len(fleet.machines), speed=clock.speed)
    listeners = {f"sim-control-{scenario.name}": topic.listener}
    commands = asyncio.create_task(topic.run(), name="simulator-commands")
    try:
        async with Connections(broker, fleet.links(), listeners) as connections:
            await _play(fleet, connections, clock, until)
            return connections.traffic
    finally:
        commands.cancel()
        await asyncio.gather(commands, return_exceptions=True)


async def _play(fleet: Fleet, connections: Connections, clock: Clock, until: datetime | None) -> None:
    nap = max(STEP, timedelta(seconds=_SHORTEST_NAP_S * clock.speed))
    while until is None or fleet.now + STEP <= until:
        now = clock.now() if until is None else min(clock.now(), until)
        connections.publish(fleet.advance(now, _STEPS_AT_ONCE))
        connections.power(fleet.links_up())
        if fleet.now + STEP <= now:
            await asyncio.sleep(0)
        else:
            await clock.sleep_until(fleet.now + nap)
