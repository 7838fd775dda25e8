"""A committer over a real store, fed with messages by hand: the pipeline without a broker."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from device_models.event import Message
from device_models.profile import GENERIC, DeviceProfile
from gateway.commands import Command, Upsert
from gateway.config import Config
from gateway.decoders import Decode, build_dispatcher
from gateway.people.registry import load_registry
from gateway.pipeline.commit import Committer, Outcome, Work
from gateway.store.store import Store
from gateway.web.links import LinkSigner
from rules.detect import Detector
from rules.schema import merge_rules
from rules.spatial_index import ShopIndex

NATIVE = build_dispatcher({}).decode
T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)

FREEZER = DeviceProfile.model_validate(
    {
        "name": "freezer",
        "title": "freezer",
        "reporting_interval": "5m",
        "fields": {"temperature": {"title": "Temperature", "unit": "Cel"}},
        "maintenance": {"cleaning": {"title": "cleaning", "every": "180d", "notice": "14d"}},
    }
)
TOO_WARM = """
rules:
  - id: freezer-too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    for: 10m
    clear_when: temperature < -15
    title: {en: "is too warm", de: "ist zu warm"}
"""
ANA = {"id": "ana", "name": "Ana Souza", "locale": "pt-BR", "email": "ana@example.com"}
F1 = {"id": "f1", "profile": "freezer", "customer_id": "ana", "name": "Garage freezer"}


@dataclass
class Gateway:
    """The one writer, driven step by step."""

    committer: Committer
    store: Store
    now: datetime = T0
    sequence: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

    def publish(self, topic: str, payload: Any, at: datetime | None = None) -> Outcome:
        """Commit one message that arrives ``at``."""
        self.now = at or self.now
        self.sequence += 1
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.deliver([Message(topic, body, self.now, self.sequence)])

    def deliver(self, messages: Sequence[Message]) -> Outcome:
        """Commit some messages as one batch, whatever their sequences."""
        work = Work(messages=messages, last_sequence=max(m.sequence for m in messages))
        outcome = self.committer.run(work, self.now)
        self.outcomes.append(outcome)
        return outcome

    def temperature(self, celsius: float, minutes: float) -> Outcome:
        """Freezer f1 reports, ``minutes`` after T0."""
        at = T0 + timedelta(minutes=minutes)
        return self.publish("devices/f1/status", {"temperature": celsius, "ts": at.timestamp()}, at)

    def tick(self, minutes: float) -> Outcome:
        """Let timers act that are due by ``minutes`` after T0."""
        self.now = T0 + timedelta(minutes=minutes)
        return self.committer.run(Work(ticks_until=self.now), self.now)

    def submit(self, command: Command) -> Any:
        """Run one command; raises what it was refused with."""
        result = self.committer.run(Work(commands=[command]), self.now).results[0]
        if isinstance(result, BaseException):
            raise result
        return result

    def rows(self, table: sa.Table, **where: Any) -> list[sa.RowMapping]:
        """Read rows in the order of their ids."""
        query = sa.select(table).order_by(*table.primary_key)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        with self.store.read() as connection:
            return list(connection.execute(query).mappings().all())


@contextmanager
def gateway(
    url: str,
    tmp_path: Path,
    rules: str = TOO_WARM,
    records: bool = True,
    now: datetime = T0,
    decode: Decode = NATIVE,
    **config: Any,
) -> Iterator[Gateway]:
    """Open a committer on the store at ``url``; an ``auto`` gateway that mails, unless ``config`` says otherwise."""
    notifiers = {"mode": "auto", "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}}
    settings = Config.model_validate({"data_dir": tmp_path, "notifiers": notifiers, **config})
    make_tables(url)
    store = Store(url)
    with store.read() as connection:
        registry = load_registry(connection)
    profiles = {GENERIC.name: GENERIC, FREEZER.name: FREEZER}
    detector = Detector(merge_rules([(rules, "rules.yaml")]), profiles, ShopIndex(registry.shops.values()))
    links = LinkSigner({"1": "k" * 32}, "1", lambda: T0, "http://127.0.0.1:8080")
    committer = Committer(store, decode, detector, profiles, registry, settings, links, random.Random(1))
    committer.open(now)
    made = Gateway(committer, store, now, sequence=committer.sequence)
    try:
        if records:
            made.submit(Upsert("customers", (ANA,), by="test"))
            made.submit(Upsert("devices", (F1,), by="test"))
        yield made
    finally:
        store.close()


def make_tables(url: str) -> None:
    """Put a migrated database where there is none yet: migrating takes longer than most tests."""
    database = sa.make_url(url).database
    if url.startswith("sqlite") and database and not Path(database).exists():
        Path(database).write_bytes(_migrated())


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "gateway.sqlite"
        Store(f"sqlite:///{file}").close()
        return file.read_bytes()
