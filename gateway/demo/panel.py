"""The *Break something* panel: acts on the physics over MQTT, and tells one fault's way from topic to phone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from device_models.event import Value
from device_models.localized import in_language
from gateway.clock import Clock
from gateway.store import schema
from gateway.store.store import Store
from gateway.web.deps import BreakOption
from notifiers.reasons import channel_name
from rules.state import DeviceState
from simulator.control import CommandError, Control, publish_command
from simulator.mqtt import Broker

_DEVICE_ACTS = {
    "leave_door_open": ("Leave a door open", "A freezer's door stays ajar; warm, moist air comes in."),
    "unplug": ("Pull a plug", "A freezer or heat pump loses its mains and says so no more."),
    "wear_seal": ("Wear a seal", "A freezer's door seal tears: heat leaks in, the compressor runs and runs."),
    "mend": ("Mend it", "Somebody closes the door, puts the plug back, replaces the part."),
}
_SITE_ACTS = {
    "cut_power": ("Cut a site's power", "All products of a site lose their mains."),
    "restore_power": ("Restore the power", "The mains come back."),
}
_WALKS = {
    "walk_past_shop": ("Walk to a shop", "A customer strolls to the shop, lingers and walks home."),
    "drive_past_shop": ("Drive past a shop", "The same way by car: nobody driving past is a visitor."),
}
_ENTRIES = 40


@dataclass(frozen=True, slots=True)
class _Act:
    title: str
    option: str
    devices: tuple[str, ...]
    at: datetime
    sentence: str


class Panel:
    """What the visitor can do, and what came of the last thing they did."""

    def __init__(
        self, control: Control, broker_url: Callable[[], str], store: Callable[[], Store], clock: Clock
    ) -> None:
        """``broker_url`` and ``store`` are asked for when needed: they exist only once the gateway runs."""
        self._control = control
        self._broker_url = broker_url
        self._store = store
        self._clock = clock
        self._last: _Act | None = None

    def options(self) -> Sequence[BreakOption]:
        """List what can be done, each with its targets."""
        known = self._control.describe()
        devices = known["devices"]
        options = []
        for act, (title, explains) in _DEVICE_ACTS.items():
            if act == "mend":
                able = [device for device in devices if device["faults"]]
            else:
                able = [device for device in devices if act in device["commands"] and not device["faults"]]
            options.append(BreakOption(act, title, explains, [(d["id"], self._label(d)) for d in able]))
        for act, (title, explains) in _SITE_ACTS.items():
            on = act == "cut_power"
            able = [site for site in known["sites"] if site["mains_ok"] is on and site["devices"]]
            options.append(BreakOption(act, title, explains, [(site["id"], site["id"]) for site in able]))
        for act, (title, explains) in _WALKS.items():
            targets = [
                (f"{person['customer_id']}|{shop['id']}", f"{person['name']} → {shop['name']}")
                for person in known["people"]
                if not person["moving"]
                for shop in known["shops"][:4]
            ]
            options.append(BreakOption(act, title, explains, targets))
        return [option for option in options if option.targets]

    async def act(self, option: str, target: str) -> str:
        """Send the command over MQTT, as anybody else would have to. Raises ValueError for what does not exist."""
        titles = {**_DEVICE_ACTS, **_SITE_ACTS, **_WALKS}
        chosen = next((o for o in self.options() if o.id == option), None)
        if chosen is None or target not in dict(chosen.targets):
            raise CommandError("that cannot be done now; the list has changed")
        command = {"command": option}
        if option in _WALKS:
            customer_id, _, shop_id = target.partition("|")
            command |= {"customer": customer_id, "shop": shop_id}
            devices = tuple(d["id"] for d in self._control.describe()["devices"] if d["customer_id"] == customer_id)
        elif option in _SITE_ACTS:
            command["site"] = target
            devices = next(tuple(s["devices"]) for s in self._control.describe()["sites"] if s["id"] == target)
        else:
            command["device"] = target
            devices = (target,)
        await publish_command(Broker.at(self._broker_url()), command)
        label = dict(chosen.targets)[target]
        self._last = _Act(f"{titles[option][0]}: {label}", option, devices, self._clock.now(), titles[option][1])
        return self._last.sentence

    def story(self) -> Mapping[str, Any] | None:
        """Tell the last act's way from topic to phone; None before the first."""
        act = self._last
        if act is None:
            return None
        entries: list[dict[str, Any]] = [{"at": act.at, "kind": "physics", "text": act.sentence, "href": None}]
        with self._store().read() as connection:
            entries += self._said(connection, act)
            entries += self._transitions(connection, act)
            entries += self._timeline(connection, act)
            entries += self._visits(connection, act)
        entries.sort(key=lambda entry: entry["at"])
        return {"title": act.title, "entries": entries[-_ENTRIES:], "unwarned": self._unwarned(act)}

    def _label(self, device: Mapping[str, Any]) -> str:
        owner = self._control.fleet.customers.get(device["customer_id"] or "")
        return f"{device['name']} · {owner.name}" if owner else str(device["name"])

    def _name(self, device_id: str) -> str:
        machine = self._control.fleet.machines.get(device_id)
        return machine.device.label if machine else device_id

    def _owner_of(self, row: sa.RowMapping) -> str:
        customer = self._control.fleet.customers.get(row["customer_id"])
        return customer.name if customer else "The customer"

    def _said(self, connection: sa.Connection, act: _Act) -> list[dict[str, Any]]:
        """What the devices last said over MQTT, since the act."""
        s = schema.device_states
        query = sa.select(s.c.device_id, s.c.state).where(s.c.device_id.in_(act.devices))
        entries = []
        for device_id, kept in connection.execute(query):
            twin = DeviceState.from_json(orjson.loads(kept)).twin
            said = {name: value for name, value in twin.values.items() if twin.observed_at[name] >= act.at}
            if said:
                words = ", ".join(f"{name} {_shown(value)}" for name, value in sorted(said.items())[:6])
                at = max(twin.observed_at[name] for name in said)
                text = f"{self._name(device_id)} last said over MQTT: {words}"
                entries.append({"at": at, "kind": "mqtt", "text": text, "href": f"/devices/{device_id}"})
        return entries

    def _transitions(self, connection: sa.Connection, act: _Act) -> list[dict[str, Any]]:
        t = schema.transitions
        query = sa.select(t).where(t.c.device_id.in_(act.devices), t.c.at >= act.at).order_by(t.c.id).limit(_ENTRIES)
        return [
            {
                "at": row["at"],
                "kind": "rule",
                "text": f"{in_language(row['explanation'].get('title') or {}, 'en') or row['rule']}: {row['state']}"
                f" ({self._name(row['device_id'])})",
                "href": f"/cases/{row['case_id']}" if row["case_id"] else f"/devices/{row['device_id']}",
            }
            for row in connection.execute(query).mappings()
        ]

    def _timeline(self, connection: sa.Connection, act: _Act) -> list[dict[str, Any]]:
        n = schema.notifications
        query = sa.select(n).where(n.c.device_id.in_(act.devices), n.c.created_at >= act.at).order_by(n.c.id)
        entries = []
        for row in connection.execute(query.limit(_ENTRIES)).mappings():
            href = f"/cases/{row['case_id']}" if row["case_id"] else "/messages"
            steps = (
                (
                    "created_at",
                    "message",
                    f"{self._owner_of(row)} is to hear of it: {row['template'].replace('_', ' ')}",
                ),
                ("accepted_at", "phone", f"The provider took it, for {channel_name(row['channel'] or '')}"),
                ("delivered_at", "phone", f"It is on the phone, by {channel_name(row['channel'] or '')}"),
                ("read_at", "phone", "It was read"),
            )
            entries += [
                {"at": row[name], "kind": kind, "text": text, "href": href} for name, kind, text in steps if row[name]
            ]
        return entries

    def _visits(self, connection: sa.Connection, act: _Act) -> list[dict[str, Any]]:
        if act.option not in _WALKS:
            return []
        d = schema.offer_decisions
        customers = {self._control.fleet.machines[i].device.customer_id for i in act.devices}
        query = sa.select(d).where(d.c.customer_id.in_(customers), d.c.at >= act.at).order_by(d.c.id).limit(_ENTRIES)
        return [
            {
                "at": row["at"],
                "kind": "shop",
                "text": row["explanation"].get("sentence", row["reason"]),
                "href": "/offers",
            }
            for row in connection.execute(query).mappings()
        ]

    def _unwarned(self, act: _Act) -> str | None:
        """Say what would have happened, against when the customer heard of it."""
        faults = [f for f in self._control.fleet.truth.faults if set(f.devices) & set(act.devices) and f.at >= act.at]
        fault = next((f for f in reversed(faults) if f.harm and f.unwarned_harm_at), None)
        if fault is None or fault.unwarned_harm_at is None:
            return None
        zone = self._control.fleet.zone
        sentence = f"{fault.harm} at {fault.unwarned_harm_at.astimezone(zone):%H:%M}"
        n = schema.notifications
        query = sa.select(sa.func.min(n.c.accepted_at)).where(n.c.device_id.in_(act.devices), n.c.created_at >= act.at)
        with self._store().read() as connection:
            told_at = connection.execute(query).scalar()
        return sentence + (f"; told at {told_at.astimezone(zone):%H:%M}" if told_at else "; nobody is told yet")


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.1f}" if isinstance(value, float) else str(value)
