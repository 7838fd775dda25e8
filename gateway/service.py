"""The service: every part started in order, joined to the others, watched, and stopped in order."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
import structlog

from device_models.decoders.dispatch import Dispatcher
from device_models.decoders.protocol import Decoded
from device_models.event import Message, Rejection, TimeSource
from device_models.profile import DeviceProfile
from device_models.yaml_lines import InvalidFileError
from gateway.cases.self_help import articles_of
from gateway.clock import Clock
from gateway.commands import PutRulesLive
from gateway.config import Config
from gateway.control import serve_control
from gateway.data_lock import lock_data
from gateway.decoders import build_dispatcher
from gateway.device_link import DeviceLink, Publish
from gateway.ending import end
from gateway.errors import StartRefused
from gateway.garbage import Survivors
from gateway.help_desks.hook import HelpDeskHook
from gateway.help_desks.opening import open_help_desks
from gateway.history import History
from gateway.history.opening import open_history
from gateway.history.profiled import Sampler
from gateway.history.recorder import Recorder
from gateway.history.tail import Tail
from gateway.hubs import of_its_hub
from gateway.inbound.asking import Asker, make_translator
from gateway.inbound.lmtp import mail_listener
from gateway.inbound.mailbox import Mailbox
from gateway.inbound.media import MediaFetcher, media_sources
from gateway.ingest.broker import EmbeddedBroker
from gateway.ingest.clocked_log import ClockedLog
from gateway.ingest.log_stream import EMBEDDED
from gateway.ingest.relay import Relay
from gateway.ingest.relay_settings import RelaySettings
from gateway.ingest.server_config import DeviceLogin
from gateway.ingest.stream import Stream
from gateway.jobs import Jobs
from gateway.live import LiveFeed
from gateway.outbox.audit import EVERY as AUDIT_EVERY
from gateway.outbox.audit import Auditor
from gateway.outbox.metrics import OutboxMetrics
from gateway.outbox.sender import Sender
from gateway.outbox.transports import make_transports
from gateway.outbox.trial import trial_sender
from gateway.outbox.warm_up import warm_up
from gateway.outbox.wording import renderer_of
from gateway.people.registry import Registry, load_registry
from gateway.pipeline.commit import Committer, Outcome
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.pipeline import MessageBatch, Pipeline
from gateway.rulebook.files import RuleWatcher, load_profiles
from gateway.rulebook.versions import detector_at_start
from gateway.scheduler import Scheduler
from gateway.secrets_file import load_secrets
from gateway.status import Status
from gateway.store import schema
from gateway.store.store import Store
from gateway.subscriptions.courier import Courier
from gateway.subscriptions.opening import open_couriers
from gateway.texts.desk import Send
from gateway.turns import short_turns
from gateway.web.app import create_app
from gateway.web.deps import SimulatorControl
from gateway.web.links import LinkSigner
from gateway.web.listener import web_listener
from gateway.web.opening import open_web
from notifiers.transports import Transport
from notifiers.understanding.translator import Translation

log = structlog.get_logger()

_COMMIT_LINGER_S = 0.005
_LOG_SHARE = 0.3
_HISTORY_SHARE = 0.6


class Service:
    """A running gateway. ``start`` brings it up, ``run`` watches it, ``stop`` takes it down in order."""

    def __init__(
        self,
        config: Config,
        clock: Clock | None = None,
        simulator: SimulatorControl | None = None,
        *,
        advance_log: bool = False,
    ) -> None:
        """Prepare, without touching disk or network.

        Args:
            config: What to run.
            clock: None: the wall clock.
            simulator: The demo's panel.
            advance_log: Let a log that ends before what is committed go on behind it, dropping what it holds.
        """
        self._advance_log = advance_log
        self.config = config
        self.clock = clock or Clock()
        self._simulator = simulator
        self._stack = AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self.registry = Registry()
        self.live = LiveFeed()
        self.metrics = Metrics()
        self.mqtt_url = ""
        self.web_url = ""
        self._help_desks: dict[str, HelpDeskHook] = {}
        self.store: Store
        self.pipeline: Pipeline
        self.history: History

    async def start(self) -> None:
        """Start everything; raises StartRefused, having stopped what was started."""
        try:
            await self._start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, InvalidFileError):
                raise StartRefused(f"rules or profiles cannot be used:\n{error}") from error
            raise

    async def run(self) -> None:
        """Return when a part ends, which only happens by a fault: it is raised."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
            raise RuntimeError(f"{task.get_name()} ended")

    async def stop(self) -> None:
        """Stop in the reverse order of starting: nothing new comes in, what was begun is finished."""
        await self._stack.aclose()

    def _spawn(self, name: str, work: Awaitable[None]) -> asyncio.Task[None]:
        async def runner() -> None:
            await work

        task = asyncio.create_task(runner(), name=name)
        self._tasks.append(task)

        # ``run`` has raised the first failure; what followed from it is not news.
        self._stack.push_async_callback(end, task)
        return task

    async def _start(self) -> None:
        config, clock = self.config, self.clock
        self._stack.enter_context(lock_data(config.data_dir))
        profiles = load_profiles(config)
        try:
            articles_of(config)
        except (OSError, ValueError) as error:
            raise StartRefused(f"notifiers.articles: {error}") from error
        try:
            renderer_of(config)
        except (OSError, ValueError) as error:
            raise StartRefused(f"notifiers.translations: {error}") from error
        dispatcher = build_dispatcher(config.decoders, ignored_topics=config.ignore_topics)
        transports = make_transports(config)
        for transport in transports:
            self._stack.push_async_callback(transport.close)
        self.store = await asyncio.to_thread(Store, config.store_url)
        self._stack.callback(self.store.close)
        self.registry = await asyncio.to_thread(self._load_registry)
        detector = detector_at_start(self.store, config, profiles, self.registry.shops.values())
        keys = load_secrets(config.data_dir)
        links = LinkSigner(keys.link_keys, keys.current_link_key, clock.now, config.public_url)

        stream, broker = await self._open_log()
        committer = Committer(self.store, dispatcher.decode, detector, profiles, self.registry, config, links)
        unknown = await asyncio.to_thread(committer.open, clock.now())
        if unknown:
            log.warning("outbox.unknown_after_crash", messages=unknown)
        if self._advance_log:
            await stream.advance_to(committer.sequence)
        self.pipeline = Pipeline(committer, self._batches(stream), clock, self.live, self.metrics)
        self.history = await self._open_history()
        tail = Tail(committer.sequence)
        recorder = self._make_recorder(tail, stream, dispatcher, profiles)
        outbox_metrics = OutboxMetrics(self.metrics.registry)
        rates = config.notifiers.per_second
        sender = Sender(self.store, self.pipeline, clock, transports, rates, outbox_metrics)
        watcher = RuleWatcher(config, profiles, self.registry, self.pipeline, clock, lambda: committer.detector)
        watcher.describe(detector)
        couriers: list[Courier] = []
        brokers: list[Publish] = []
        link = DeviceLink(self.store, self.pipeline, clock, brokers)

        def committed(outcome: Outcome) -> None:
            tail.grow(outcome.events, outcome.sequence)
            _wake(sender, couriers, link, outcome)

        self.pipeline.on_commit = committed

        await asyncio.to_thread(warm_up)
        self._spawn("pipeline", self.pipeline.run())
        await self._put_live_at_start(detector)
        self._spawn("recorder", recorder.run())
        self._spawn("outbox", sender.run())
        asker = Asker(self.store, self.pipeline, clock, config)
        self._spawn("asking", asker.run())
        media = MediaFetcher(self.store, self.pipeline, clock, media_sources(config.notifiers))
        self._spawn("media", media.run())
        self._stack.push_async_callback(sender.stop)
        couriers += self._start_subscriptions(keys.web)
        self._spawn("rules", watcher.run())
        relays = self._start_relays(stream, dispatcher)
        brokers += _brokers(stream, broker, relays)
        self._spawn("commands to devices", link.run())
        self.pipeline.timers_held = lambda: any(relay.catching_up for relay in relays)
        mailbox = self._make_mailbox()
        auditor = Auditor(self.store, self.pipeline, clock, outbox_metrics)
        parts = {"intake": self.metrics.intake, "providers": sender.providers, "audit": auditor.status}
        if mailbox is not None:
            parts["mailbox"] = lambda: dict(mailbox.status)
        status = Status(config, broker, stream, relays, self.pipeline, self.history, self.store, watcher, parts)
        self.metrics.count_fall_backs(status.count_fall_backs)
        self._spawn("status", status.run())
        self._start_scheduler(stream, profiles, transports, auditor, status)
        await self._stack.enter_async_context(serve_control(config.data_dir, self.pipeline))
        await self._start_web(committer, links, keys.web, profiles, status, trial_sender(transports, clock))
        if mailbox is not None:
            self._spawn("mailbox", mailbox.run())
        if config.notifiers.inbound_mail is not None:
            # Last: what it takes in is committed by the parts before it, and it is the first to stop.
            inbound = mail_listener(config.notifiers.inbound_mail, self.pipeline)
            await self._stack.enter_async_context(inbound)
        self._stack.enter_context(short_turns())
        self._stack.enter_context(Survivors())
        log.info("gateway.started", console=self.web_url, mqtt=self.mqtt_url, rules=watcher.status.digest)

    def _make_mailbox(self) -> Mailbox | None:
        section = self.config.notifiers.mailbox
        if section is None:
            return None
        return Mailbox(section.url.get_secret_value(), section.authserv_id, self.pipeline, self.store, self.clock)

    def _load_registry(self) -> Registry:
        with self.store.read() as connection:
            return load_registry(connection)

    async def _open_log(self) -> tuple[Stream, EmbeddedBroker | None]:
        config, broker, settings = self.config, None, EMBEDDED
        url = config.stream.url
        if url is None:
            broker = EmbeddedBroker(
                config.data_dir,
                config.broker.listen,
                tls_cert=config.broker.tls_cert,
                tls_key=config.broker.tls_key,
                logins=tuple(
                    DeviceLogin(login.username, login.password.get_secret_value(), login.device_id, login.topics)
                    for login in config.broker.logins
                ),
                log_bytes=int(config.data_budget * _LOG_SHARE),
                sync_interval=config.broker.sync_interval,
            )
            addresses = await broker.start()
            self._stack.push_async_callback(broker.stop)
            self.mqtt_url, url, settings = addresses.mqtt_url, addresses.nats_url, broker.log_settings
        stream = await Stream.open(url, settings)
        self._stack.push_async_callback(stream.close)
        return stream, broker

    def _batches(self, stream: Stream) -> Callable[[int], AsyncIterator[MessageBatch]]:
        return lambda after: ClockedLog(stream, self.clock, _COMMIT_LINGER_S).batches(after)

    async def _open_history(self) -> History:
        section, budget = self.config.history, int(self.config.data_budget * _HISTORY_SHARE)
        history = await open_history(
            self.config.data_dir,
            budget,
            url=section.url,
            token=section.token.get_secret_value() if section.token else None,
            org=section.org,
            bucket=section.bucket,
            query=section.query,
        )
        self._stack.push_async_callback(history.close)
        return history

    def _make_recorder(
        self, tail: Tail, stream: Stream, dispatcher: Dispatcher, profiles: Mapping[str, DeviceProfile]
    ) -> Recorder:
        def decode(message: Message) -> Decoded | Rejection:
            return of_its_hub(message, dispatcher.decode(message), self.registry.devices)

        again = ClockedLog(stream, self.clock, linger_s=0.0)
        return Recorder(tail, again, decode, Sampler(self.registry, profiles), self.history)

    async def _put_live_at_start(self, detector: Any) -> None:
        def live_version() -> str | None:
            with self.store.read() as connection:
                query = sa.select(schema.meta.c.value).where(schema.meta.c.key == "rules_version")
                found: str | None = connection.execute(query).scalar()
                return found

        if await asyncio.to_thread(live_version) != detector.version:
            await self.pipeline.submit(PutRulesLive(detector, by="start"))

    def _start_relays(self, stream: Stream, dispatcher: Dispatcher) -> list[Relay]:
        relays = []
        for section in self.config.relay:
            settings = RelaySettings(
                section.url,
                section.topics,
                section.username,
                section.password.get_secret_value() if section.password else None,
                section.ca,
                section.cert,
                section.key,
                section.client_id,
            )
            relay = Relay(settings, stream, identify=_identify(dispatcher))
            self._spawn(f"relay {section.client_id}", relay.run())
            relays.append(relay)
        return relays

    def _start_subscriptions(self, secret: str) -> list[Courier]:
        couriers = []
        for courier, sink in open_couriers(self.config, self.store, self.pipeline, self.clock):
            self._stack.push_async_callback(sink.close)
            self._spawn(f"subscription {sink.name}", courier.run())
            couriers.append(courier)
        for desk, hook in open_help_desks(self.config, self.store, self.pipeline, secret):
            self._stack.push_async_callback(desk.close)
            courier = Courier(desk, self.store, self.pipeline, self.clock, desk.wants)
            self._spawn(f"help desk {desk.name}", courier.run())
            couriers.append(courier)
            if hook is not None:
                self._help_desks[hook.name] = hook
        return couriers

    def _start_scheduler(
        self,
        stream: Stream,
        profiles: Mapping[str, DeviceProfile],
        transports: Sequence[Transport],
        auditor: Auditor,
        status: Status,
    ) -> None:
        scheduler = Scheduler(self.clock)
        jobs = Jobs(
            self.config,
            self.clock,
            self.pipeline,
            self.store,
            self.history,
            stream,
            self.registry,
            profiles,
            transports,
            committed=lambda: self.pipeline.sequence,
            health=status.snapshot,
        )
        jobs.plan(scheduler)
        scheduler.every(AUDIT_EVERY * self.clock.speed, "outbox audit", auditor.look)
        scheduler.start()
        self._stack.callback(scheduler.stop)

    def _translate(self, config: Config) -> Callable[[str, str], Awaitable[Translation]] | None:
        translator = make_translator(config)
        if translator is None:
            return None
        self._stack.push_async_callback(translator.close)
        return lambda text, language: translator.translate(text, config.notifiers.staff_language, language)

    async def _start_web(
        self,
        committer: Committer,
        links: LinkSigner,
        secret: str,
        profiles: Mapping[str, DeviceProfile],
        status: Status,
        send_trial: Send,
    ) -> None:
        deps = open_web(
            self.config,
            self.clock,
            self.store,
            self.pipeline,
            committer,
            self.registry,
            profiles,
            self.history,
            self.live,
            links,
            secret,
            status.snapshot,
            self._translate(self.config),
            self._help_desks,
            send_trial,
            self.metrics.registry,
            self._simulator,
        )
        self.web_url = await self._stack.enter_async_context(web_listener(create_app(deps), self.config.web))


