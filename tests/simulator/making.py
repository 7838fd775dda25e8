"""Small scenarios for the tests of the simulator."""

from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

from simulator.fleet import Fleet
from simulator.scenario import Scenario
from simulator.truth import TruthLog

START = datetime(2026, 11, 24, 13, 30, tzinfo=UTC)
"""A Tuesday, 14:30 in Berlin."""

_PLAY: dict[str, Any] = {
    "name": "small",
    "title": "A freezer, a heat pump, an e-bike, a phone",
    "starts_at": "14:30",
    "duration": "6h",
    "city": {
        "name": "Seestadt",
        "latitude": 52.505,
        "longitude": 13.39,
        "timezone": "Europe/Berlin",
        "country": "DE",
        "columns": 12,
        "rows": 10,
        "block_m": 160,
    },
    "customers": [
        {
            "id": "lena",
            "name": "Lena Hofmann",
            "country": "DE",
            "locale": "de",
            "timezone": "Europe/Berlin",
            "email": "lena.hofmann@example.com",
            "consents": ["offer"],
        },
        {"id": "jonas", "name": "Jonas Keller", "timezone": "Europe/Berlin", "email": "jonas.keller@example.com"},
    ],
    "sites": [
        {"id": "lena-home", "customer": "lena", "corner": [2, 2.5]},
        {"id": "jonas-home", "customer": "jonas", "corner": [9, 7.5]},
    ],
    "freezers": [
        {"id": "freezer-01", "name": "Kellerfrost", "site": "lena-home", "model": "N200"},
        {"id": "freezer-02", "name": "Vorrat", "site": "jonas-home", "model": "N200"},
        {"id": "plug-01", "name": "Altgerät", "site": "lena-home", "model": "N120", "says": "tasmota"},
        {"id": "sensor-01", "name": "Torten", "site": "jonas-home", "model": "N160", "says": "zigbee2mqtt"},
    ],
    "heat_pumps": [{"id": "heatpump-01", "name": "Wärmepumpe", "site": "lena-home", "model": "A8"}],
    "bikes": [{"id": "bike-01", "name": "Rad", "site": "lena-home", "model": "V1", "shifts": [[14.75, 15.5]]}],
    "phones": [{"customer": "lena", "home": [2, 2.5]}, {"customer": "jonas", "home": [9, 7.5]}],
    "shops": [
        {"id": "nord", "name": "Nord", "corner": [6.1, 5.5], "opening_hours": "Mo-Su 09:00-20:00"},
        {"id": "markt", "name": "Markt", "corner": [10.1, 1.5], "opening_hours": "Mo-Fr 05:00-13:00"},
    ],
    "offers": [{"id": "ice", "title": "Ice packs", "text": "Two.", "profiles": ["freezer"], "occasion": "accessory"}],
}


def scenario(**changes: Any) -> Scenario:
    """Return the small scenario with top-level fields replaced."""
    return Scenario.parse(yaml.safe_dump({**_PLAY, **changes}), "small")


def fleet(seed: int = 1, **changes: Any) -> Fleet:
    """Return it being played."""
    return Fleet(scenario(**changes), seed, START, TruthLog())


def after(**duration: float) -> datetime:
    """Return a time after the start."""
    return START + timedelta(**duration)
