"""A town of devices over a real store: their messages go through the real committer, the web reads the outcome."""

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from types import CodeType
from typing import Any

import sqlalchemy as sa
from aiohttp import web
from jinja2.bccache import Bucket, BytecodeCache
from prometheus_client import CollectorRegistry

from device_models.event import Message
from device_models.profile import DeviceProfile
from device_models.purpose import Purpose
from gateway.cases.self_help import help_of_case
from gateway.clock import Clock
from gateway.commands import (
    Acknowledge,
    AddNote,
    Approve,
    Command,
    CustomerWrote,
    HandOver,
    ReceiptArrived,
    Reply,
    SaveApiToken,
    SaveUser,
    Sent,
    Upsert,
)
from gateway.config import Config
from gateway.decoders import build_dispatcher
from gateway.history import Sample
from gateway.history.embedded import EmbeddedHistory
from gateway.live import LiveFeed
from gateway.outbox.opening import opening_line
from gateway.outbox.preview import preview
from gateway.outbox.transports import make_callback_readers
from gateway.people.registry import Registry, load_registry
from gateway.pipeline.commit import Committer, Outcome, Work
from gateway.pipeline.explaining import explain_device
from gateway.rulebook.desk import RuleDesk
from gateway.rulebook.explaining import explain_past
from gateway.rulebook.files import load_profiles, load_rules
from gateway.store import schema
from gateway.store.store import Store
from gateway.texts.desk import TextDesk
from gateway.web.app import create_app
from gateway.web.auth import hash_password, token_hash
from gateway.web.deps import BreakOption, WebDeps
from gateway.web.links import LinkSigner
from gateway.web.render import ENVIRONMENT
from notifiers.errors import TryLater
from notifiers.message import Rendered
from rules.detect import Detector
from rules.schema import RuleSet
from rules.spatial_index import ShopIndex
from tests.gateway.making import make_tables

NOW = datetime(2026, 3, 2, 13, 20, tzinfo=UTC)
BEGINS = NOW - timedelta(hours=6)
STEP = timedelta(minutes=5)
PASSWORD = "correct horse battery"
TOKENS = {
    "viewer": "token-of-a-viewer",
    "agent": "token-of-an-agent",
    "lead": "token-of-a-lead",
    "admin": "token-of-an-admin",
}
USERS = {"Vera": "viewer", "Mia": "agent", "Ben": "agent", "Lea": "lead", "Ada": "admin"}
TWILIO_TOKEN = "twilio-auth-token-of-the-tests"
# One hash for all: argon2 is slow on purpose.
_HASH = hash_password(PASSWORD)

Values = Mapping[str, Any]
Course = Callable[[float], Values | None]
"""Minutes before NOW → what the device says; None: it says nothing."""


