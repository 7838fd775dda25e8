"""How an answer may begin: what is happening, in the customer's language, with what the device says now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from device_models.profile import DeviceProfile
from gateway.config import Config
from gateway.people.registry import Registry
from gateway.store import schema
from notifiers.message import Brand
from notifiers.wording.render import render_sentence
from rules.respond import device_facts
from rules.state import DeviceState


def opening_line(
    connection: sa.Connection,
    case_id: int,
    registry: Registry,
    profiles: Mapping[str, DeviceProfile],
    config: Config,
    now: datetime,
) -> str:
    """Return a sentence for the case's customer; empty where there is nobody to speak to or nothing to say."""
    c, s = schema.cases, schema.device_states
    row: Any = connection.execute(sa.select(c).where(c.c.id == case_id)).mappings().first()
    customer = registry.customers.get(row["customer_id"]) if row is not None and row["customer_id"] else None
    if customer is None or not row["device_id"] or row["kind"] == "reported":
        return ""
    told = dict(row["explanation"])
    kept = connection.execute(sa.select(s.c.state).where(s.c.device_id == row["device_id"])).scalar()
    if kept and row["state"] == "open" and isinstance(told.get("values"), dict):
        latest = DeviceState.from_json(orjson.loads(kept)).twin.values
        told["values"] = {name: latest.get(name, value) for name, value in told["values"].items()}
    facts = {
        **told,
        **device_facts(registry.devices.get(row["device_id"]), profiles),
        "severity": row["severity"],
        "purpose": row["purpose"],
    }
    template = "maintenance_due" if row["kind"] == "maintenance" else "fault_opened"
    if row["state"] != "open":
        template = "fault_resolved"
    brand = Brand(config.brand.name, config.brand.support_name, config.public_url)
    return render_sentence(template, customer, facts, brand, now)
