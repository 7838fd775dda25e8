"""Break something: commands that act on the physics of a running fleet, in process or over MQTT.

Over MQTT a command is a JSON object on ``simulator/control``: ``{"command": "unplug", "device": "freezer-03"}``;
``COMMANDS`` names the arguments of each.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from device_models.event import rfc3339
from simulator.fleet import Fleet, UnknownTargetError
from simulator.machines.base import Link, Machine
from simulator.machines.cause import Cause, UnknownCauseError
from simulator.machines.freezer import FreezerMachine
from simulator.machines.phone import PhoneMachine
from simulator.mqtt import Broker, BrokerRefusedError, Connections, Listener
from simulator.scenario import JourneyKind

log = structlog.get_logger(__name__)

TOPIC = "simulator/control"
_FORECAST_KEPT = timedelta(minutes=5)
_WORN_SEAL_W_K_H = 8.0
"""A visitor of the demo waits seconds, not hours: a seal torn half off."""


class NotRunningError(RuntimeError):
    """No fleet is attached yet."""


class CommandError(ValueError):
    """The command cannot be carried out; the message says why."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    command: str
    target: str
    at: datetime
    harm: str | None = None
    harm_at: datetime | None = None
    """When the harm comes if nobody does anything."""
    arrives_at: datetime | None = None
    """When somebody who set out reaches the shop; None also while they are out already and go later."""


class Control:
    """The levers of a running fleet. Commands act at the fleet's present moment."""

    def __init__(self) -> None:
        self._fleet: Fleet | None = None
        self._forecasts: dict[str, tuple[frozenset[Cause], datetime, datetime | None]] = {}

    def attach(self, fleet: Fleet) -> None:
        """Take hold of ``fleet``; ``simulator.run`` does this."""
        self._fleet = fleet

    @property
    def fleet(self) -> Fleet:
        """The fleet. Raises NotRunningError before ``attach``."""
        if self._fleet is None:
            raise NotRunningError("the simulator is not running yet")
        return self._fleet

    async def unplug(self, device_id: str) -> Done:
        """Pull the plug of a freezer or a heat pump."""
        return self._break("unplug", Cause.UNPLUGGED, device_id)

    async def plug(self, device_id: str) -> Done:
        """Put the plug back in."""
        return self._mend("plug", device_id, Cause.UNPLUGGED)

    async def leave_door_open(self, device_id: str) -> Done:
        """Leave a freezer's door open."""
        return self._break("leave_door_open", Cause.DOOR_LEFT_OPEN, device_id)

    async def close_door(self, device_id: str) -> Done:
        """Close it."""
        return self._mend("close_door", device_id, Cause.DOOR_LEFT_OPEN)

    async def wear_seal(self, device_id: str) -> Done:
        """Tear a freezer's door seal."""
        return self._break("wear_seal", Cause.SEAL_LEAK, device_id, _WORN_SEAL_W_K_H)

    async def mend(self, device_id: str) -> Done:
        """Mend whatever is wrong with a device, or with a site's mains."""
        return self._mend("mend", device_id, None)

    async def cut_power(self, site_id: str) -> Done:
        """Cut a site's mains."""
        return self._break("cut_power", Cause.MAINS_CUT, site_id)

    async def restore_power(self, site_id: str) -> Done:
        """Give it back."""
        return self._mend("restore_power", site_id, Cause.MAINS_CUT)

    async def walk_past_shop(self, customer_id: str, shop_id: str) -> Done:
        """Let a customer walk from home to a shop, linger there and walk back."""
        return self._go("walk_past_shop", JourneyKind.WALK_PAST_SHOP, customer_id, shop_id)

    async def drive_past_shop(self, customer_id: str, shop_id: str) -> Done:
        """Let a customer drive past a shop without stopping."""
        return self._go("drive_past_shop", JourneyKind.DRIVE_PAST_SHOP, customer_id, shop_id)

    async def apply(self, command: Mapping[str, Any]) -> Done:
        """Carry out a command as it comes over MQTT. Raises CommandError that says what is wrong with it."""
        name = command.get("command")
        needed = COMMANDS.get(name) if isinstance(name, str) else None
        if needed is None:
            raise CommandError(f"command: none of {', '.join(COMMANDS)}")
        arguments = [command.get(argument) for argument in needed]
        for argument, value in zip(needed, arguments, strict=True):
            if not isinstance(value, str):
                raise CommandError(f"{argument}: is missing or no text")
        done: Done = await getattr(self, str(name))(*arguments)
        return done

    def customer_told(self, customer_id: str, device_id: str, at: datetime, kind: str | None = None) -> None:
        """Let a customer act on what they were told; they mend what they can some minutes later.

        Call it when a message was handed over. ``kind`` is the kind of the case's rule, where it is known.
        """
        self.fleet.customer_told(customer_id, device_id, at, kind)

    def describe(self) -> dict[str, Any]:
        """Return what can be broken and how things truly stand, ready for JSON.

        ``now``; ``devices``: ``{id, name, customer_id, site, profile, commands, truth, faults, harm, harm_at}``;
        ``sites``: ``{id, customer_id, mains_ok, devices, commands}``; ``people``: ``{customer_id, name, moving,
        commands}``; ``shops``: ``{id, name}``; ``faults``: those not mended, as in the truth log. ``harm_at`` is what
        the physics say will happen "if nothing is done", None while nothing is wrong.
        """
        fleet = self.fleet
        phones = [machine for machine in fleet.machines.values() if isinstance(machine, PhoneMachine)]
        things = [machine for machine in fleet.machines.values() if not isinstance(machine, PhoneMachine)]
        return {
            "now": rfc3339(fleet.now),
            "devices": [self._described(machine) for machine in things],
            "sites": [self._described_site(site.id) for site in fleet.scenario.sites],
            "people": [
                {
                    "customer_id": phone.user,
                    "name": fleet.customers[phone.user].name,
                    "moving": phone.route is not None,
                    "commands": ["walk_past_shop", "drive_past_shop"],
                }
                for phone in phones
            ],
            "shops": [{"id": shop.id, "name": shop.name} for shop in fleet.shops.values()],
            "faults": [fault.as_dict() for fault in fleet.open_faults],
        }

    def _described(self, machine: Machine) -> dict[str, Any]:
        fleet, device = self.fleet, machine.device
        faults = [fault for fault in fleet.open_faults if machine.id in fault.devices]
        harm_at = self._forecast(machine) if faults else None
        commands = {Cause.UNPLUGGED: "unplug", Cause.DOOR_LEFT_OPEN: "leave_door_open", Cause.SEAL_LEAK: "wear_seal"}
        return {
            "id": machine.id,
            "name": device.label,
            "customer_id": device.customer_id,
            "site": device.site,
            "profile": device.profile,
            "commands": [name for cause, name in commands.items() if cause in machine.causes],
            "truth": machine.values(),
            "faults": [fault.cause for fault in faults],
            "harm": machine.harm,
            "harm_at": rfc3339(harm_at) if harm_at else None,
        }

    def _described_site(self, site_id: str) -> dict[str, Any]:
        machines = [machine for machine in self.fleet.machines.values() if machine.site.id == site_id]
        return {
            "id": site_id,
            "customer_id": next((machine.device.customer_id for machine in machines), None),
            "mains_ok": self.fleet.sites[site_id].mains_ok,
            "devices": [machine.id for machine in machines],
            "commands": ["cut_power", "restore_power"],
        }

    def _forecast(self, machine: Machine) -> datetime | None:
        """Ask the physics again only when the causes changed or some minutes have passed: a page asks every second."""
        now, causes = self.fleet.now, frozenset(machine.active)
        if isinstance(machine, FreezerMachine) and not machine.mains_ok:
            causes |= {Cause.MAINS_CUT}
        known = self._forecasts.get(machine.id)
        if known is None or known[0] != causes or now - known[1] > _FORECAST_KEPT:
            known = self._forecasts[machine.id] = (causes, now, machine.forecast(now))
        return known[2]

    def _break(self, command: str, cause: Cause, target: str, rate: float | None = None) -> Done:
        try:
            fault = self.fleet.begin_fault(cause, target, "panel", rate)
        except (UnknownTargetError, UnknownCauseError) as error:
            raise CommandError(str(error)) from error
        return Done(command, target, self.fleet.now, fault.harm, fault.unwarned_harm_at)

    def _mend(self, command: str, target: str, cause: Cause | None) -> Done:
        try:
            self.fleet.mend(target, "panel", cause)
        except UnknownTargetError as error:
            raise CommandError(str(error)) from error
        return Done(command, target, self.fleet.now)

    def _go(self, command: str, kind: JourneyKind, customer_id: str, shop_id: str) -> Done:
        try:
            arrives_at = self.fleet.set_out(kind, customer_id, shop_id)
        except UnknownTargetError as error:
            raise CommandError(str(error)) from error
        return Done(command, customer_id, self.fleet.now, arrives_at=arrives_at)


