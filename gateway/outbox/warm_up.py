"""Rendering before it counts: the first message compiles templates and reads CLDR, which takes as long as a hundred."""

from datetime import UTC, datetime

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from notifiers.message import Brand, Links
from notifiers.wording.render import render

_NOBODY = Customer(id="nobody", name="Nobody")


def warm_up() -> None:
    """Render one message for nobody. Otherwise the first hand-over would hold up its commit, and all behind it."""
    facts = {
        "title": {"en": "is too warm"},
        "advice": {"en": "Close the door."},
        "device": {"name": None, "product": {"en": "device"}},
        "values": {"temperature": -8.0},
        "units": {"temperature": "Cel"},
        "labels": {"temperature": {"en": "Temperature"}},
        "decimals": {},
        "severity": Severity.MAJOR.value,
        "purpose": Purpose.FAULT.value,
        "since": "2000-01-01T00:00:00Z",
        "case_id": 0,
    }
    for channel in ("email", "sms"):
        links = Links("https://example.com/", "https://example.com/", "https://example.com/")
        brand = Brand("", "", "https://example.com")
        render("fault_opened", _NOBODY, facts, channel, brand, links, datetime(2000, 1, 1, tzinfo=UTC))
