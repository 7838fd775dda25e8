"""The service: every part started in order, joined to the others, watched, and stopped in order."""

import asyncio
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from device_models.decoders.dispatch import Dispatcher
from device_models.event import Message, Rejection, TimeSource
from device_models.profile import GENERIC, DeviceProfile, PositionOf
from device_models.yaml_lines import InvalidFileError
from gateway.asking import Asker, make_translator
from gateway.case_commands import WakeCases
from gateway.cases.self_help import articles_of, help_of_case
from gateway.clock import Clock
from gateway.commands import NoReceipt, PutRulesLive, SettleOutcomes, Sweep, WatchSteps
from gateway.config import Config
from gateway.control import serve_control
from gateway.data_lock import lock_data
from gateway.date_feeds import FeedError, read_feed
from gateway.decoded_once import DecodedOnce
from gateway.decoders import build_dispatcher
from gateway.desk_commands import OfferSlots
from gateway.device_link import DeviceLink, Publish
from gateway.enrolment_commands import ForgetChecks
from gateway.errors import StartRefused
from gateway.explaining import explain_past
from gateway.help_desks.hook import HelpDeskHook
from gateway.help_desks.opening import open_help_desks
from gateway.history import History
from gateway.history.opening import open_history
from gateway.history.profiled import ProfiledDecoding
from gateway.history.recorder import Recorder
from gateway.inbound_mail import mail_listener
from gateway.ingest.broker import EmbeddedBroker
from gateway.ingest.connection import Unreachable
from gateway.ingest.log_stream import EMBEDDED
from gateway.ingest.relay import Relay
from gateway.ingest.relay_settings import RelaySettings
from gateway.ingest.server_config import DeviceLogin
from gateway.ingest.stream import Stream
from gateway.live import LiveFeed
from gateway.mailbox import Mailbox
from gateway.offer_commands import ForgetVisits
from gateway.offers.forgetting import count_to_forget
from gateway.outbox.audit import EVERY as AUDIT_EVERY
from gateway.outbox.audit import Auditor
from gateway.outbox.ladder import without_receipt
from gateway.outbox.learning import count_due
from gateway.outbox.metrics import OutboxMetrics
from gateway.outbox.opening import opening_line
from gateway.outbox.preview import preview
from gateway.outbox.sender import Sender
from gateway.outbox.transports import make_callback_readers, make_transports, push_key
from gateway.outbox.warm_up import warm_up
from gateway.outbox.wording import renderer_of
from gateway.people.registry import Registry, load_registry
from gateway.people_commands import HistoryForgot
from gateway.pipeline.commit import Committer, Outcome
from gateway.pipeline.explaining import explain_device
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.pipeline import MessageBatch, Pipeline
from gateway.rule_files import RuleWatcher, load_profiles
from gateway.rule_versions import detector_at_start
from gateway.scheduler import Scheduler
from gateway.secrets_file import load_secrets
from gateway.status import Status
from gateway.store import schema
from gateway.store.erasure import history_erasures
from gateway.store.store import Store
from gateway.subscriptions.courier import Courier
from gateway.subscriptions.opening import open_couriers
from gateway.web.app import create_app
from gateway.web.deps import SimulatorControl, WebDeps
from gateway.web.links import LinkSigner
from gateway.web.listener import web_listener
from notifiers.receipts import SendState
from notifiers.translator import Translation
from notifiers.transports import Transport
from notifiers.transports.twilio_callbacks import verify_signature

log = structlog.get_logger()

