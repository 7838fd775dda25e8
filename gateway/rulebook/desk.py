"""Where rules are written: what stands in force as text, what a text would do to it, and its trial on the past."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from device_models.duration import format_duration
from device_models.event import rfc3339
from device_models.profile import DeviceProfile
from device_models.registry import Device
from device_models.yaml_lines import InvalidFileError, load_yaml
from gateway.backtest.job import Job, Recorded
from gateway.backtest.recorded import BadTableError, Table
from gateway.backtest.runner import Backtests, Running
from gateway.clock import Clock
from gateway.commands import CommandRefused, Commands, NoteBacktest
from gateway.config import Config
from gateway.history import History
from gateway.people.registry import Registry
from gateway.rulebook.drafts import Draft, texts_gone_live
from gateway.rulebook.editing import NAME, Look, look_at
from gateway.rulebook.explaining import standing_under
from gateway.rulebook.files import file_text, rule_paths
from gateway.rulebook.migrating import migration_of
from gateway.rulebook.named import names_in
from gateway.rulebook.proposals import Terms
from gateway.rulebook.suggestions import Found, Search, Suggestions
from gateway.rulebook.versions import last_written_down, rules_as_written
from gateway.store.store import Store
from rules.authoring.completion import completions
from rules.authoring.rule_edit import NotEditable, with_settings
from rules.authoring.rule_text import text_of
from rules.authoring.suggestion import Favour
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.schema import RuleSet
from rules.spatial_index import ShopIndex

T = TypeVar("T")

WHY_BACK = timedelta(hours=24)
"""How much of a device's history is run to tell why a draft would or would not fire on it now."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What somebody finds who begins to write."""

    text: str
    in_force: RuleSet


