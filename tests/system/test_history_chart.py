"""From ``mosquitto_pub`` through a whole gateway into InfluxDB 1.6, and back out as the chart of a case."""

import asyncio
import json
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.history_servers import influxd, influxql, v2_proxy
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for

RULES = """
rules:
  - id: freezer-too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    for: 10m
    clear_when: temperature < -15
    title: {en: "is too warm"}
"""
STORY = ((20, -18.0), (15, -9.5), (10, -8.75), (4, -8.25))
"""(minutes ago, °C)"""
CELSIUS = [celsius for _, celsius in STORY]


async def test_the_samples_of_a_case_go_through_influxdb_client_to_influxdb_and_into_its_chart(tmp_path: Path) -> None:
    with influxd(tmp_path / "influxd") as url, MailServer() as mail:
        influxql(url, "CREATE DATABASE devices")
        async with v2_proxy(url) as proxy:
            history = f'[history]\nurl = "{proxy}"\nbucket = "devices"\nquery = "influxql"'
            await asyncio.to_thread(_play, GatewayProcess(tmp_path, mail, RULES, history))
        # The gateway kept no sample of its own: what InfluxDB has is what the chart was drawn from.
        assert not (tmp_path / "data/history.sqlite").exists()
        assert CELSIUS in _columns(url)


def _play(gateway: GatewayProcess) -> None:
    with gateway:
        gateway.register(devices=[{"id": "freezer-1", "profile": "freezer", "name": "Garage freezer"}])
        now = time.time()
        for minutes_ago, celsius in STORY:
            gateway.publish("devices/freezer-1/status", {"temperature": celsius, "ts": now - 60 * minutes_ago})
        [case] = wait_for(lambda: gateway.rows("SELECT id FROM cases"), "the case")

        def values() -> Any:
            series = gateway.api(f"/api/cases/{case['id']}")["evidence"]["series"]
            return series and series["values"]

        wait_for(lambda: values() == CELSIUS, "the samples in the case's evidence")
        status = gateway.api("/api/status")["history"]
        assert status["ok"]
        assert "InfluxDB" in status["detail"]


def _columns(url: str) -> list[list[Any]]:
    """All columns that InfluxDB itself shows of the freezer."""
    query = urllib.parse.urlencode({"db": "devices", "q": "SELECT * FROM /.*/ WHERE device_id = 'freezer-1'"})
    with urllib.request.urlopen(f"{url}/query?{query}", timeout=10) as answer:  # noqa: S310 - loopback
        [result] = json.load(answer)["results"]
    return [list(column) for series in result["series"] for column in zip(*series["values"], strict=True)]