class _Compiled(BytecodeCache):
    """The pages' templates, compiled once in a test process and not again for each town."""

    def __init__(self) -> None:
        self._codes: dict[str, CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill a template's bucket; its key and checksum are of its name, file and source."""
        bucket.code = self._codes.get(bucket.key + bucket.checksum)

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what was compiled."""
        if bucket.code is not None:
            self._codes[bucket.key + bucket.checksum] = bucket.code


_COMPILED = _Compiled()


@dataclass
class Town:
    """Everything the web is given, real but for the broker."""

    store: Store
    committer: Committer
    registry: Registry
    history: EmbeddedHistory
    deps: WebDeps
    live: LiveFeed
    config: Config
    now: datetime = NOW
    sequence: int = 0
    broken: list[tuple[str, str]] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """There is one writer, and it does one thing after the other."""
    sent: list[tuple[str, str, Rendered]] = field(default_factory=list)
    """Texts that somebody sent to themselves: (channel, address, message)."""

    def app(self) -> web.Application:
        """Make the application."""
        made = create_app(self.deps)
        made[ENVIRONMENT].bytecode_cache = _COMPILED
        return made

    def do(self, command: Command) -> Any:
        """Run one command now; raises what it was refused with."""
        outcome = self.committer.run(Work(commands=[command]), self.now)
        return _result(outcome)

    async def submit(self, command: Command) -> Any:
        """Run one command as the pipeline does: in its own thread, and tell the live feed afterwards."""
        async with self.turn:
            outcome = await asyncio.to_thread(self.committer.run, Work(commands=[command]), self.now)
        self.live.publish(outcome.changes)
        return _result(outcome)

    async def publish(self, topic: str, payload: object, at: datetime | None = None) -> Outcome:
        """Deliver one message as if it had come over MQTT."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.sequence += 1
        message = Message(topic, body, at or self.now, self.sequence)
        work = Work(messages=[message], last_sequence=self.sequence)
        async with self.turn:
            outcome = await asyncio.to_thread(self.committer.run, work, at or self.now)
        self.live.publish(outcome.changes)
        return outcome

    def rows(self, table: sa.Table, **where: Any) -> list[sa.RowMapping]:
        """Read rows in the order of their ids."""
        query = sa.select(table).order_by(*table.primary_key)
        for name, value in where.items():
            query = query.where(table.c[name] == value)
        with self.store.read() as connection:
            return list(connection.execute(query).mappings())

    def case_of(self, device_id: str, rule: str | None = None) -> sa.RowMapping:
        """Return the newest case of a device."""
        where = {"device_id": device_id, **({"rule": rule} if rule else {})}
        return self.rows(schema.cases, **where)[-1]

    def send(self, notification_id: int, *receipts: str) -> None:
        """Hand a queued message over to a provider that takes it and reports ``receipts``."""
        self.do(HandOver(notification_id))
        self.do(Sent(notification_id, "twilio", f"SM{notification_id:032d}"))
        for state in receipts:
            self.do(ReceiptArrived("twilio", f"SM{notification_id:032d}", state))

    def run(self, courses: Mapping[str, Course], begins: datetime, ends: datetime) -> list[Sample]:
        """Let devices speak every five minutes and timers act; return the samples for the history."""
        samples: list[Sample] = []
        at = begins
        while at <= ends:
            minutes = (NOW - at) / timedelta(minutes=1)
            messages = []
            for device_id, course in courses.items():
                values = course(minutes)
                if values is None:
                    continue
                self.sequence += 1
                body = json.dumps({**values, "ts": at.timestamp()}).encode()
                messages.append(Message(f"devices/{device_id}/status", body, at, self.sequence))
                samples.append(Sample(device_id, at, values))
            self.committer.run(Work(messages=messages, last_sequence=self.sequence, ticks_until=at), at)
            at += STEP
        return samples


class Demo:
    """A hand on a world that is not simulated here: it remembers what it was asked to break."""

    def __init__(self) -> None:
        """Begin whole."""
        self.acts: list[tuple[str, str]] = []

    def options(self) -> Sequence[BreakOption]:
        """What can be broken."""
        freezers = (("f-lumen", "Ice cream freezer, Café Lumen"), ("f-souza", "Garage freezer, Ana Souza"))
        return (
            BreakOption(
                "door", "Leave the door open", "Warm air flows in; the compressor runs and cannot win.", freezers
            ),
            BreakOption("unplug", "Pull the plug", "The device falls silent; its last will is published.", freezers),
            BreakOption("seal", "Wear the seal", "Cold leaks out a little at a time, for days.", freezers),
            BreakOption(
                "walk", "Walk past a shop", "A customer who agreed to offers strolls by.", (("p-yusuf", "Yusuf"),)
            ),
        )

    async def act(self, option: str, target: str) -> str:
        """Note it."""
        if not any(o.id == option and target in dict(o.targets) for o in self.options()):
            raise ValueError(f"There is no {option} to be done to {target}.")
        self.acts.append((option, target))
        return "Done."

    def story(self) -> Mapping[str, Any]:
        """One fault from topic to phone."""

        def at(minutes: int) -> datetime:
            return NOW - timedelta(minutes=minutes)

        return {
            "title": "Leave the door open · Ice cream freezer, Café Lumen",
            "entries": [
                {"at": at(41), "kind": "physics", "text": "The door stays open; 21 °C air flows in."},
                {
                    "at": at(40),
                    "kind": "MQTT",
                    "text": 'devices/f-lumen/status {"temperature": -17.1, "door_open": true}',
                },
                {"at": at(25), "kind": "rule", "text": "freezer-door-open fires: open for 15 minutes."},
                {"at": at(25), "kind": "case", "text": "The case opens itself.", "href": "/cases/1"},
                {"at": at(24), "kind": "message", "text": "WhatsApp to Café Lumen, in German."},
                {"at": at(23), "kind": "phone", "text": "Read on the phone."},
            ],
            "unwarned": "spoiled at 18:40. Told at 12:56, 5 h 44 min before the harm.",
        }


@asynccontextmanager
async def town(
    folder: Path, *, demo: bool = False, tiles_url: str | None = None, empty: bool = False, **config: Any
) -> AsyncIterator[Town]:
    """Open a town in ``folder``; ``empty`` leaves it without people, devices and history."""
    settings = Config.model_validate(
        {
            "data_dir": folder,
            "store": {"url": f"sqlite:///{folder / 'store.sqlite'}"},
            "brand": {"name": "Nordkälte", "support_name": "the Nordkälte team"},
            "notifiers": {
                "mode": "approve",
                "email": {"url": "smtp://127.0.0.1:1", "sender": "help@nordkaelte.example"},
                "twilio": {
                    "account": "AC1",
                    "token": TWILIO_TOKEN,
                    "sender": "+4930123456",
                    "whatsapp_sender": "+4930123456",
                },
            },
            **config,
        }
    )
    make_tables(settings.store_url)
    store = Store(settings.store_url)
    with store.read() as connection:
        registry = load_registry(connection)
    profiles, live = _profiles(settings), LiveFeed()
    detector = Detector(_rules(settings), profiles, ShopIndex(()))
    # It all but stands still: a test must not depend on how long it takes.
    clock = Clock(start=NOW, anchor=datetime.now(UTC), speed=1e-6)
    links = LinkSigner({"1": "k" * 32}, "1", clock.now, "http://127.0.0.1:8080")
    committer = Committer(
        store, build_dispatcher({}).decode, detector, profiles, registry, settings, links, random.Random(1)
    )
    # Silence counts from when the gateway began to listen.
    committer.open(NOW if registry.devices or empty else BEGINS)
    history = await EmbeddedHistory.open(folder / "history.sqlite", 10**9)
    made: Town

    async def show(notification_id: int) -> Rendered:
        def rendered() -> Rendered:
            with store.read() as connection:
                return preview(connection, notification_id, registry, settings, links, clock.now())

        return await asyncio.to_thread(rendered)

    async def explain(device_id: str) -> Sequence[Mapping[str, Any]]:
        return await asyncio.to_thread(explain_device, store, committer, registry, profiles, device_id, clock.now())

    async def opening(case_id: int) -> str:
        with store.read() as connection:
            return opening_line(connection, case_id, registry, profiles, settings, clock.now())

    async def send_trial(channel: str, address: str, rendered: Rendered) -> None:
        if address == "nowhere@example.org":
            raise TryLater("smtp", "connection_refused", "the mail server does not answer; it is tried again")
        made.sent.append((channel, address, rendered))

    class Submitting:
        async def submit(self, command: Command) -> Any:
            return await made.submit(command)

    deps = WebDeps(
        store=store,
        commands=Submitting(),
        clock=clock,
        history=history,
        live=live,
        links=links,
        secret="s" * 32,
        public_url="http://127.0.0.1:8080",
        profiles=profiles,
        preview=show,
        explain=explain,
        explain_at=partial(explain_past, store, history, registry, settings, profiles),
        opening=opening,
        helps=partial(help_of_case, settings, registry),
        detector=lambda: committer.detector,
        text_desk=TextDesk(settings, registry, lambda: committer.detector.ruleset, send_trial),
        rule_desk=RuleDesk(
            settings,
            store,
            Submitting(),
            clock,
            registry,
            profiles,
            history,
            lambda: committer.detector,
            committer.context,
        ),
        devices=registry.devices,
        status=lambda: status_of(committer.detector),
        notifiers=settings.notifiers,
        configuration=lambda: settings.in_force,
        brand=settings.brand.name,
        tiles_url=tiles_url,
        simulator=Demo() if demo else None,
        twilio_verify=_twilio_verify,
        callbacks=make_callback_readers(settings),
        metrics=CollectorRegistry(),
    )
    made = Town(store, committer, registry, history, deps, live, settings, sequence=committer.sequence)
    new = not made.rows(schema.users)
    try:
        if new:
            _let_in(made)
        if new and not empty:
            samples = await asyncio.to_thread(_populate, made)
            await history.write(samples, sequence=made.sequence)
        yield made
    finally:
        await history.close()
        store.close()


def _profiles(settings: Config) -> dict[str, DeviceProfile]:
    return dict(_own_profiles()) if settings.profiles == Config().profiles else load_profiles(settings)


@cache
def _own_profiles() -> Mapping[str, DeviceProfile]:
    return load_profiles(Config())


def _rules(settings: Config) -> RuleSet:
    return _own_rules() if settings.rules == Config().rules else load_rules(settings)


@cache
def _own_rules() -> RuleSet:
    return load_rules(Config())


def _let_in(made: Town) -> None:
    for name, role in USERS.items():
        made.do(SaveUser(name, _HASH, role, by="test"))
    for role, token in TOKENS.items():
        made.do(SaveApiToken(token_hash(token), role, role, by="test"))


def status_of(detector: Detector) -> dict[str, Any]:
    """What the service's status says of a healthy installation."""
    return {
        "broker": {"ok": True, "detail": "mqtt://127.0.0.1:1883", "restarts": 0},
        "relay": {"ok": True, "detail": "none configured"},
        "pipeline": {"ok": True, "detail": "committed up to 4812", "sequence": 4812, "behind": 0},
        "history": {"ok": True, "detail": "embedded, 3.1 MB", "behind": 0},
        "intake": {
            "ok": True,
            "detail": "42.5 events/s over the last minute",
            "events_per_second": 42.5,
            "rejected_per_second": 0.1,
            "slowest_commit_s": 0.031,
        },
        "storage": {
            "ok": True,
            "detail": "room enough",
            "database_bytes": 18_400_000,
            "log_bytes": 310_000_000,
            "log_limit_bytes": 6_000_000_000,
            "free_bytes": 210_000_000_000,
        },
        "rules": {
            "ok": True,
            "digest": detector.version,
            "errors": [],
            "live": [
                {
                    "id": rule.id,
                    "kind": rule.kind,
                    "profile": ", ".join(rule.profile),
                    "severity": rule.severity.value,
                    "purpose": rule.purpose.value,
                    "title": rule.title.get("en", ""),
                    "when": getattr(rule, "when", None),
                    "shadow": rule.shadow,
                }
                for rule in detector.ruleset.rules
            ],
        },
    }


def _result(outcome: Outcome) -> Any:
    result = outcome.results[0]
    if isinstance(result, BaseException):
        raise result
    return result


def _twilio_verify(url: str, form: Sequence[tuple[str, str]], signature: str) -> bool:
    from notifiers.transports.twilio_callbacks import verify_signature

    return verify_signature(TWILIO_TOKEN, url, form, signature)


CUSTOMERS: tuple[dict[str, Any], ...] = (
    {
        "id": "c-lumen",
        "name": "Café Lumen",
        "country": "DE",
        "locale": "de",
        "timezone": "Europe/Berlin",
        "email": "hallo@lumen.example",
        "phone": "+491512345671",
        "addresses": {"whatsapp": "+491512345671"},
        "preferred_channel": "whatsapp",
        "consents": ["offer"],
    },
    {
        "id": "c-souza",
        "name": "Ana Souza",
        "country": "BR",
        "locale": "pt-BR",
        "timezone": "America/Sao_Paulo",
        "email": "ana@souza.example",
        "phone": "+5511912345678",
        "addresses": {"whatsapp": "+5511912345678"},
    },
    {
        "id": "c-yusuf",
        "name": "يوسف المنصوري",
        "country": "AE",
        "locale": "ar-AE",
        "timezone": "Asia/Dubai",
        "phone": "+971501234567",
        "email": "yusuf@mansoori.example",
        "quiet_hours": "22:00-07:00",
        "consents": ["offer"],
    },
    {
        "id": "c-meier",
        "name": "Jonas Meier",
        "country": "DE",
        "locale": "de",
        "timezone": "Europe/Berlin",
        "email": "jonas@meier.example",
    },
    {
        "id": "c-tanaka",
        "name": "Keiko Tanaka",
        "country": "JP",
        "locale": "ja",
        "timezone": "Asia/Tokyo",
        "email": "keiko@tanaka.example",
    },
    {
        "id": "c-brown",
        "name": "Grace Brown",
        "country": "GB",
        "locale": "en-GB",
        "timezone": "Europe/London",
        "email": "grace@brown.example",
        "phone": "+447400123456",
        "objections": ["maintenance"],
    },
    {
        "id": "c-hotel",
        "name": "Hotel am Ufer",
        "country": "DE",
        "locale": "de",
        "timezone": "Europe/Berlin",
        "email": "technik@hotel-am-ufer.example",
    },
    {
        "id": "c-ruiz",
        "name": "Marta Ruiz",
        "country": "ES",
        "locale": "es",
        "timezone": "Europe/Madrid",
        "email": "marta@ruiz.example",
        "phone": "+34612345678",
    },
)
DEVICES: tuple[tuple[str, str, str, str, str, float, float], ...] = (
    ("f-lumen", "freezer", "c-lumen", "Ice cream freezer", "Café Lumen", 52.5006, 13.4246),
    ("f-souza", "freezer", "c-souza", "Garage freezer", "Neukölln", 52.4811, 13.4353),
    ("f-yusuf", "freezer", "c-yusuf", "مجمد المطبخ", "Charlottenburg", 52.5163, 13.3041),
    ("f-meier", "freezer", "c-meier", "Keller", "Pankow", 52.5693, 13.4015),
    ("f-brown", "freezer", "c-brown", "Chest freezer", "Kreuzberg", 52.4986, 13.3918),
    ("f-ruiz", "freezer", "c-ruiz", "Congelador", "Mitte", 52.5231, 13.4111),
    ("f-tanaka", "freezer", "c-tanaka", "Kitchen freezer", "Schöneberg", 52.4826, 13.3559),
    ("f-hotel-1", "freezer", "c-hotel", "Cold store 1", "Hotel am Ufer", 52.5122, 13.4418),
    ("f-hotel-2", "freezer", "c-hotel", "Cold store 2", "Hotel am Ufer", 52.5124, 13.4421),
    ("f-hotel-3", "freezer", "c-hotel", "Bar freezer", "Hotel am Ufer", 52.5120, 13.4424),
    ("h-meier", "heat-pump", "c-meier", "Heizung", "Pankow", 52.5695, 13.4020),
    ("h-hotel", "heat-pump", "c-hotel", "North wing heating", "Hotel am Ufer", 52.5127, 13.4412),
    ("h-brown", "heat-pump", "c-brown", "Heat pump", "Kreuzberg", 52.4989, 13.3921),
)


def _wave(minutes: float, size: float, period: float = 55, shift: float = 0.0) -> float:
    return size * math.sin((minutes + shift) / period * 2 * math.pi)


def healthy(shift: float = 0.0) -> Course:
    """A freezer as it should be."""

    def course(minutes: float) -> Values:
        cooling = math.sin((minutes + shift) / 55 * 2 * math.pi) > 0
        return {
            "temperature": round(-18.6 + _wave(minutes, 0.7, shift=shift), 1),
            "compressor_current": 0.82 if cooling else 0.0,
            "power": 91 if cooling else 4,
            "mains_ok": True,
            "door_open": False,
            "defrost": False,
        }

    return course


def warming(since: float, rate: float, **more: Any) -> Course:
    """A freezer that began to warm ``since`` minutes ago at ``rate`` K a minute."""
    before = healthy()

    def course(minutes: float) -> Values:
        values = dict(before(minutes) or {})
        if minutes < since:
            # Fast at first, then slower, as it nears the room's warmth.
            risen = 26 * (1 - math.exp(-rate * (since - minutes) / 26))
            values["temperature"] = round(-18.4 + risen + _wave(minutes, 0.15, 17), 1)
            values.update({"compressor_current": 0.85, "power": 93, **more})
        return values

    return course


def recovered(since: float, until: float) -> Course:
    """A freezer that was warm for a while and is well again."""
    warm, well = warming(since, 0.12), healthy()

    def course(minutes: float) -> Values | None:
        return warm(minutes) if minutes > until else well(minutes)

    return course


def silent(since: float) -> Course:
    """A freezer that was not heard since."""
    well = healthy(9)
    return lambda minutes: well(minutes) if minutes > since else None


def open_door(since: float) -> Course:
    """A freezer whose door stands open."""
    return warming(since, 0.02, door_open=True)


def dead_compressor(since: float) -> Course:
    """A freezer whose compressor does not start."""
    return warming(since, 0.07, compressor_current=0.0, power=3)


def heating(pressure: float, drop: float = 0.0) -> Course:
    """A heat pump's circuit, losing ``drop`` bar an hour."""

    def course(minutes: float) -> Values:
        return {"pressure": round(pressure - drop * (360 - minutes) / 60, 2), "flow_temperature": 34.5, "power": 1.2}

    return course


COURSES: Mapping[str, Course] = {
    "f-lumen": warming(105, 0.13),
    "f-souza": dead_compressor(185),
    "f-yusuf": open_door(48),
    "f-meier": recovered(300, 190),
    "f-brown": silent(70),
    "f-ruiz": healthy(21),
    "f-tanaka": healthy(3),
    "f-hotel-1": healthy(14),
    "f-hotel-2": lambda minutes: {**(healthy(30)(minutes) or {}), "door_open": True},
    "f-hotel-3": healthy(40),
    "h-meier": heating(1.5, 0.1),
    "h-hotel": heating(1.7),
    "h-brown": heating(1.6),
}


def _populate(made: Town) -> list[Sample]:
    made.do(Upsert("customers", CUSTOMERS, by="test"))
    records = tuple(
        {
            "id": i,
            "profile": profile,
            "customer_id": owner,
            "name": name,
            "site": site,
            "latitude": lat,
            "longitude": lon,
            "serial": f"NK-{n:05d}",
            "model": {"freezer": "Polar 300", "heat-pump": "Terra 8"}[profile],
            "firmware": "2.4.1",
        }
        for n, (i, profile, owner, name, site, lat, lon) in enumerate(DEVICES, start=41207)
    )
    phone = {
        "id": "p-yusuf",
        "profile": "phone",
        "customer_id": "c-yusuf",
        "name": "Phone",
        "latitude": 52.5,
        "longitude": 13.3,
    }
    made.do(Upsert("devices", (*records, phone), by="test"))
    shops = (
        {"id": "s-kudamm", "name": "Nordkälte Ku'damm", "latitude": 52.5036, "longitude": 13.3319, "radius_m": 300},
        {
            "id": "s-alex",
            "name": "Nordkälte Alexanderplatz",
            "latitude": 52.5219,
            "longitude": 13.4132,
            "radius_m": 250,
        },
    )
    made.do(Upsert("shops", shops, by="test"))
    made.do(
        Upsert(
            "offers",
            ({"id": "o-filter", "title": "Filter set −20 %", "text": "Take a filter set with you."},),
            by="test",
        )
    )
    samples = made.run(COURSES, BEGINS, NOW)
    made.now = NOW
    _talk(made)
    _refuse(made)
    _visit(made)
    return samples


def _talk(made: Town) -> None:
    """What people said and did meanwhile."""
    notes = schema.notifications
    souza = made.case_of("f-souza", "freezer-compressor-stopped")
    made.now = NOW - timedelta(minutes=52)
    waiting = made.rows(notes, case_id=souza["id"], state="awaiting_approval")[0]
    made.do(Approve(waiting["id"], "Mia"))
    made.send(waiting["id"], "delivered", "read")
    made.now = NOW - timedelta(minutes=49)
    made.do(Acknowledge(souza["id"], "Mia"))
    made.do(AddNote(souza["id"], "Second compressor fault of this series in a month. Start relay?", "Mia"))
    made.now = NOW - timedelta(minutes=31)
    made.do(
        CustomerWrote(
            "twilio",
            "SMin1",
            "whatsapp",
            "+5511912345678",
            "Desliguei por dez minutos e liguei de novo. Continua em silêncio.",
        )
    )
    made.now = NOW - timedelta(minutes=24)
    reply = made.do(Reply(souza["id"], "Obrigada, Ana. Um técnico pode ir hoje às 17h. Está bem para você?", "Mia"))
    made.send(reply, "delivered")
    made.now = NOW - timedelta(minutes=9)
    made.do(CustomerWrote("twilio", "SMin2", "whatsapp", "+5511912345678", "Sim, às 17h está ótimo. Obrigada!"))
    made.now = NOW


def _refuse(made: Town) -> None:
    bad = (
        ("devices/f-ruiz/status", b"{temperature: -18"),
        ("devices/f-ruiz/location", b'{"lat": 91, "lon": 13.4}'),
        ("devices/f-999/status", b'{"temperature": -17.5}'),
        ("devices/<img src=x onerror=alert(1)>/status", b"<script>alert(1)</script>"),
    )
    messages = []
    for topic, body in bad:
        made.sequence += 1
        messages.append(Message(topic, body, NOW, made.sequence))
    made.committer.run(Work(messages=messages, last_sequence=made.sequence), NOW)


def _visit(made: Town) -> None:
    rows: tuple[dict[str, Any], ...] = (
        {
            "customer_id": "c-yusuf",
            "shop_id": "s-kudamm",
            "offer_id": "o-filter",
            "code": "FILTER-7Q2",
            "reason": None,
            "explanation": {"distance_m": 84.2, "accuracy_m": 12.0},
        },
        {
            "customer_id": "c-lumen",
            "shop_id": "s-alex",
            "offer_id": None,
            "code": None,
            "reason": "open_case",
            "explanation": {"distance_m": 40.0, "accuracy_m": 9.0},
        },
        {
            "customer_id": "c-meier",
            "shop_id": "s-alex",
            "offer_id": None,
            "code": None,
            "reason": "no_consent",
            "explanation": {},
        },
    )
    with made.store.write() as connection:
        connection.execute(
            sa.insert(schema.offer_decisions),
            [
                {**row, "device_id": "p-yusuf", "rule": "near-shop", "at": NOW - timedelta(minutes=20 * n)}
                for n, row in enumerate(rows, 1)
            ],
        )


def link(made: Town, device_id: str, rule: str | None = None) -> str:
    """Return the path of the customer's page for a device's newest case."""
    case = made.case_of(device_id, rule)
    return f"/p/{made.deps.links.token(case['customer_id'], case['id'], Purpose(case['purpose']))}"
