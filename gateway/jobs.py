"""What happens at intervals: looks at what no event announces. A job only reads, and appends an input where there is
something to do."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog

from device_models.profile import DeviceProfile
from gateway.cases.crowds import FORGET_AFTER
from gateway.cases.device_commands import unanswered
from gateway.clock import Clock
from gateway.commands import (
    Commands,
    ForgetChanges,
    ForgetUnjoined,
    NoReceipt,
    SendSurveys,
    SettleOutcomes,
    Sweep,
    WatchSteps,
)
from gateway.commands.cases import GiveUpCommands, WakeCases
from gateway.commands.desk import OfferSlots
from gateway.commands.enrolment import ForgetChecks
from gateway.commands.offers import ForgetVisits
from gateway.commands.people import HistoryForgot
from gateway.commands.staff import GatewayAlarm, Reroute, TellStaff, WatchSla
from gateway.config import Config, Dates
from gateway.date_feeds import FeedError, read_feed
from gateway.history import History
from gateway.ingest.connection import Unreachable
from gateway.ingest.stream import Stream
from gateway.offers.forgetting import count_to_forget
from gateway.outbox.ladder import without_receipt
from gateway.outbox.learning import count_due
from gateway.outbox.survey import due_surveys
from gateway.people.registry import Registry
from gateway.scheduler import Scheduler
from gateway.staff import alerts
from gateway.staff.clocks import due_now
from gateway.store import schema
from gateway.store.desk import service_slots
from gateway.store.erasure import history_erasures
from gateway.store.staff import teams
from gateway.store.store import Store
from notifiers.receipts import SendState
from notifiers.transports import Transport

log = structlog.get_logger()
T = TypeVar("T")

ALARMED = frozenset({"broker", "relay", "pipeline", "history", "providers"})
"""Parts that somebody is called for: without them nothing is heard, or nobody is told."""
UNWELL_FOR = timedelta(minutes=2)
_SWEEP_PART = 500
_REPLAY_SHARE = 0.5
"""Of the log's size: what lies behind every reader and is kept to replay rules over."""