class RuleDesk:
    """All that writing rules asks of the service; what takes time is done in threads or another process."""

    def __init__(
        self,
        config: Config,
        store: Store,
        commands: Commands,
        clock: Clock,
        registry: Registry,
        profiles: Mapping[str, DeviceProfile],
        history: History,
        running: Callable[[], Detector],
        context_of: Callable[[Device], DeviceContext],
    ) -> None:
        """``running`` tells the detector in use, ``context_of`` what detection may know of a device."""
        self._config = config
        self._store = store
        self._commands = commands
        self._clock = clock
        self._registry = registry
        self._profiles = profiles
        self._history = history
        self._running = running
        self._context_of = context_of
        self.backtests = Backtests(commands)
        self.suggestions = Suggestions(self.backtests.turn)

    async def begin(self, ids: Collection[str]) -> Beginning:
        """Return the rules ``ids`` as a text, with comments and cases where a file or an earlier draft has them."""

        def find(connection: sa.Connection) -> Beginning:
            live = self._live(connection)
            wanted = [rule for rule in live.rules if rule.id in ids]
            sources = [*texts_gone_live(connection), *self._files()]
            return Beginning(text_of(wanted, sources) if wanted else "", live)

        return await self._read(find)

    async def written(self, rules: RuleSet) -> str:
        """Return a whole rule set as one file, with comments and cases where a file or an earlier draft has them."""

        def write(connection: sa.Connection) -> str:
            return text_of(rules.rules, [*texts_gone_live(connection), *self._files()])

        return await self._read(write)

    async def look(self, text: str, replaces: Collection[str]) -> tuple[Look, RuleSet]:
        """Check a text against what is in force now; returns that too."""

        def check(connection: sa.Connection) -> tuple[Look, RuleSet]:
            live = self._live(connection)
            return look_at(
                text, replaces, live, self._profiles, known=lambda after: names_in(self._registry, after)
            ), live

        return await self._read(check)

    async def migration(self, before: RuleSet, after: RuleSet) -> list[dict[str, Any]]:
        """Tell what putting ``after`` live in place of ``before`` would do to open alerts, see ``migration_of``."""

        def compare(connection: sa.Connection) -> list[dict[str, Any]]:
            detector = Detector(after, self._profiles, ShopIndex(self._registry.shops.values()))
            devices, now = self._registry.devices, self._clock.now()
            return migration_of(connection, before, detector, devices, self._context_of, now)

        return await self._read(compare)

    async def completions(self) -> dict[str, Any]:
        """What may stand where in a rule, see ``rules.authoring.completion``."""
        live = self._running().ruleset
        return await asyncio.to_thread(completions, self._profiles, [rule.id for rule in live.rules])

    async def why(self, look: Look, device_id: str) -> list[dict[str, Any]]:
        """Tell where the rules of a text would stand on a device now, had they been in force for ``WHY_BACK``.

        Raises LookupError for an unknown device, HistoryError.
        """
        if look.in_force is None:
            return []
        detector = Detector(look.in_force, self._profiles, ShopIndex(self._registry.shops.values()))
        now = self._clock.now()
        standing, _ = await standing_under(
            detector, self._history, self._registry, self._profiles, device_id, now, WHY_BACK
        )
        own = {rule.id for rule in look.rules.rules}
        return [rule for rule in standing if rule["rule"] in own]

    async def try_on_history(self, draft: Draft, span: timedelta, by: str, zone: str) -> Running:
        """Begin a backtest over what the gateway recorded. Raises CommandRefused."""
        return await self._try(draft, by, zone, span=span)

    async def try_on_file(self, draft: Draft, file: Recorded, by: str, zone: str) -> Running:
        """Begin a backtest over a CSV file, which is deleted afterwards.

        Raises CommandRefused, or BadTableError where the file cannot be used.
        """
        try:
            await asyncio.to_thread(Table, file.path, file.time_column, {}, ZoneInfo(zone))
            return await self._try(draft, by, zone, file=file)
        except (CommandRefused, BadTableError):
            file.path.unlink(missing_ok=True)
            raise

    async def _try(
        self, draft: Draft, by: str, zone: str, span: timedelta | None = None, file: Recorded | None = None
    ) -> Running:
        look, live = await self.look(draft.text, draft.replaces)
        if look.in_force is None:
            raise CommandRefused("\n".join(map(str, look.errors)))
        now = self._clock.now()
        chosen = tuple({*draft.replaces, *(rule.id for rule in look.rules.rules)})
        sets = rules_as_written(live), rules_as_written(look.in_force)
        job = Job(self._config, *sets, chosen, now, span, file, zone)
        marked = {"at": rfc3339(now), "draft_version": draft.version, "live_version": live.version}
        self.backtests.refuse_another(draft.id)
        # Written down first, so that one which the gateway's end cuts off is known of afterwards.
        asked = {"span": format_duration(span)} if span is not None else {"file": file.name if file else None}
        await self._commands.submit(NoteBacktest(draft.id, {"by": by, "at": rfc3339(now), "zone": zone, **asked}))
        return self.backtests.start(draft.id, job, by, now, marked)

    async def suggest(self, span: timedelta, keep: float, favour: Favour, by: str) -> Found:
        """Begin to look for better settings of all that is in force. Raises CommandRefused."""
        live = await self._read(self._live)
        terms = Terms(span, self._clock.now(), keep, favour)
        return self.suggestions.start(Search(self._config, rules_as_written(live), terms), by, live.version)

    async def with_settings(self, rule_id: str, changes: Mapping[str, str]) -> tuple[Beginning, str]:
        """Return a rule's text as it is in force, and with ``changes``, comments kept. Raises CommandRefused."""
        beginning = await self.begin([rule_id])
        try:
            return beginning, with_settings(load_yaml(beginning.text, NAME), beginning.text, 0, changes)
        except NotEditable:
            raise CommandRefused(f"the rule '{rule_id}' is written so that its settings are changed by hand") from None

    async def close(self) -> None:
        """End what goes on."""
        await self.backtests.close()
        await self.suggestions.close()

    def _live(self, connection: sa.Connection) -> RuleSet:
        running = self._running().ruleset
        return last_written_down(connection, running) or running

    def _files(self) -> Sequence[tuple[str, str]]:
        found = []
        for path in rule_paths(self._config):
            try:
                found.append((file_text(path), path.name))
            except InvalidFileError:
                # What cannot be read is told of on the page of rules; here it is no source.
                continue
        return found

    async def _read(self, query: Callable[[sa.Connection], T]) -> T:
        def run() -> T:
            with self._store.read() as connection:
                return query(connection)

        return await asyncio.to_thread(run)
