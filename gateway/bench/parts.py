"""Single steps of the pipeline, in this process alone: decoding, detection, a fix among many shops."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from device_models.event import Event, Message, Rejection
from device_models.registry import Device, Shop
from gateway.bench.fleet import Fleet, device_id
from gateway.config import Config
from gateway.decoders import build_dispatcher
from gateway.rulebook.files import load_profiles
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.kinds.geofence import GeofenceRule
from rules.schema import RuleSet, merge_rules
from rules.spatial_index import ShopIndex
from rules.state import DeviceState

_DEVICES = 100
_FIELDS = ("temperature", "ambient_temperature", "compressor_current", "humidity", "rssi")


def decode_us(count: int) -> float:
    """Microseconds to decode one native status."""
    messages = _messages(count)
    decode = build_dispatcher({}).decode

    def run() -> None:
        for message in messages:
            decode(message)

    return _per_item_us(run, count)


def detect_us(rules: int, touched: int, count: int) -> float:
    """Microseconds to take one status into a device's state under ``rules`` conditions, ``touched`` of which it wakes.

    Each rule reads one field and holds for a time; the limits lie about, so that some are always pending or firing.
    """
    profiles = load_profiles(Config())
    lines = ["rules:"]
    for index in range(rules):
        field = _FIELDS[index % len(_FIELDS)] if index < touched else f"other_{index}"
        lines.append(f"  - {{id: r{index}, kind: condition, profile: freezer, for: 10m, when: {field} > {index - 20}}}")
    detector = Detector(merge_rules([("\n".join(lines), "bench.yaml")]), profiles)
    contexts = [DeviceContext(Device(id=device_id(i), profile="freezer"), profiles["freezer"]) for i in range(_DEVICES)]
    states = [DeviceState()] * _DEVICES
    events = _events(count)

    def run() -> None:
        for index, event in enumerate(events):
            device = index % _DEVICES
            states[device], _ = detector.detect(contexts[device], states[device], event)

    return _per_item_us(run, count)


def fix_us(shops: int, count: int) -> float:
    """Microseconds to hold one OwnTracks fix against ``shops`` spread over Germany, under one proximity rule."""
    chance = random.Random(1)  # noqa: S311 - places, no secret
    index = ShopIndex(
        Shop(id=f"s{n}", name="Shop", latitude=chance.uniform(47.5, 54.8), longitude=chance.uniform(6.0, 15.0))
        for n in range(shops)
    )
    profiles = load_profiles(Config())
    return _fixes_us(
        Detector(merge_rules([("rules: [{id: near, kind: proximity}]", "bench.yaml")]), profiles, index), chance, count
    )


def zone_us(zones: int, count: int) -> float:
    """Microseconds to hold one OwnTracks fix against ``zones`` circles over Germany, all of one geofence rule."""
    chance = random.Random(1)  # noqa: S311 - places, no secret
    spots = [
        {"id": f"z{n}", "circle": {"latitude": latitude, "longitude": longitude, "radius_m": 300.0}}
        for n, (latitude, longitude) in enumerate(_somewhere(chance) for _ in range(zones))
    ]
    rule = GeofenceRule.model_validate({"id": "zones", "on": "enter", "zones": spots})
    return _fixes_us(Detector(RuleSet.of([rule]), load_profiles(Config())), chance, count)


def _fixes_us(detector: Detector, chance: random.Random, count: int) -> float:
    """Walk with phones across Germany, a fix each 30 s."""
    phone = load_profiles(Config())["phone"]
    contexts = [
        DeviceContext(Device(id=device_id(i), profile="phone"), phone, location_consent=True) for i in range(_DEVICES)
    ]
    states = [DeviceState()] * _DEVICES
    decode = build_dispatcher({}).decode
    at = datetime.now(UTC) - timedelta(days=1)
    where = [_somewhere(chance) for _ in range(_DEVICES)]
    events: list[Event] = []
    for number in range(count):
        turn, device = divmod(number, _DEVICES)
        where[device] = (where[device][0] + chance.gauss(0, 3e-4), where[device][1] + chance.gauss(0, 3e-4))
        seen = at + timedelta(seconds=30 * turn)
        latitude, longitude = where[device]
        payload = (
            f'{{"_type":"location","lat":{latitude:.6f},"lon":{longitude:.6f},"acc":10,"tst":{int(seen.timestamp())}}}'
        )
        decoded = decode(Message(f"owntracks/u/{device_id(device)}", payload.encode(), seen))
        if not isinstance(decoded, Rejection):
            events.extend(decoded.events)

    def run() -> None:
        for number, event in enumerate(events):
            device = number % _DEVICES
            states[device], _ = detector.detect(contexts[device], states[device], event)

    return _per_item_us(run, count)


def _somewhere(chance: random.Random) -> tuple[float, float]:
    return chance.uniform(47.5, 54.8), chance.uniform(6.0, 15.0)


def _messages(count: int) -> list[Message]:
    at = datetime.now(UTC)
    fleet = Fleet(_DEVICES, at.timestamp() - 86_400)
    return [Message(fleet.topic(n), fleet.payload(n), at, n + 1) for n in range(count)]


def _events(count: int) -> list[Event]:
    decode = build_dispatcher({}).decode
    answers = [decode(message) for message in _messages(count)]
    return [event for answer in answers if not isinstance(answer, Rejection) for event in answer.events]


def _per_item_us(run: Callable[[], None], items: int) -> float:
    began = time.process_time()
    run()
    return 1e6 * (time.process_time() - began) / items
