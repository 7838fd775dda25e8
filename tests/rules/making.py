"""Short ways to make rules, profiles and events for the tests of detection."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from textwrap import indent

from device_models.event import Event, EventKind, TimeSource, Value
from device_models.profile import DeviceProfile, ErrorCode, FieldSpec, ServicePlan
from device_models.purpose import Purpose, Severity
from device_models.registry import Device
from rules.detect import Detector
from rules.evaluator import Fact
from rules.inputs import DeviceContext, Input
from rules.schema import RuleSet, parse_rules
from rules.state import DeviceState
from rules.transition import Transition

T0 = datetime(2026, 3, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

FREEZER = DeviceProfile(
    name="freezer",
    title={"en": "freezer"},
    reporting_interval=timedelta(minutes=5),
    fields={
        "temperature": FieldSpec(
            title={"en": "Temperature"}, unit="Cel", minimum=-60, maximum=60, aliases=("DS18B20-1.Temperature",)
        ),
        "door_open": FieldSpec(title={"en": "Door"}, type="bool"),
        "state": FieldSpec(title={"en": "State"}, type="text"),
        "power": FieldSpec(title={"en": "Power"}, unit="W"),
        "code": FieldSpec(title={"en": "Code"}),
        "running_hours": FieldSpec(title={"en": "Running hours"}, unit="h"),
    },
    errors={
        "E5": ErrorCode(
            title={"en": "Sensor fault"}, severity=Severity.CRITICAL, purpose=Purpose.SAFETY, advice={"en": "Call us."}
        ),
        "17": ErrorCode(title={"en": "Fan blocked"}, severity=Severity.MINOR),
        "3": ErrorCode(title={"en": "Bit three"}),
    },
    maintenance={
        "seal": ServicePlan(title={"en": "Check the seal"}, every=timedelta(days=365), notice=timedelta(days=14)),
        "filter": ServicePlan(title={"en": "Change the filter"}, every_hours=2000, notice=timedelta(days=14)),
    },
)

TOO_WARM = """
id: too-warm
kind: condition
profile: freezer
when: temperature > -12
for: 10m
clear_when: temperature < -15
"""


def ruleset(*rules: str) -> RuleSet:
    """Parse rules written as YAML mappings."""
    items = "".join("  -\n" + indent(rule.strip("\n"), "    ") + "\n" for rule in rules)
    return parse_rules(f"rules:\n{items}", "rules.yaml")


def detector(*rules: str, profile: DeviceProfile = FREEZER) -> Detector:
    """Make a detector for one profile."""
    return Detector(ruleset(*rules), {profile.name: profile})


def context(device_id: str = "f1", profile: DeviceProfile = FREEZER, **more: object) -> DeviceContext:
    """Make a device of a profile."""
    return DeviceContext(Device(id=device_id, profile=profile.name), profile, **more)  # type: ignore[arg-type]


def at(minutes: float) -> datetime:
    """Return the time so many minutes into the test."""
    return T0 + minutes * MINUTE


def status(
    minutes: float,
    values: Mapping[str, Value],
    *,
    arrives: float | None = None,
    kind: EventKind = EventKind.STATUS,
    clock: TimeSource = TimeSource.DEVICE,
    retained: bool = False,
    units: Mapping[str, str] | None = None,
    device_id: str = "f1",
) -> Event:
    """Make an event observed at a minute, arriving at the same one unless told otherwise."""
    received = minutes if arrives is None else arrives
    return Event(
        device_id, kind, at(minutes), at(received), clock, "native", dict(values), dict(units or {}), None, retained
    )


def temperature(minutes: float, value: Value, **more: object) -> Event:
    """Make a status with only a temperature."""
    return status(minutes, {"temperature": value}, **more)  # type: ignore[arg-type]


def facts_of(
    made: Detector, items: Iterable[Input], until: float | None = None, device: DeviceContext | None = None
) -> list[Fact]:
    """Run inputs through a fresh device, restoring the state from JSON after every single one."""
    device = device or context()
    state, facts = DeviceState(), []
    for item in items:
        state, found = made.run(device, state, [item])
        state = DeviceState.from_json(json.loads(json.dumps(state.to_json())))
        facts += found
    if until is not None:
        facts += made.advance(device, state, at(until))[1]
    return facts


def told(facts: Iterable[Fact]) -> list[tuple[str, str, float]]:
    """Return (fault or rule, state, minute) of each transition."""
    return [
        (fact.fault or fact.rule, fact.state.value, (fact.at - T0) / MINUTE)
        for fact in facts
        if isinstance(fact, Transition)
    ]