_MOST_MESSAGES = 2000
"""In one commit: with a backlog so many cost the least each, and a command waits for a fifth of a second at most."""
_COMMIT_LINGER_S = 0.005
_RECORD_LINGER_S = 0.25
_SWEEP_EVERY = timedelta(hours=1)
_SWEEP_PART = 500
_SETTLE_EVERY = timedelta(minutes=1)
_LADDER_EVERY = timedelta(seconds=30)
_WAKE_EVERY = timedelta(seconds=20)
_FORGET_EVERY = timedelta(minutes=5)
_LOG_SHARE = 0.3
_HISTORY_SHARE = 0.6
_REPLAY_SHARE = 0.5
"""Of the log's size: what lies behind every reader and is kept to replay rules over."""


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

        async def end() -> None:
            # More than once: Python 3.11's wait_for swallows a cancellation that comes as its future completes.
            while not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=0.5)
            if not task.cancelled():
                task.exception()  # ``run`` has raised the first; what followed from it is not news

        self._stack.push_async_callback(end)
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
        decode = DecodedOnce(dispatcher.decode)
        committer = Committer(self.store, decode, detector, profiles, self.registry, config, links)
        unknown = await asyncio.to_thread(committer.open, clock.now())
        if unknown:
            log.warning("outbox.unknown_after_crash", messages=unknown)
        if self._advance_log:
            await stream.advance_to(committer.sequence)
        self.pipeline = Pipeline(committer, self._batches(stream), clock, self.live, self.metrics)
        self.history = await self._open_history()
        recorder = Recorder(
            _Log(stream, clock, _RECORD_LINGER_S),
            ProfiledDecoding(decode, self.registry, profiles),
            self.history,
            self._keep_position(profiles),
        )
        outbox_metrics = OutboxMetrics(self.metrics.registry)
        rates = config.notifiers.per_second
        sender = Sender(self.store, self.pipeline, clock, transports, rates, outbox_metrics)
        watcher = RuleWatcher(config, profiles, self.registry.shops, self.pipeline, clock, lambda: committer.detector)
        watcher.describe(detector)
        couriers: list[Courier] = []
        brokers: list[Publish] = []
        link = DeviceLink(self.store, self.pipeline, clock, brokers)
        self.pipeline.on_commit = lambda outcome: _wake(sender, couriers, link, outcome)

        await asyncio.to_thread(warm_up)
        self._spawn("pipeline", self.pipeline.run())
        await self._put_live_at_start(detector)
        self._spawn("recorder", recorder.run())
        self._spawn("outbox", sender.run())
        asker = Asker(self.store, self.pipeline, clock, config)
        self._spawn("asking", asker.run())
        self._stack.push_async_callback(sender.stop)
        couriers += self._start_subscriptions(keys.web)
        self._spawn("rules", watcher.run())
        relays = self._start_relays(stream, dispatcher)
        brokers += _brokers(stream, broker, relays)
        self._spawn("commands to devices", link.run())
        self.pipeline.timers_held = lambda: any(relay.catching_up for relay in relays)
        mailbox = self._make_mailbox()
        auditor = Auditor(self.store, self.pipeline, clock, outbox_metrics)
        parts = {"providers": sender.providers, "audit": auditor.status}
        if mailbox is not None:
            parts["mailbox"] = lambda: dict(mailbox.status)
        status = Status(config, broker, stream, relays, self.pipeline, self.history, self.store, watcher, parts)
        self.metrics.count_fall_backs(status.count_fall_backs)
        self._spawn("status", status.run())
        self._start_scheduler(stream, profiles, transports, auditor)
        await self._stack.enter_async_context(serve_control(config.data_dir, self.pipeline))
        await self._start_web(committer, links, keys.web, profiles, status)
        if mailbox is not None:
            self._spawn("mailbox", mailbox.run())
        if config.notifiers.inbound_mail is not None:
            # Last: what it takes in is committed by the parts before it, and it is the first to stop.
            inbound = mail_listener(config.notifiers.inbound_mail, self.pipeline)
            await self._stack.enter_async_context(inbound)
        log.info("gateway.started", console=self.web_url, mqtt=self.mqtt_url, rules=watcher.status.digest)

    def _make_mailbox(self) -> Mailbox | None:
        section = self.config.notifiers.mailbox
        if section is None:
            return None
        return Mailbox(section.url.get_secret_value(), section.authserv_id, self.pipeline, self.store, self.clock)

    def _any_to_wake(self) -> bool:
        with self.store.read() as connection:
            due = sa.select(schema.cases.c.id).where(schema.cases.c.snoozed_until <= self.clock.now()).limit(1)
            return connection.execute(due).first() is not None

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
        return lambda after: _Log(stream, self.clock, _COMMIT_LINGER_S).batches(after)

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

    def _keep_position(self, profiles: Mapping[str, DeviceProfile]) -> Callable[[str], bool]:
        """A person's position is kept nowhere; a thing's where its owner agreed to its use."""

        def keep(device_id: str) -> bool:
            device = self.registry.devices.get(device_id)
            profile = profiles.get(device.profile, GENERIC) if device else GENERIC
            return profile.position_of is PositionOf.THING and self.registry.may_use_location(device_id)

        return keep

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
        self, stream: Stream, profiles: Mapping[str, DeviceProfile], transports: Sequence[Transport], auditor: Auditor
    ) -> None:
        scheduler = Scheduler(self.clock)

        async def sweep() -> None:
            serviced = {name for name, profile in profiles.items() if profile.maintenance}
            # A copy: the writer's thread may register a device meanwhile.
            ids = [device.id for device in list(self.registry.devices.values()) if device.profile in serviced]
            for start in range(0, len(ids), _SWEEP_PART):
                await self.pipeline.submit(Sweep(self.clock.now(), tuple(ids[start : start + _SWEEP_PART])))

        async def forget() -> None:
            read_by_all = min(self.pipeline.sequence, await self.history.last_sequence())
            usage = stream.usage
            if usage is not None and usage.share > _REPLAY_SHARE and usage.messages:
                surplus = int(usage.messages * (1 - _REPLAY_SHARE / usage.share))
                try:
                    await stream.forget(min(read_by_all, usage.first_sequence + surplus))
                except Unreachable as error:
                    log.warning("stream.not_forgotten", reason=str(error))

        reporting = frozenset(c for t in transports if SendState.DELIVERED in t.reports for c in t.channels)

        def due_for_ladder() -> list[int]:
            with self.store.read() as connection:
                return without_receipt(connection, self.config, reporting, self.clock.now())

        async def climb() -> None:
            if due := await asyncio.to_thread(due_for_ladder):
                went_on = await self.pipeline.submit(NoReceipt(tuple(due), reporting))
                log.info("notify.no_receipt", messages=len(due), next_channel=went_on)

        async def forget_erased() -> None:
            def asked() -> list[str]:
                with self.store.read() as connection:
                    return list(connection.execute(sa.select(history_erasures.c.device_id).limit(100)).scalars())

            if device_ids := await asyncio.to_thread(asked):
                for device_id in device_ids:
                    await self.history.erase(device_id)
                await self.pipeline.submit(HistoryForgot(device_ids))
                log.info("history.erased", devices=len(device_ids))

        async def read_dates() -> None:
            for section in self.config.dates:
                try:
                    slots = await read_feed(section.team, section.feed, section.timezone)
                except FeedError as error:
                    # What it offered before stays: a calendar server that is down takes no date away.
                    log.warning("dates.not_read", team=section.team, reason=str(error))
                    continue
                await self.pipeline.submit(OfferSlots(section.team, slots))

        async def forget_checks() -> None:
            await self.pipeline.submit(ForgetChecks())

        if self.config.dates:
            scheduler.every(_FORGET_EVERY, "dates", read_dates)
        scheduler.every(_SWEEP_EVERY, "checks", forget_checks)
        scheduler.every(_LADDER_EVERY, "erasures", forget_erased)

        def visits_to_forget() -> int:
            with self.store.read() as connection:
                return count_to_forget(connection, self.clock.now() - self.config.offers.forget_visits_after)

        async def forget_old_visits() -> None:
            if await asyncio.to_thread(visits_to_forget):
                forgotten = await self.pipeline.submit(ForgetVisits())
                log.info("offers.visits_forgotten", visits=forgotten)

        def due_to_settle() -> int:
            with self.store.read() as connection:
                return count_due(connection, self.clock.now())

        async def settle() -> None:
            if await asyncio.to_thread(due_to_settle):
                settled = await self.pipeline.submit(SettleOutcomes())
                log.info("notify.outcomes_settled", messages=settled)

        async def wake() -> None:
            if await asyncio.to_thread(self._any_to_wake):
                await self.pipeline.submit(WakeCases())

        scheduler.every(_WAKE_EVERY, "wake", wake)

        async def watch_steps() -> None:
            if told := await self.pipeline.submit(WatchSteps()):
                log.info("self_help.improving", customers=told)

        scheduler.every(_LADDER_EVERY, "ladder", climb)
        scheduler.every(AUDIT_EVERY, "outbox audit", auditor.look)
        scheduler.every(_LADDER_EVERY, "watch_steps", watch_steps)
        scheduler.every(_SETTLE_EVERY, "settle", settle)
        scheduler.every(_SWEEP_EVERY, "forget visits", forget_old_visits)
        scheduler.every(_SWEEP_EVERY, "sweep", sweep)
        scheduler.every(_FORGET_EVERY, "forget", forget)
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
    ) -> None:
        config = self.config

        async def show(notification_id: int) -> Any:
            def rendered() -> Any:
                with self.store.read() as connection:
                    return preview(connection, notification_id, self.registry, config, links, self.clock.now())

            return await asyncio.to_thread(rendered)

        async def explain(device_id: str) -> Sequence[Mapping[str, Any]]:
            return await asyncio.to_thread(
                explain_device, self.store, committer, self.registry, profiles, device_id, self.clock.now()
            )

        async def opening(case_id: int) -> str:
            def said() -> str:
                with self.store.read() as connection:
                    return opening_line(connection, case_id, self.registry, profiles, config, self.clock.now())

            return await asyncio.to_thread(said)

        twilio = config.notifiers.twilio
        deps = WebDeps(
            store=self.store,
            commands=self.pipeline,
            clock=self.clock,
            history=self.history,
            live=self.live,
            links=links,
            secret=secret,
            public_url=config.public_url,
            profiles=profiles,
            preview=show,
            explain=explain,
            explain_at=partial(explain_past, self.store, self.history, self.registry, config, profiles),
            opening=opening,
            detector=lambda: committer.detector,
            devices=self.registry.devices,
            status=status.snapshot,
            notifiers=config.notifiers,
            helps=partial(help_of_case, config),
            translate=self._translate(config),
            brand=config.brand.name,
            mode=config.notifiers.mode,
            tiles_url=config.web.map_tiles,
            second_factor_for=config.web.second_factor_for,
            simulator=self._simulator,
            twilio_verify=partial(verify_signature, twilio.token.get_secret_value()) if twilio else None,
            callbacks=make_callback_readers(config),
            push_key=push_key(config),
            help_desks=self._help_desks,
            metrics=self.metrics.registry,
        )
        app = create_app(deps)
        self.web_url = await self._stack.enter_async_context(web_listener(app, config.web))


class _Log:
    """The log in the gateway's own time: nats-server stamps by the wall clock, the demo's clock may run faster."""

    def __init__(self, stream: Stream, clock: Clock, linger_s: float) -> None:
        """``linger_s``: how long a batch waits to become fuller. A commit costs as much as some twenty messages."""
        self._stream = stream
        self._clock = clock
        self._linger_s = linger_s

    async def batches(self, after: int) -> AsyncGenerator[MessageBatch, None]:
        # Closed at once when the reader ends, so that the server forgets its consumer.
        async with aclosing(self._stream.batches(after, _MOST_MESSAGES, self._linger_s)) as batches:
            async for batch in batches:
                if self._clock.is_wall:
                    yield batch
                else:
                    at = self._clock.at
                    yield replace(batch, messages=[replace(m, received_at=at(m.received_at)) for m in batch.messages])


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
        running.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({running})
        await service.stop()
        log.info("gateway.stopped")
