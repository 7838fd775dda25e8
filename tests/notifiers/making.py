"""Customers, facts and messages that the tests of this package share."""

from datetime import UTC, datetime
from typing import Any

from device_models.purpose import Purpose
from device_models.registry import Customer
from notifiers.message import Brand, Links, Outgoing, Rendered

NOW = datetime(2025, 3, 3, 14, 32, tzinfo=UTC)
BRAND = Brand("Nordfrost", "Nordfrost Service", "https://help.nordfrost.example/support")
LINKS = Links(
    "https://help.nordfrost.example/support/c/x9K2mQ",
    "https://help.nordfrost.example/support/s/x9K2mQ",
    "https://help.nordfrost.example/support/u/x9K2mQ",
)
ANA = Customer(
    id="ana",
    name="Ana Souza",
    country="GB",
    locale="en-GB",
    timezone="Europe/London",
    email="ana@example.com",
    phone="+447400123456",
)
JÖRG = Customer(
    id="joerg", name="Jörg", country="DE", locale="de-DE", timezone="Europe/Berlin", email="joerg@example.de"
)
YUSUF = Customer(
    id="yusuf",
    name="يوسف",
    country="AE",
    locale="ar-AE",
    timezone="Asia/Dubai",
    addresses={"whatsapp": "+971501234567"},
)
PEOPLE = {"en": ANA, "de": JÖRG, "ar": YUSUF}

FREEZER: dict[str, Any] = {
    "kind": "condition",
    "title": {"en": "Freezer too warm", "de": "Gefrierschrank zu warm", "ar": "المجمّد دافئ أكثر من اللازم"},
    "advice": {
        "en": "Check that the door is closed.\nLeave it closed: the food stays frozen for some hours.",
        "de": "Prüfen Sie, ob die Tür geschlossen ist.\nLassen Sie sie zu.",
        "ar": "تأكد من أن الباب مغلق.\nاتركه مغلقًا.",
    },
    "field": "temperature",
    "labels": {"temperature": {"en": "Temperature", "de": "Temperatur", "ar": "الحرارة"}},
    "values": {"temperature": -8.34},
    "units": {"temperature": "Cel"},
    "limit": -12,
    "direction": "above",
    "since": "2025-03-03T14:02:00Z",
    "device": {"name": "Garage freezer", "product": {"en": "freezer", "de": "Gefrierschrank", "ar": "المجمّد"}},
    "severity": "major",
    "purpose": "fault",
    "case_id": 1042,
}
SERVICE: dict[str, Any] = {
    "kind": "maintenance",
    "title": {"en": "Yearly service", "de": "Jahreswartung", "ar": "الصيانة السنوية"},
    "plan": "yearly_service",
    "phase": "upcoming",
    "due_at": "2025-03-17T08:00:00Z",
    "device": {"name": "Cellar", "product": {"en": "heat pump", "de": "Wärmepumpe", "ar": "المضخة الحرارية"}},
    "purpose": "maintenance",
}
OFFER: dict[str, Any] = {
    "purpose": "offer",
    "shop": {"name": "Nordfrost Mitte", "address": "Torstraße 12, Berlin", "distance_m": 348.0},
    "offer": {
        "title": "20 % off door seals",
        "text": "We fit a new one while you wait.",
        "code": "SEAL-4711",
        "valid_until": "2025-03-10T22:00:00+00:00",
    },
}
VISIT = {"starts_at": "2025-03-11T08:00:00Z", "ends_at": "2025-03-11T09:00:00Z", "team": "Berlin"}
FACTS: dict[str, dict[str, Any]] = {
    "fault_opened": FREEZER,
    "fault_update": FREEZER | {"text": "A technician can come tomorrow at 10.", "agent": "Mia"},
    "fault_resolved": FREEZER | {"values": {"temperature": -18.4}},
    "maintenance_due": SERVICE,
    "maintenance_confirmed": SERVICE | {"answer": "done"},
    "offer": OFFER,
    "agent_reply": FREEZER | {"text": "Hello Ana,\nthe seal looks worn.\nMay we come at 10?", "agent": "Mia"},
    "answer_noted": FREEZER | {"answer": "not_seen_fixed"},
    "date_booked": SERVICE | VISIT,
    "date_cancelled": SERVICE | VISIT,
    "digest": {"purpose": "maintenance", "text": "• Freezer 14\n• Cellar"},
    "fault_improving": FREEZER | {"values": {"temperature": -14.2}},
    "stop_confirmed": {"purpose": "offer"},
    "start_confirmed": {"purpose": "offer"},
    "survey": FREEZER,
    "page_link": {},
    "help": {},
    "welcome": FREEZER,
    "address_added": {"added_channel": "whatsapp", "added_address": "+44…67"},
    "check": {"check_code": "481937", "expires_at": "2025-03-03T15:02:00Z"},
    "test": {},
}
"""Facts for each template, as the gateway passes them."""


def outgoing(**changes: Any) -> Outgoing:
    """Make a message to Ana by mail; ``changes`` replace fields."""
    fields: dict[str, Any] = {
        "key": "case:1042:fault_opened:0:email",
        "channel": "email",
        "address": "ana@example.com",
        "rendered": Rendered(
            subject="Garage freezer: Freezer too warm",
            text="Your freezer “Garage freezer” has warmed to −8.3 °C.",
            html="<!DOCTYPE html><html lang=en><title>x</title><p>Your freezer has warmed.</p></html>",
            language="en",
            direction="ltr",
        ),
        "purpose": Purpose.FAULT,
        "now": NOW,
        "links": LINKS,
    }
    return Outgoing(**(fields | changes))