def _identify(dispatcher: Dispatcher) -> Callable[[str, bytes], str | None]:
    """What makes a stamped message the same one again: who said it, and when by their own clock."""

    def identify(topic: str, payload: bytes) -> str | None:
        decoded = dispatcher.decode(Message(topic, payload, datetime.now(UTC)))
        if isinstance(decoded, Rejection) or not decoded.events:
            return None
        event = decoded.events[0]
        return f"{event.device_id}|{event.observed_at}" if event.time_source is TimeSource.DEVICE else None

    return identify


def _brokers(stream: Stream, broker: EmbeddedBroker | None, relays: Sequence[Relay]) -> list[Publish]:
    """Where devices listen: the embedded broker, and each one that is relayed."""
    return [*([stream.tell] if broker is not None else []), *(relay.publish for relay in relays)]


def _wake(sender: Sender, couriers: Sequence[Courier], link: DeviceLink, outcome: Outcome) -> None:
    if any(change["kind"] == "command" for change in outcome.changes):
        link.wake()
    if any(change["kind"] in ("notification", "hold", "customer") for change in outcome.changes):
        sender.wake()
    if couriers and any(change["kind"] in ("case", "subscription") for change in outcome.changes):
        for courier in couriers:
            courier.wake()


async def serve(config: Config, clock: Clock | None = None, *, advance_log: bool = False) -> None:
    """Run the gateway until SIGINT or SIGTERM; raises StartRefused where it cannot start."""
    service = Service(config, clock, advance_log=advance_log)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopping.set)

    async def live() -> None:
        await service.start()
        await service.run()

    running = asyncio.create_task(live(), name="service")
    waiting = asyncio.create_task(stopping.wait(), name="stopping")
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        log.info("gateway.stopping")
        with suppress(asyncio.CancelledError):
            await end(running)
        await service.stop()
        log.info("gateway.stopped")
