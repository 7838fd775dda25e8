"""A firmware is rolled out to freezers all over the country, and some get too warm: a fleet incident to look at."""

import json
import random
from datetime import datetime, timedelta

from device_models.event import Message
from gateway.commands import PutRulesLive, Upsert
from gateway.pipeline.commit import Work
from gateway.store import schema
from rules.detect import Detector
from rules.schema import RuleSet, parse_rules
from tests.gateway.web_fleet import NOW, Town

FLEET = """
rules:
  - id: core-temperature-high
    kind: condition
    profile: freezer
    when: temperature > -11
    for: 10m
    clear_when: temperature < -15
    title: {en: "Your freezer is getting too warm"}
  - id: freezers-of-a-kind-fail
    kind: fleet
    of: [core-temperature-high]
    alike: [model, firmware]
    at_least: 5
    within: 1h
    title: {en: "Freezers of one kind get too warm"}
"""
CITIES = ((52.52, 13.40), (53.55, 10.0), (48.14, 11.58), (50.94, 6.96), (51.34, 12.37))
COUNT = 60
FAILING = 11


def roll_out(made: Town) -> int:
    """Play it; return the case of the incident."""
    chance = random.Random(7)
    put_live(made)
    places = [CITIES[number % len(CITIES)] for number in range(COUNT)]
    records = [
        {
            "id": f"x-{number:02}",
            "profile": "freezer",
            "customer_id": None,
            "name": f"Freezer {number}",
            "model": "Polar 500",
            "firmware": "2.3.0",
            "latitude": latitude + chance.uniform(-0.15, 0.15),
            "longitude": longitude + chance.uniform(-0.2, 0.2),
        }
        for number, (latitude, longitude) in enumerate(places)
    ]
    begins = NOW - timedelta(hours=5)
    made.now = begins
    made.do(Upsert("devices", tuple(records), by="test"))
    failing = {f"x-{number:02}" for number in range(FAILING)}
    for minutes in range(0, 300, 10):
        made.now = begins + timedelta(minutes=minutes)
        if minutes == 60:
            made.do(Upsert("devices", tuple(record | {"firmware": "2.4.0"} for record in records[:25]), by="test"))
        warm = minutes >= 255
        said = {f"x-{n:02}": -8.5 if warm and f"x-{n:02}" in failing else -18.5 for n in range(COUNT)}
        say(made, said, made.now)
    made.now = NOW
    [incident] = made.rows(schema.cases, rule="freezers-of-a-kind-fail")
    return int(incident["id"])


def put_live(made: Town) -> None:
    """Put the rules of this story live beside those that are."""
    rules = parse_rules(FLEET, "fleet.yaml")
    before = made.committer.detector.ruleset
    made.do(PutRulesLive(Detector(RuleSet.of([*before.rules, *rules.rules]), made.deps.profiles), by="Lea"))


def say(made: Town, temperatures: dict[str, float], at: datetime) -> None:
    """Let devices report their temperature at a time."""
    messages = []
    for device_id, celsius in temperatures.items():
        made.sequence += 1
        body = json.dumps({"temperature": celsius, "ts": at.timestamp()}).encode()
        messages.append(Message(f"devices/{device_id}/status", body, at, made.sequence))
    made.committer.run(Work(messages=messages, last_sequence=made.sequence, ticks_until=at), at)