class Jobs:
    """The jobs of one gateway."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        commands: Commands,
        store: Store,
        history: History,
        stream: Stream,
        registry: Registry,
        profiles: Mapping[str, DeviceProfile],
        transports: Sequence[Transport],
        committed: Callable[[], int],
        health: Callable[[], Mapping[str, Any]],
    ) -> None:
        """``committed``: the sequence up to which the log has had its effect; ``health``: how each part is doing."""
        self._health = health
        self._unwell: dict[str, datetime] = {}
        self._config = config
        self._clock = clock
        self._commands = commands
        self._store = store
        self._history = history
        self._stream = stream
        self._registry = registry
        self._serviced = {name for name, profile in profiles.items() if profile.maintenance}
        self._reporting = frozenset(c for t in transports if SendState.DELIVERED in t.reports for c in t.channels)
        self._committed = committed

    def plan(self, scheduler: Scheduler) -> None:
        """Hand every job to the scheduler with its interval."""
        scheduler.every(timedelta(hours=1), "sweep", self.sweep)
        scheduler.every(timedelta(seconds=30), "ladder", self.climb)
        scheduler.every(timedelta(seconds=20), "wake", self.wake)
        scheduler.every(timedelta(seconds=30), "commands", self.give_up_commands)
        scheduler.every(timedelta(seconds=20), "sla", self.watch_sla)
        scheduler.every(timedelta(minutes=1), "reroute", self.reroute)
        scheduler.every(timedelta(seconds=10), "alerts", self.tell_staff)
        scheduler.every(timedelta(seconds=30), "alarms", self.watch_gateway)
        scheduler.every(timedelta(seconds=30), "watch_steps", self.watch_steps)
        scheduler.every(timedelta(minutes=1), "settle", self.settle)
        scheduler.every(timedelta(minutes=5), "forget", self.forget)
        scheduler.every(timedelta(seconds=30), "erasures", self.forget_erased)
        scheduler.every(timedelta(hours=1), "checks", self.forget_checks)
        scheduler.every(timedelta(hours=1), "forget visits", self.forget_visits)
        scheduler.every(timedelta(hours=6), "forget changes", self.forget_changes)
        if self._config.notifiers.survey.enabled:
            scheduler.every(timedelta(minutes=5), "surveys", self.send_surveys)
        scheduler.every(timedelta(hours=1), "forget dates", self.forget_dates)
        for number, section in enumerate(self._config.dates, start=1):
            # Each by itself: a calendar server that hangs holds up no other team's.
            scheduler.every(timedelta(minutes=5), f"dates {number}", partial(self.read_dates, section))

    async def sweep(self) -> None:
        """Look for due services, some devices at a time."""
        # A copy: the writer's thread may register a device meanwhile.
        ids = [device.id for device in list(self._registry.devices.values()) if device.profile in self._serviced]
        for start in range(0, len(ids), _SWEEP_PART):
            await self._commands.submit(Sweep(self._clock.now(), tuple(ids[start : start + _SWEEP_PART])))

    async def climb(self) -> None:
        """Send what nobody saw arrive on by the next channel."""
        due = await self._read(lambda c, now: without_receipt(c, self._config, self._reporting, now))
        if due:
            went_on = await self._commands.submit(NoReceipt(tuple(due), self._reporting))
            log.info("notify.no_receipt", messages=len(due), next_channel=went_on)

    async def wake(self) -> None:
        """Bring back cases that rested until now."""
        snoozed = schema.cases.c.snoozed_until
        if await self._read(lambda c, now: c.execute(sa.select(sa.true()).where(snoozed <= now).limit(1)).first()):
            await self._commands.submit(WakeCases())

    async def give_up_commands(self) -> None:
        """Say of commands to devices that nobody answered them."""
        if await self._read(unanswered):
            await self._commands.submit(GiveUpCommands())

    async def watch_sla(self) -> None:
        """Say of cases whose time runs out that it does."""
        if await self._read(lambda c, now: c.execute(due_now(now).limit(1)).first()):
            told = await self._commands.submit(WatchSla())
            log.info("sla.watched", **told)

    async def tell_staff(self) -> None:
        """Tell whoever is on call, and the next where nobody answers."""
        if await self._read(alerts.due) and (sent := await self._commands.submit(TellStaff())):
            log.info("alerts.sent", messages=sent)

    async def watch_gateway(self) -> None:
        """Raise an alarm for a part that has not been well for a while, and end it once it is."""
        now, health = self._clock.now(), self._health()
        for part in sorted(ALARMED & set(health)):
            if health[part].get("ok") is not False:
                if self._unwell.pop(part, None) is not None:
                    await self._commands.submit(GatewayAlarm(part, None))
            elif now - self._unwell.setdefault(part, now) >= UNWELL_FOR:
                await self._commands.submit(GatewayAlarm(part, str(health[part].get("detail", "not well"))[:200]))

    async def reroute(self) -> None:
        """Find somebody for cases that wait where nobody is on duty."""
        has_teams = await self._read(lambda c, _: c.execute(sa.select(teams.c.name).limit(1)).first() is not None)
        if has_teams and (moved := await self._commands.submit(Reroute())):
            log.info("cases.rerouted", cases=moved)

    async def watch_steps(self) -> None:
        """Tell customers whose device gets better after a step they took."""
        if told := await self._commands.submit(WatchSteps()):
            log.info("self_help.improving", customers=told)

    async def send_surveys(self) -> None:
        """Ask customers whose fault is over how the help was."""
        if await self._read(lambda c, now: due_surveys(c, self._config.notifiers.survey, now, most=1)):
            asked = await self._commands.submit(SendSurveys())
            log.info("survey.asked", customers=asked)

    async def settle(self) -> None:
        """Learn from messages of which it is known by now what became of them."""
        if await self._read(count_due):
            settled = await self._commands.submit(SettleOutcomes())
            log.info("notify.outcomes_settled", messages=settled)

    async def forget(self) -> None:
        """Drop what lies behind every reader of the log, but for the share that is kept to replay."""
        read_by_all = min(self._committed(), await self._history.last_sequence())
        usage = self._stream.usage
        if usage is not None and usage.share > _REPLAY_SHARE and usage.messages:
            surplus = int(usage.messages * (1 - _REPLAY_SHARE / usage.share))
            try:
                await self._stream.forget(min(read_by_all, usage.first_sequence + surplus))
            except Unreachable as error:
                log.warning("stream.not_forgotten", reason=str(error))

    async def forget_erased(self) -> None:
        """Erase samples of devices whose owners asked for it."""
        asked = sa.select(history_erasures.c.device_id).limit(100)
        device_ids = await self._read(lambda c, _: list(c.execute(asked).scalars()))
        if device_ids:
            for device_id in device_ids:
                await self._history.erase(device_id)
            await self._commands.submit(HistoryForgot(device_ids))
            log.info("history.erased", devices=len(device_ids))

    async def forget_checks(self) -> None:
        """Drop codes that were never typed, and messages without a case that nobody decided on for long."""
        await self._commands.submit(ForgetChecks())
        if dropped := await self._commands.submit(ForgetUnjoined()):
            log.info("inbound.unjoined_forgotten", messages=dropped)

    async def forget_changes(self) -> None:
        """Forget what changed about devices once no incident asks for it."""
        await self._commands.submit(ForgetChanges(self._clock.now() - FORGET_AFTER))

    async def forget_visits(self) -> None:
        """Forget where customers were once it is of no use any more."""
        age = self._config.offers.forget_visits_after
        if await self._read(lambda c, now: count_to_forget(c, now - age)):
            forgotten = await self._commands.submit(ForgetVisits())
            log.info("offers.visits_forgotten", visits=forgotten)

    async def read_dates(self, section: Dates) -> None:
        """Read a team's calendar."""
        try:
            slots = await read_feed(section.team, section.feed, section.timezone)
        except FeedError as error:
            # What it offered before stays: a calendar server that is down takes no date away.
            log.warning("dates.not_read", team=section.team, reason=str(error))
            return
        await self._commands.submit(OfferSlots(section.team, slots, section.feed))

    async def forget_dates(self) -> None:
        """Offer no date of a calendar that is configured no more."""
        kept = {(section.team, section.feed) for section in self._config.dates}
        s = service_slots.c
        known = await self._read(lambda c, _: c.execute(sa.select(s.team, s.feed).distinct()).all())
        for team, feed in {(team, feed) for team, feed in known} - kept:
            await self._commands.submit(OfferSlots(team, (), feed))

    async def _read(self, query: Callable[[sa.Connection, datetime], T]) -> T:
        def run() -> T:
            with self._store.read() as connection:
                return query(connection, self._clock.now())

        return await asyncio.to_thread(run)
