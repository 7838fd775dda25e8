"""One commit: commands first, then messages, then timers; detect, respond, write, all in one transaction."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from device_models.decoders.protocol import Decoded
from device_models.event import Event, Message, Rejection, Tick
from device_models.profile import GENERIC, DeviceProfile
from device_models.registry import Device
from gateway import commands as c
from gateway.cases import agent, inbound
from gateway.cases.record import apply_actions, load_case, load_world, record_transition
from gateway.config import Config
from gateway.offers.record import record_visit
from gateway.outbox import hand_over as outbox
from gateway.people.accounts import save_api_token, save_session, save_user
from gateway.people.registry import Registry, upsert_records
from gateway.pipeline.rejections import count_unknown_device, record_rejections
from gateway.pipeline.states import States, save_states
from gateway.store import schema
from gateway.store.store import Store
from gateway.transaction import Transaction
from gateway.web.links import LinkSigner
from rules.detect import Detector
from rules.inputs import DeviceContext, Input, Serviced, Snoozed, Sweep
from rules.respond import absorb, respond
from rules.spatial_index import ShopIndex
from rules.state import DeviceState
from rules.transition import Transition, Visit

log = structlog.get_logger()

Decode = Callable[[Message], Decoded | Rejection]

_PARTITION = 0
_SNOOZE = timedelta(days=7)


class StaleWriter(Exception):
    """Somebody else committed since: this process is not the writer any more and must stop."""


@dataclass(slots=True)
class Work:
    """What one commit takes in."""

    commands: Sequence[c.Command] = ()
    messages: Sequence[Message] = ()
    last_sequence: int = 0
    ticks_until: datetime | None = None
    """Release timers due by then; None while the log is not read to its end."""


@dataclass(slots=True)
class Outcome:
    """What a commit did."""

    results: list[Any] = field(default_factory=list)
    """One for each command; an exception where it was refused."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    events: int = 0
    rejected: int = 0
    transitions: int = 0
    ticks: int = 0


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
        self._decode = decode
        self._detector = detector
        self._profiles = profiles
        self._registry = registry
        self._config = config
        self._links = links
        self._chance = chance or random.Random()  # noqa: S311 - spreads retries, guards nothing
        self.states = States()
        self.sequence = 0
        self._version = 0
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
                batch = _Batch(self, tx, staged, outcome)
                for command in work.commands:
                    outcome.results.append(batch.run_command(command))
                batch.take_messages([m for m in work.messages if m.sequence > self.sequence])
                if work.ticks_until is not None:
                    batch.release_ticks(work.ticks_until)
                batch.respond()
                save_states(connection, staged)
                self._move_position(connection, tx.sequence)
        except BaseException:
            for undo in reversed(tx.on_rollback if tx else ()):
                undo()
            raise
        self.sequence, self._version = tx.sequence, self._version + 1
        self.states.promote(staged)
        for effect in tx.after_commit:
            effect()
        outcome.changes = tx.changes + [{"kind": "device", "id": device_id} for device_id in staged]
        return outcome

    def replace_detector(self, detector: Detector) -> None:
        """Put another rule set in force; the states of rules that stay are kept by the detector."""
        self._detector = detector

    def context(self, device: Device) -> DeviceContext:
        """Gather what detection may know of a device."""
        profile = self._profiles.get(device.profile, GENERIC)
        return DeviceContext(device, profile, self._registry.may_use_location(device.id), self._listening_since)

    def _transaction(self, connection: sa.Connection, now: datetime) -> Transaction:
        return Transaction(connection, now, self._registry, self._config, self._profiles, self.sequence)

    def _move_position(self, connection: sa.Connection, sequence: int) -> None:
        p = schema.positions
        moved = connection.execute(
            sa.update(p)
            .where(p.c.partition == _PARTITION, p.c.sequence == self.sequence, p.c.version == self._version)
            .values(sequence=sequence, version=self._version + 1)
        )
        if moved.rowcount != 1:
            raise StaleWriter("another process has committed to this store; this one stops")


