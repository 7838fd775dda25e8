"""The devices of the bench: what they are, what they say, and the configuration of a gateway that listens to them."""

import json
from dataclasses import dataclass

from gateway.commands import Upsert

INTERVAL_S = 60.0
"""Between two messages of one device, by its own clock."""
WARM_C = -8.0
RULES = """
rules:
  - id: too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    clear_when: temperature < -15
    title: {en: "is too warm"}
  - id: door-open
    kind: condition
    profile: freezer
    when: door_open
    for: 15m
    title: {en: "stands open"}
  - id: compressor-stopped
    kind: condition
    profile: freezer
    when: temperature > -14 && compressor_current < 0.1 && mains_ok
    for: 15m
    title: {en: "has stopped cooling"}
  - id: silent
    kind: absent
    profile: freezer
    title: {en: "is silent"}
"""
_CONFIG = """
data_dir = "data"
data_budget = "4 GB"
[broker]
listen = "127.0.0.1:{mqtt_port}"
[web]
listen = "127.0.0.1:{web_port}"
[rules]
paths = ["rules.yaml"]
builtin = false
[notifiers]
mode = "auto"
[notifiers.email]
url = "smtp://127.0.0.1:{smtp_port}"
sender = "Acme <service@acme.example>"
[log]
level = "warning"
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """``devices`` freezers that take turns, each in the order of its own clock."""

    devices: int
    first_at: float
    """Epoch seconds of every device's first message; in the past by more than the messages last."""

    def topic(self, number: int) -> str:
        """Topic of the ``number``-th message of all."""
        return f"devices/{device_id(number % self.devices)}/status"

    def payload(self, number: int, *, warm: bool = False) -> bytes:
        """Its payload, about 200 bytes of JSON; each message of a device differs from its others."""
        turn, device = divmod(number, self.devices)
        status = {
            "ts": round(self.first_at + turn * INTERVAL_S, 3),
            "temperature": WARM_C if warm else round(-18 - (number % 97) / 100, 2),
            "ambient_temperature": 21.5,
            "compressor_current": round(0.5 + (number % 89) / 100, 2),
            "door_open": False,
            "mains_ok": True,
            "humidity": 40 + device % 20,
            "running_hours": turn,
            "rssi": -60 - device % 20,
            "firmware": "2.4.1",
        }
        return json.dumps(status).encode()

    def records(self) -> tuple[Upsert, Upsert]:
        """Customers and devices to import: each freezer has an owner with a mailbox."""
        people = tuple(
            {"id": f"c{i}", "name": f"Customer {i}", "email": address(i), "locale": "en"} for i in range(self.devices)
        )
        machines = tuple(
            {"id": device_id(i), "profile": "freezer", "customer_id": f"c{i}"} for i in range(self.devices)
        )
        return Upsert("customers", people, by="bench"), Upsert("devices", machines, by="bench")


def device_id(number: int) -> str:
    """Id of the ``number``-th device."""
    return f"bench-{number:05}"


def address(number: int) -> str:
    """Mail address of its owner."""
    return f"c{number}@bench.example"


def config(mqtt_port: int, web_port: int, smtp_port: int) -> str:
    """Return a gateway's configuration as TOML."""
    return _CONFIG.format(mqtt_port=mqtt_port, web_port=web_port, smtp_port=smtp_port)
