"""Which rule sets were live, who put them there, and the way back.

Files are the usual way: what they say is in force. A set that a command put live stays in force, also over a restart,
until somebody changes the files, which then say the newest word.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from device_models.profile import DeviceProfile
from device_models.registry import Shop
from device_models.yaml_lines import InvalidFileError
from gateway.commands import CommandRefused
from gateway.config import Config
from gateway.rulebook.files import load_rules, make_detector
from gateway.store.rule_sets import rule_sets
from gateway.store.store import Store
from gateway.transaction import Transaction
from rules.authoring.check import check_rules
from rules.detect import Detector
from rules.schema import KINDS, RuleSet, merge_rules
from rules.spatial_index import ShopIndex

AT_START = "start"
"""Who puts live what is in force already, in the name of nobody."""

Origin = Literal["files", "command", "roll-back"]


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule set that went live."""

    id: int
    version: str
    rules: Sequence[Mapping[str, Any]]
    origin: str
    files_version: str | None
    who: str
    put_live_at: datetime
    migration: Sequence[Mapping[str, Any]]
    """See ``Migration.as_list``."""

    @property
    def ruleset(self) -> RuleSet:
        """The rules. Raises ValidationError where this version of the gateway does not know such rules any more."""
        return ruleset_of(self.rules)


def rules_as_written(ruleset: RuleSet) -> list[dict[str, Any]]:
    """Return rules as files would write them, JSON-ready, defaults included: those may be others one day."""
    return [rule.model_dump(mode="json", by_alias=True) for rule in ruleset.rules]


def ruleset_of(rules: Iterable[Mapping[str, Any]]) -> RuleSet:
    """Make rules of what ``rules_as_written`` returned. Raises KeyError or ValidationError for unknown ones."""
    return RuleSet.of(KINDS[rule["kind"]].model_validate(rule) for rule in rules)


def live_versions(connection: sa.Connection, most: int = 50) -> list[RuleVersion]:
    """Return what went live, the newest first."""
    rows = connection.execute(sa.select(rule_sets).order_by(rule_sets.c.id.desc()).limit(most)).mappings()
    return [RuleVersion(**row) for row in rows]


def live_at(connection: sa.Connection, at: datetime) -> RuleVersion | None:
    """Return what was in force at ``at``, None before the first that was written down."""
    query = sa.select(rule_sets).where(rule_sets.c.put_live_at <= at).order_by(rule_sets.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return RuleVersion(**row) if row is not None else None


def in_force(tx: Transaction, running: RuleSet) -> RuleSet:
    """Return the rules before the ones that go live now: those written down last, else those that run."""
    written_down = last_written_down(tx.connection, running)
    if written_down is None:
        if running.rules:
            return running
        # The command line, where no gateway runs: it would start with the files.
        try:
            return load_rules(tx.config)
        except InvalidFileError:
            return running
    return written_down


def last_written_down(connection: sa.Connection, running: RuleSet) -> RuleSet | None:
    """Return the rules that went live last, None where none were written down."""
    newest = next(iter(live_versions(connection, 1)), None)
    if newest is None:
        return None
    if newest.version == running.version:
        return running
    try:
        return newest.ruleset
    except (KeyError, ValueError):
        # Written by a version of the gateway that knew other kinds of rules.
        return running


def record_live(
    tx: Transaction, before: RuleSet, ruleset: RuleSet, who: str, origin: Origin, migration: list[dict[str, Any]]
) -> None:
    """Write down what goes live, and ``before`` where nothing was yet, so that there is a way back to it."""
    newest = next(iter(live_versions(tx.connection, 1)), None)
    if newest is None and origin != "files" and before.rules:
        _insert(tx, before, "files", "files", [])
    # The same rules once more, as at a start after a profile was edited, are no news.
    same = newest is not None and newest.version == ruleset.version
    if same and origin == "files" and newest is not None and (newest.origin == "files" or who == AT_START):
        return
    _insert(tx, ruleset, who, origin, migration)


def detector_of_files(tx: Transaction, files: Iterable[tuple[str, str]]) -> Detector:
    """Check and compile rule files, each (text, filename); none: the configured ones.

    Raises CommandRefused with every mistake.
    """
    files = list(files)
    try:
        ruleset = merge_rules(files) if files else load_rules(tx.config)
    except InvalidFileError as error:
        raise CommandRefused(str(error)) from error
    return detector_of_ruleset(tx, ruleset)


def detector_of_ruleset(tx: Transaction, ruleset: RuleSet) -> Detector:
    """Check and compile rules. Raises CommandRefused with every mistake."""
    if errors := check_rules(ruleset, tx.profiles):
        raise CommandRefused("\n".join(map(str, errors)))
    return Detector(ruleset, tx.profiles, ShopIndex(tx.registry.shops.values()))


def detector_of_version(tx: Transaction, version: str | None) -> Detector:
    """Compile a rule set that was live before; None: the one before that in force. Raises CommandRefused."""
    known = live_versions(tx.connection)
    if not known:
        raise CommandRefused("no rule set was put live yet")
    current = known[0].version
    for found in known[1:] if version is None else known:
        if found.version != current if version is None else found.version.startswith(version):
            try:
                return detector_of_ruleset(tx, found.ruleset)
            except (KeyError, ValueError) as error:
                raise CommandRefused(f"version {found.version} cannot be used any more: {error}") from error
    raise CommandRefused("there is no version before this one" if version is None else f"there is no version {version}")


def detector_with_live(tx: Transaction, running: RuleSet, rule_id: str) -> Detector:
    """Compile the rules in force with one of them taken out of shadow. Raises CommandRefused."""
    ruleset = in_force(tx, running)
    try:
        rule = ruleset[rule_id]
    except KeyError as error:
        raise CommandRefused(f"there is no rule '{rule_id}' in force") from error
    if not rule.shadow:
        raise CommandRefused(f"the rule {rule_id} is live already")
    live = rule.model_copy(update={"mode": "live"})
    return detector_of_ruleset(tx, RuleSet.of(live if other is rule else other for other in ruleset.rules))


def detector_at_start(
    store: Store, config: Config, profiles: Mapping[str, DeviceProfile], shops: Iterable[Shop]
) -> Detector:
    """Return what is in force at start: the files, unless a command put another set live and they are as they were.

    Raises InvalidFileError.
    """
    detector = make_detector(config, profiles, shops := list(shops))
    with store.read() as connection:
        newest = next(iter(live_versions(connection, 1)), None)
    if newest is None or newest.origin == "files" or newest.files_version != detector.ruleset.version:
        return detector
    return Detector(newest.ruleset, profiles, ShopIndex(shops))


def _insert(tx: Transaction, ruleset: RuleSet, who: str, origin: Origin, migration: list[dict[str, Any]]) -> None:
    tx.connection.execute(
        sa.insert(rule_sets).values(
            version=ruleset.version,
            rules=rules_as_written(ruleset),
            origin=origin,
            files_version=ruleset.version if origin == "files" else _version_of_files(tx.config),
            who=who,
            put_live_at=tx.now,
            migration=migration,
        )
    )


def _version_of_files(config: Config) -> str | None:
    try:
        return load_rules(config).version
    except (InvalidFileError, OSError):
        return None
