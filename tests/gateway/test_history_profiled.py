"""Which events are samples, and whose positions are kept."""

from datetime import UTC, datetime

import pytest

from device_models.event import Event, EventKind, Position, TimeSource
from device_models.profile import DeviceProfile, PositionOf
from device_models.registry import Customer, Device
from gateway.history.profiled import Sampler
from gateway.people.registry import Registry

NOW = datetime(2026, 3, 1, tzinfo=UTC)
BIKE = DeviceProfile(name="bike", title={"en": "bike"}, position_of=PositionOf.THING)
PHONE = DeviceProfile(name="phone", title={"en": "phone"}, position_of=PositionOf.PERSON)
HERE = Position(52.5, 13.4)


def sampler(*, agreed: bool) -> Sampler:
    registry = Registry()
    registry.customers["ana"] = Customer(id="ana", name="Ana", consents=["offer"] if agreed else [])
    for profile in (BIKE, PHONE):
        registry.devices[profile.name] = Device(id=profile.name, profile=profile.name, customer_id="ana")
    return Sampler(registry, {profile.name: profile for profile in (BIKE, PHONE)})


def said(
    device: str, position: Position | None = None, source: TimeSource = TimeSource.DEVICE, *, retained: bool = False
) -> Event:
    return Event(device, EventKind.STATUS, NOW, NOW, source, "native", {"n": 1}, {}, position, retained)


def test_only_a_things_position_is_kept_and_only_where_its_owner_agreed() -> None:
    kept = {
        (device, agreed): (made := sampler(agreed=agreed)(said(device, HERE))) and made.position
        for device in ("bike", "phone")
        for agreed in (True, False)
    }
    assert kept == {("bike", True): HERE, ("bike", False): None, ("phone", True): None, ("phone", False): None}


def test_what_nobody_registered_says_is_no_sample() -> None:
    assert sampler(agreed=True)(said("stranger")) is None


@pytest.mark.parametrize(("source", "kept"), [(TimeSource.DEVICE, True), (TimeSource.ARRIVAL, False)])
def test_a_retained_message_is_a_sample_only_at_the_time_its_device_gave(source: TimeSource, *, kept: bool) -> None:
    assert (sampler(agreed=True)(said("bike", source=source, retained=True)) is not None) == kept
