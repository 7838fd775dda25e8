"""Facts to try each template with: what the gateway would pass, of products that nobody owns."""

from collections.abc import Mapping
from typing import Any

_FREEZER: Mapping[str, Any] = {
    "kind": "condition",
    "title": "−8",
    "advice": "1\n2",
    "field": "temperature",
    "labels": {"temperature": "°C"},
    "values": {"temperature": -8.34},
    "units": {"temperature": "Cel"},
    "limit": -12,
    "direction": "above",
    "since": "2025-03-03T14:02:00Z",
    "device": {"name": "Freezer 14", "product": "F-200"},
    "severity": "major",
    "purpose": "fault",
    "case_id": 1042,
}
_SERVICE: Mapping[str, Any] = {
    "kind": "maintenance",
    "title": "Filter",
    "plan": "yearly_service",
    "phase": "upcoming",
    "due_at": "2025-03-17T08:00:00Z",
    "device": {"name": "Cellar", "product": "HP-12"},
    "purpose": "maintenance",
    "case_id": 1043,
}
_VISIT: Mapping[str, Any] = {
    "starts_at": "2025-03-11T08:00:00Z",
    "ends_at": "2025-03-11T09:00:00Z",
    "team": "Berlin",
}

SAMPLES: Mapping[str, Mapping[str, Any]] = {
    "address_added": {"added_channel": "whatsapp", "added_address": "+49…67"},
    "agent_reply": {**_FREEZER, "text": "Mia", "agent": "Mia"},
    "answer_noted": {**_FREEZER, "answer": "not_seen_fixed"},
    "check": {"check_code": "481937", "expires_at": "2025-03-03T15:02:00Z"},
    "date_booked": {**_SERVICE, **_VISIT},
    "date_cancelled": {**_SERVICE, **_VISIT},
    "digest": {"purpose": "maintenance", "text": "1. A\n2. B"},
    "fault_improving": {**_FREEZER, "values": {"temperature": -14.2}},
    "fault_opened": _FREEZER,
    "fault_resolved": {**_FREEZER, "values": {"temperature": -18.4}},
    "fault_update": {**_FREEZER, "text": "Mia", "agent": "Mia"},
    "help": {},
    "maintenance_confirmed": {**_SERVICE, "answer": "done"},
    "maintenance_due": _SERVICE,
    "offer": {
        "purpose": "offer",
        "shop": {"name": "Shop 1", "address": "1", "distance_m": 348.0},
        "offer": {"title": "−20 %", "text": "1", "code": "SEAL-4711", "valid_until": "2025-03-10T22:00:00+00:00"},
    },
    "page_link": {},
    "start_confirmed": {"purpose": "offer"},
    "stop_confirmed": {"purpose": "offer"},
    "survey": _FREEZER,
    "test": {},
    "welcome": _FREEZER,
}
"""By template. Texts are in no language, so that what is missing in a language is the template's own."""