class _Batch:
    """The inside of one commit."""

    def __init__(self, committer: Committer, tx: Transaction, staged: dict[str, DeviceState], outcome: Outcome) -> None:
        self._owner = committer
        self._tx = tx
        self._staged = staged
        self._outcome = outcome
        self._facts: list[Transition | Visit] = []

    def take_messages(self, messages: Sequence[Message]) -> None:
        """Decode and detect, in the log's order."""
        rejections: list[Rejection] = []
        decoded: list[tuple[Message, Event]] = []
        for message in messages:
            answer = self._owner._decode(message)
            if isinstance(answer, Rejection):
                rejections.append(answer)
            else:
                decoded.extend((message, event) for event in answer.events)
        self._owner.states.fetch(self._tx.connection, {event.device_id for _, event in decoded})
        for message, event in decoded:
            device = self._device_of(message, event, rejections)
            if device is None:
                continue
            try:
                self._detect(device, event)
            except Exception as error:
                # One event that trips a fault of ours must not stop the stream for everybody else.
                log.exception("pipeline.event_quarantined", device_id=event.device_id, sequence=message.sequence)
                rejections.append(Rejection.of(message, f"internal: {type(error).__name__}; please report it"))
        self._outcome.events += len(decoded)
        self._outcome.rejected += len(rejections)
        record_rejections(self._tx, rejections)

    def release_ticks(self, until: datetime) -> None:
        """Let due timers act, each at its own time."""
        due = self._owner.states.due_by(until, most=500)
        self._owner.states.fetch(self._tx.connection, [device_id for _, device_id in due])
        for _, device_id in due:
            state = self._state(device_id)
            device = self._tx.registry.devices.get(device_id)
            if state is None or state.due_at is None or state.due_at > until:
                continue
            if device is None:
                # It was removed since: nobody is to be told, and its timer must not come due for ever.
                self._staged[device_id] = DeviceState()
                continue
            self._detect(device, Tick(device_id, state.due_at))
            self._outcome.ticks += 1

    def respond(self) -> None:
        """Turn the facts gathered so far into cases, messages and offers."""
        facts, self._facts = self._facts, []
        transitions = [fact for fact in facts if isinstance(fact, Transition)]
        self._outcome.transitions += len(transitions)
        if not facts:
            return
        rules = {rule.id: rule for rule in self._owner.detector.ruleset.rules}
        world = load_world(self._tx, rules, transitions)
        for fact in facts:
            if isinstance(fact, Visit):
                record_visit(self._tx, rules, fact)
                continue
            actions = respond(world, fact)
            absorb(world, actions)
            case_id = apply_actions(self._tx, actions)
            record_transition(self._tx, fact, case_id)

    def run_command(self, command: c.Command) -> Any:
        """Run one command in a savepoint of its own: refused or failed, it leaves no trace and the others go on."""
        undo_from, effects_from = len(self._tx.on_rollback), len(self._tx.after_commit)
        try:
            with self._tx.connection.begin_nested():
                result = self._dispatch(command)
                self.respond()
                return result
        except sa.exc.OperationalError:
            raise
        except Exception as error:
            for undo in reversed(self._tx.on_rollback[undo_from:]):
                undo()
            del self._tx.on_rollback[undo_from:]
            del self._tx.after_commit[effects_from:]
            self._facts.clear()
            if not isinstance(error, c.CommandRefused):
                log.exception("pipeline.command_failed", command=type(command).__name__)
            return error

    def _dispatch(self, command: c.Command) -> Any:
        tx = self._tx
        match command:
            case c.Acknowledge():
                return agent.acknowledge(tx, command)
            case c.Assign():
                return agent.assign(tx, command)
            case c.AddNote():
                return agent.add_note(tx, command)
            case c.Resolve():
                return agent.resolve(tx, command)
            case c.Reopen():
                return agent.reopen(tx, command)
            case c.Reply():
                return agent.reply(tx, command)
            case c.Approve():
                return agent.approve(tx, command)
            case c.Discard():
                return agent.discard(tx, command)
            case c.Resend():
                return agent.resend(tx, command)
            case c.Hold():
                return agent.hold(tx, command)
            case c.CustomerWrote():
                return self._customer_wrote(command)
            case c.ServiceAnswered():
                return self._service_answered(command.case_id, command.answer)
            case c.SetConsent():
                return inbound.set_consent(tx, command)
            case c.ReceiptArrived():
                return outbox.record_receipt(tx, command)
            case c.HandOver():
                return outbox.hand_over(tx, command, self._owner._links)
            case c.Sent():
                return outbox.record_sent(tx, command)
            case c.SendFailed():
                return outbox.record_failure(tx, command, self._owner._chance)
            case c.Sweep():
                return self._detect_each(command.device_ids, lambda device_id: Sweep(device_id, command.at))
            case c.Upsert():
                return self._upsert(command)
            case c.PutRulesLive():
                return self._put_rules_live(command)
            case c.SaveUser():
                return save_user(tx, command)
            case c.SaveSession():
                return save_session(tx, command)
            case c.SaveApiToken():
                return save_api_token(tx, command)
            case c.SetMeta():
                return tx.set_meta(command.key, command.value)

    def _customer_wrote(self, command: c.CustomerWrote) -> inbound.Understood | None:
        understood = inbound.customer_wrote(self._tx, command)
        if understood and understood.service_answer and understood.case_id is not None:
            self._service_answered(understood.case_id, understood.service_answer)
        return understood

    def _service_answered(self, case_id: int, answer: str) -> None:
        case = load_case(self._tx, case_id)
        if case is None or case["kind"] != "maintenance" or case["state"] != "open":
            raise c.CommandRefused(f"case {case_id} is no open service notice")
        now = self._tx.now
        item: Input
        if answer == "done":
            item = Serviced(case["device_id"], case["fault"], now)
        else:
            item = Snoozed(case["device_id"], case["fault"], until=now + _SNOOZE, at=now)
        self._detect_each([case["device_id"]], lambda _: item)

    def _upsert(self, command: c.Upsert) -> tuple[int, int]:
        created, updated = upsert_records(self._tx, command.kind, command.records)
        if command.kind == "shops":
            self._look_for_shops()
        self._tx.audit(command.by, "import", command.kind, created=created, updated=updated)
        return created, updated

    def _look_for_shops(self) -> None:
        """The next fix, be it in this very commit, is held against the shops as they are now."""
        before = self._owner.detector
        self._owner.replace_detector(
            Detector(before.ruleset, self._owner._profiles, ShopIndex(self._tx.registry.shops.values()))
        )
        self._tx.on_rollback.append(lambda: self._owner.replace_detector(before))

    def _put_rules_live(self, command: c.PutRulesLive) -> None:
        detector: Detector = command.ruleset
        s = schema.device_states
        self._owner.states.fetch(
            self._tx.connection, self._tx.connection.execute(sa.select(s.c.device_id)).scalars().all()
        )
        for device_id in self._owner.states.met():
            before, device = self._state(device_id), self._tx.registry.devices.get(device_id)
            if before is None or device is None:
                continue
            state, facts = detector.reconcile(self._owner.context(device), before, self._tx.now)
            self._facts.extend(facts)
            if state is not before:
                self._staged[device_id] = state
        self._tx.set_meta("rules_version", detector.version)
        self._tx.after_commit.append(lambda: self._owner.replace_detector(detector))
        self._tx.audit(command.by, "rules.put_live", detector.version)
        self._tx.changed("rules", detector.version)

    def _detect_each(self, device_ids: Iterable[str], item: Callable[[str], Input]) -> None:
        known = [device_id for device_id in device_ids if device_id in self._tx.registry.devices]
        self._owner.states.fetch(self._tx.connection, known)
        for device_id in known:
            if self._state(device_id) is not None:
                self._detect(self._tx.registry.devices[device_id], item(device_id))

    def _detect(self, device: Device, item: Input) -> None:
        before = self._state(device.id)
        state, facts = self._owner.detector.detect(self._owner.context(device), before or DeviceState(), item)
        self._facts.extend(facts)
        if state is not before:
            self._staged[device.id] = state

    def _state(self, device_id: str) -> DeviceState | None:
        return self._staged.get(device_id) or self._owner.states.get(device_id)

    def _device_of(self, message: Message, event: Event, rejections: list[Rejection]) -> Device | None:
        device = self._tx.registry.devices.get(event.device_id)
        if device is not None:
            return device
        section = self._tx.config.decoders.get(event.ecosystem)
        policy = section.unknown_devices if section else "quarantine"
        if policy == "register":
            created = Device(id=event.device_id)
            upsert_records(self._tx, "devices", [created.model_dump(exclude_none=True)])
            return created
        if policy == "quarantine":
            count_unknown_device(self._tx, message, event)
        else:
            rejections.append(Rejection.of(message, f"device '{event.device_id}' is not registered; import it first"))
        return None
