from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from device_models.profile import DeviceProfile, FieldSpec
from gateway.web.wording import staff_sentence

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
PUMP = DeviceProfile(
    name="pump",
    title={"en": "heat pump"},
    fields={
        "pressure": FieldSpec(title={"en": "Water pressure"}, unit="bar", decimals=2),
        "fill": FieldSpec(title={"en": "Filter filled"}, unit="%", decimals=0),
    },
)


@pytest.mark.parametrize(
    ("explanation", "sentence"),
    [
        (
            {
                "kind": "change",
                "field": "pressure",
                "values": {"pressure": 1.1},
                "change": -0.5,
                "over_s": 7200.0,
                "within_s": 86400.0,
                "since": "2026-03-14T10:00:00Z",
            },
            "Fault: water pressure 1.10 bar, down 0.50 bar in 2 h, for 2 h.",
        ),
        (
            {"kind": "error_code", "code": "E11", "field": "code", "values": {"code": "E11"}},
            "Fault: code E11.",
        ),
        (
            {"kind": "condition", "field": "lid", "values": {"lid": True}, "since": "2026-03-14T11:38:00Z"},
            "Fault for 22 min.",
        ),
        (
            {"kind": "condition", "field": "pressure", "values": {"pressure": -0.001}},
            "Fault: water pressure 0.00 bar.",
        ),
        (
            {"kind": "change", "count": 6, "within_s": 3600.0, "values": {}, "since": "2026-03-14T11:30:00Z"},
            "Fault: 6 times in 1 h, for 30 min.",
        ),
        (
            {
                "kind": "forecast",
                "field": "fill",
                "values": {"fill": 79.0},
                "limit": 100.0,
                "since": "2026-03-01T10:00:00Z",
                "reaches_at": "2026-03-21T08:00:00Z",
                "earliest": "2026-03-20T08:00:00Z",
                "latest": "2026-03-21T10:00:00Z",
            },
            "Fault: filter filled 79%, limit 100%, reached 21 Mar (between 20 Mar and 21 Mar).",
        ),
        (
            {"kind": "geofence", "values": {}, "moved_m": 612.3, "since": "2026-03-14T11:58:00Z"},
            "Fault: 612 m from where it was left, for 2 min.",
        ),
    ],
)
def test_staff_read_what_each_kind_found(explanation: Mapping[str, Any], sentence: str) -> None:
    said = staff_sentence({"title": {"en": "Fault"}, **explanation}, "rule", PUMP, NOW)
    assert said.replace("\u00a0", " ").replace("\u202f", " ") == sentence
