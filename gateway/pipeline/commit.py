"""One commit: commands first, then messages, then timers; detect, respond, write, all in one transaction."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from device_models.event import Event, Message, Rejection
from device_models.profile import GENERIC, DeviceProfile
from device_models.registry import Device
from gateway import commands as c
from gateway.cases.alerts import next_release
from gateway.config import Config
from gateway.decoders import Decode
from gateway.outbox import hand_over as outbox
from gateway.people.registry import Registry
from gateway.pipeline.batch import Batch
from gateway.pipeline.states import States, save_states
from gateway.store import schema
from gateway.store.store import Store
from gateway.transaction import Transaction
from gateway.web.links import LinkSigner
from rules.detect import Detector
from rules.inputs import DeviceContext
from rules.state import DeviceState

_PARTITION = 0
_MOVE = sa.update(schema.positions).where(
    schema.positions.c.partition == _PARTITION,
    schema.positions.c.sequence == sa.bindparam("of_sequence"),
    schema.positions.c.version == sa.bindparam("of_version"),
)


class StaleWriter(Exception):
    """Somebody else committed since: this process is not the writer any more and must stop."""


@dataclass(slots=True)
class Work:
    """What one commit takes in."""

    commands: Sequence[c.Command] = ()
    messages: Sequence[Message] = ()
    quarantined: Sequence[Rejection] = ()
    """Messages that tripped a fault of ours when they were tried alone."""
    last_sequence: int = 0
    ticks_until: datetime | None = None
    """Release timers due by then; None while the log is not read to its end."""


@dataclass(slots=True)
class Outcome:
    """What a commit did."""

    results: list[Any] = field(default_factory=list)
    """One for each command; an exception where it was refused."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    """What the messages said, whether or not anybody registered their devices."""
    sequence: int = 0
    """How far the log has had its effect with it."""
    rejected: int = 0
    transitions: int = 0
    ticks: int = 0

    def add(self, later: "Outcome") -> None:
        """Take in what the next part of the same work did."""
        self.results += later.results
        self.changes += later.changes
        self.events += later.events
        self.sequence = later.sequence
        self.rejected += later.rejected
        self.transitions += later.transitions
        self.ticks += later.ticks


class Committer:
    """Owns what the writer's thread alone touches: committed states, registry and detector."""

    def __init__(
        self,
        store: Store,
        decode: Decode,
        detector: Detector,
        profiles: Mapping[str, DeviceProfile],
        registry: Registry,
        config: Config,
        links: LinkSigner,
        chance: random.Random | None = None,
    ) -> None:
        self._store = store
        self.decode = decode
        self._detector = detector
        self.profiles = profiles
        self._registry = registry
        self._config = config
        self.links = links
        self.chance = chance or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self.states = States()
        self.sequence = 0
        self._version = 0
        self._response_due: datetime | None = None
        self._listening_since: datetime | None = None

    @property
    def detector(self) -> Detector:
        """The detector in force."""
        return self._detector

    def open(self, now: datetime) -> int:
        """Read where the last commit stopped, and settle what a crash left open. Return how many sends are unknown."""
        self._listening_since = now
        with self._store.write() as connection:
            p = schema.positions
            row = connection.execute(sa.select(p).where(p.c.partition == _PARTITION)).mappings().first()
            if row is None:
                connection.execute(sa.insert(p).values(partition=_PARTITION, sequence=0, version=0))
            else:
                self.sequence, self._version = row["sequence"], row["version"]
            self.states.load_timers(connection)
            self._response_due = next_release(connection)
            return outbox.mark_unknown_after_crash(self._transaction(connection, now))

    def run(self, work: Work, now: datetime) -> Outcome:
        """Do ``work`` in one transaction. On an exception nothing of it has happened, in the store or in memory."""
        outcome = Outcome()
        staged: dict[str, DeviceState] = {}
        tx: Transaction | None = None
        try:
            with self._store.write() as connection:
                tx = self._transaction(connection, now)
                tx.sequence = max(self.sequence, work.last_sequence)
                batch = Batch(self, tx, staged, outcome)
                for command in work.commands:
                    outcome.results.append(batch.run_command(command))
                batch.take_messages([m for m in work.messages if m.sequence > self.sequence], work.quarantined)
                if work.ticks_until is not None:
                    batch.release_ticks(work.ticks_until)
                batch.respond()
                batch.follow_up()
                save_states(connection, staged)
                self._move_position(connection, tx.sequence)
                response_due = next_release(connection)
        except BaseException:
            for undo in reversed(tx.on_rollback if tx else ()):
                undo()
            raise
        self.sequence, self._version = tx.sequence, self._version + 1
        self.states.promote(staged)
        self._response_due = response_due
        for effect in tx.after_commit:
            effect()
        outcome.sequence = self.sequence
        outcome.changes = tx.changes + [{"kind": "device", "id": device_id} for device_id in staged]
        return outcome

    def next_due(self) -> datetime | None:
        """Return when the earliest timer acts, a device's or one of what response withholds."""
        return min((at for at in (self.states.next_due(), self._response_due) if at is not None), default=None)

    def replace_detector(self, detector: Detector) -> None:
        """Put another rule set in force; the states of rules that stay are kept by the detector."""
        self._detector = detector

    def context(self, device: Device) -> DeviceContext:
        """Gather what detection may know of a device."""
        profile = self.profiles.get(device.profile, GENERIC)
        may_use_location, zone = self._registry.may_use_location(device.id), self._registry.zone(device.id)
        return DeviceContext(device, profile, may_use_location, self._listening_since, zone)

    def _transaction(self, connection: sa.Connection, now: datetime) -> Transaction:
        return Transaction(connection, now, self._registry, self._config, self.profiles, self.sequence)

    def _move_position(self, connection: sa.Connection, sequence: int) -> None:
        stand = {"of_sequence": self.sequence, "of_version": self._version}
        moved = connection.execute(_MOVE, {**stand, "sequence": sequence, "version": self._version + 1})
        if moved.rowcount != 1:
            raise StaleWriter("another process has committed to this store; this one stops")