COMMANDS: Mapping[str, tuple[str, ...]] = {
    "unplug": ("device",),
    "plug": ("device",),
    "leave_door_open": ("device",),
    "close_door": ("device",),
    "wear_seal": ("device",),
    "mend": ("device",),
    "cut_power": ("site",),
    "restore_power": ("site",),
    "walk_past_shop": ("customer", "shop"),
    "drive_past_shop": ("customer", "shop"),
}
"""Commands and the arguments each needs, in order."""


class ControlTopic:
    """Carries out the commands that arrive on ``simulator/control``, one after the other."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._commands: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1_000)

    @property
    def listener(self) -> Listener:
        """What to subscribe with."""
        return Listener(TOPIC, self._heard)

    async def run(self) -> None:
        """Carry out commands until cancelled; one that cannot be is logged."""
        while True:
            payload = await self._commands.get()
            try:
                command = json.loads(payload)
                if not isinstance(command, dict):
                    raise CommandError("is no JSON object")
                done = await self._control.apply(command)
            except (ValueError, NotRunningError) as error:
                log.warning("simulator.command_refused", reason=str(error))
            else:
                log.info("simulator.command_done", command=done.command, target=done.target)

    def _heard(self, payload: bytes) -> None:
        if self._commands.full():
            log.warning("simulator.command_refused", reason="too many commands are waiting")
        else:
            self._commands.put_nowait(payload)


async def publish_command(broker: Broker, command: Mapping[str, Any], within_s: float = 10.0) -> None:
    """Publish one command on ``simulator/control`` and wait for the broker's acknowledgement.

    Raises TimeoutError where the broker does not answer within ``within_s`` seconds, BrokerRefusedError where it
    does not let us in.
    """
    name = f"sim-panel-{id(command):x}"
    async with Connections(broker, {name: Link(name)}, {}) as connections:
        await connections.deliver(name, TOPIC, json.dumps(dict(command)).encode(), within_s)


__all__ = [
    "COMMANDS",
    "TOPIC",
    "BrokerRefusedError",
    "CommandError",
    "Control",
    "ControlTopic",
    "Done",
    "NotRunningError",
    "publish_command",
]
