"""The inside of one commit: what commands, messages and timers come to within its transaction."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_never

import sqlalchemy as sa
import structlog

from device_models.event import Event, EventKind, Message, Rejection, Tick
from device_models.profile import GENERIC
from device_models.registry import Device
from gateway import commands as c
from gateway.cases import (
    agent,
    claiming,
    closing,
    desk,
    device_commands,
    inbound,
    mail,
    media,
    reading,
    self_help,
    silences,
    storms,
    unjoined,
    verdicts,
    work,
)
from gateway.cases.alerts import look_again
from gateway.cases.crowds import begin_watch, forget_changes
from gateway.cases.record import load_case
from gateway.cases.responder import respond_to
from gateway.commands.accounts import AccountCommand
from gateway.commands.cases import CaseCommand
from gateway.commands.desk import DeskCommand
from gateway.commands.drafts import DraftCommand
from gateway.commands.enrolment import EnrolmentCommand
from gateway.commands.help_desks import HelpDeskCommand
from gateway.commands.offers import ForgetVisits, OfferOpened, RedeemOffers
from gateway.commands.people import PeopleCommand
from gateway.commands.staff import StaffCommand
from gateway.commands.subscriptions import SubscriptionCommand
from gateway.commands.texts import TextCommand
from gateway.help_desks import record as help_desks
from gateway.hubs import of_its_hub
from gateway.offers.forgetting import forget_visits
from gateway.offers.redeem import note_opened, redeem
from gateway.outbox import hand_over as outbox
from gateway.outbox import ladder, survey
from gateway.outbox.learning import settle_outcomes
from gateway.outbox.outcomes import note_answer
from gateway.people import consent, ways_in
from gateway.people.accounts import save_api_token, save_session, save_user
from gateway.people.identity import said_of_itself
from gateway.people.registry import upsert_records
from gateway.pipeline import enrolling, owners
from gateway.pipeline.rejections import UnknownDevice, count_unknown_devices, record_rejections
from gateway.pipeline.states import without_timers
from gateway.rulebook import drafts as rule_drafts
from gateway.rulebook import versions as rule_versions
from gateway.rulebook.shadow import with_trials
from gateway.staff import alerts, clocks, teams
from gateway.staff import deeds as staff
from gateway.staff.rota_deeds import answered_by
from gateway.store import schema
from gateway.store.dialect import may_pass
from gateway.subscriptions import record as subscriptions
from gateway.texts import own as own_texts
from gateway.transaction import Transaction
from gateway.unchanged import check
from rules.authoring.migration import Migration
from rules.detect import Detector
from rules.inputs import Input, Serviced, Snoozed, Sweep
from rules.plan import Plan
from rules.spatial_index import ShopIndex
from rules.state import DeviceState
from rules.transition import Transition, Visit

if TYPE_CHECKING:
    from gateway.pipeline.commit import Committer, Outcome

log = structlog.get_logger()

_SNOOZE = timedelta(days=7)
_MOST_TICKS = 500


class Batch:
    """One commit in the making; nothing outside the transaction and ``staged`` is touched by it."""

    def __init__(
        self, committer: "Committer", tx: Transaction, staged: dict[str, DeviceState], outcome: "Outcome"
    ) -> None:
        self._owner = committer
        self._tx = tx
        self._staged = staged
        self._outcome = outcome
        self._facts: list[tuple[Transition | Visit, datetime | None]] = []
        self._release_until: datetime | None = None

    def take_messages(self, messages: Sequence[Message], quarantined: Sequence[Rejection] = ()) -> None:
        """Decode and detect, in the log's order. ``quarantined`` messages tripped a fault before; they are kept."""
        rejections = list(quarantined)
        decoded: list[tuple[Message, Event]] = []
        for message in messages:
            answer = of_its_hub(message, self._owner.decode(message), self._tx.registry.devices)
            if isinstance(answer, Rejection):
                rejections.append(answer)
            else:
                decoded.extend((message, event) for event in answer.events)
        self._owner.states.fetch(self._tx.connection, {event.device_id for _, event in decoded})
        unknown: dict[str, UnknownDevice] = {}
        for message, event in decoded:
            device = self._device_of(message, event, rejections, unknown)
            if device is None:
                continue
            try:
                self._detect(device, event, message.received_at)
            except Exception as error:
                # One event that trips a fault of ours must not stop the stream for everybody else.
                log.exception("pipeline.event_quarantined", device_id=event.device_id, sequence=message.sequence)
                rejections.append(quarantine(message, error))
        device_commands.confirm(
            self._tx,
            {
                event.device_id: message.received_at
                for message, event in decoded
                if not event.retained and event.kind is not EventKind.COMMAND
            },
        )
        self._outcome.events += [event for _, event in decoded]
        self._outcome.rejected += len(rejections)
        record_rejections(self._tx, rejections)
        count_unknown_devices(self._tx, unknown)

    def release_ticks(self, until: datetime) -> None:
        """Let due timers act, each at its own time."""
        due = self._owner.states.due_by(until, most=_MOST_TICKS)
        # Response goes no further than detection: what is left for the next commit may resolve what is withheld.
        self._release_until = until if len(due) < _MOST_TICKS else due[-1][0]
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
            try:
                self._detect(device, Tick(device_id, state.due_at), state.due_at)
            except Exception:
                # Left in place it would come due again for ever, and stop everybody's timers behind it.
                log.exception("pipeline.timer_quarantined", device_id=device_id, due_at=state.due_at.isoformat())
                self._staged[device_id] = without_timers(state)
            self._outcome.ticks += 1

    def respond(self) -> None:
        """Turn the facts gathered so far into cases, messages and offers."""
        facts, self._facts = self._facts, []
        until, self._release_until = self._release_until, None
        self._outcome.transitions += sum(isinstance(fact, Transition) for fact, _ in facts)
        if facts or until is not None:
            rules = {rule.id: rule for rule in self._owner.detector.ruleset.rules}
            respond_to(self._tx, rules, facts, until)

    def follow_up(self) -> None:
        """Let what depends on how cases stand at the end of the commit follow."""
        # Teams first: a level may count by the hours of the team that a case has come to.
        for follow in (teams.follow, clocks.follow, alerts.follow):
            follow(self._tx, {change["id"] for change in self._tx.changes if change["kind"] == "case"})

    def run_command(self, command: c.Command) -> Any:
        """Run one command in a savepoint of its own: refused or failed, it leaves no trace and the others go on."""
        undo_from, effects_from = len(self._tx.on_rollback), len(self._tx.after_commit)
        try:
            with self._tx.connection.begin_nested():
                result = self._dispatch(command)
                self.respond()
                return result
        except Exception as error:
            if isinstance(error, sa.exc.OperationalError) and may_pass(error):
                raise
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
        if isinstance(command, c.Unchanged):
            check(tx.connection, command)
            command = command.command
        if isinstance(command, PeopleCommand):
            return owners.run(tx, self, command)
        if isinstance(command, EnrolmentCommand):
            return enrolling.run(tx, self, command)
        if isinstance(command, StaffCommand):
            return staff.run(tx, command, self._owner.links)
        if isinstance(command, DeskCommand):
            return desk.run(tx, command)
        match command:
            case c.Acknowledge():
                return claiming.acknowledge(tx, command)
            case c.Assign():
                return claiming.assign(tx, command)
            case c.AddNote():
                return agent.add_note(tx, command)
            case c.Resolve():
                return closing.resolve(tx, command)
            case c.Unresolve():
                return closing.unresolve(tx, command)
            case c.Reopen():
                return closing.reopen(tx, command)
            case c.GiveVerdict():
                return verdicts.give_verdict(tx, command)
            case c.JudgeWouldBe():
                return verdicts.judge_would_be(tx, command)
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
            case c.CreateSilence():
                silences.check_rule(command, [rule.id for rule in self._owner.detector.ruleset.rules])
                return silences.create_silence(tx, command)
            case c.EndSilence():
                return silences.end_silence(tx, command)
            case c.ForgetChanges():
                return forget_changes(tx, command.before)
            case c.EndStorm():
                return storms.end_storm(tx, command)
            case c.CustomerWrote():
                return self._customer_wrote(command)
            case c.MailArrived():
                if command.verified and answered_by(tx, "email", command.address, command.text):
                    return None
                return self._customer_wrote(mail.customer_wrote(tx, command))
            case c.StepTried():
                return self_help.step_tried(tx, command)
            case c.WatchSteps():
                return self_help.watch_steps(tx, command)
            case c.SendSurveys():
                return survey.send_surveys(tx)
            case c.MessageTagged():
                return self._message_tagged(command)
            case c.MessageTranslated():
                return reading.translated(tx, command)
            case c.AskLater():
                return reading.ask_later(tx, command)
            case c.JoinMessage():
                return unjoined.join(tx, command)
            case c.ForgetUnjoined():
                return unjoined.forget(tx)
            case c.DiscardMessage():
                return unjoined.discard(tx, command)
            case c.MailBounced():
                return mail.bounced(tx, command)
            case c.MediaFetched():
                return media.media_fetched(tx, command)
            case c.MediaNotFetched():
                return media.media_not_fetched(tx, command)
            case c.ChannelBlocked():
                return inbound.channel_blocked(tx, command)
            case c.ServiceAnswered():
                return self._service_answered(command.case_id, command.answer)
            case c.SetConsent():
                return consent.set_consent(tx, command)
            case c.ReceiptArrived():
                return outbox.record_receipt(tx, command)
            case c.HandOver():
                return outbox.hand_over(tx, command, self._owner.links)
            case c.HandOverFailed():
                return outbox.put_aside(tx, command)
            case c.Sent():
                return outbox.record_sent(tx, command)
            case c.SendFailed():
                return outbox.record_failure(tx, command, self._owner.chance)
            case c.NoReceipt():
                return ladder.climb(tx, command)
            case RedeemOffers():
                return redeem(tx, command)
            case OfferOpened():
                return note_opened(tx, command)
            case ForgetVisits():
                return forget_visits(tx)
            case c.SettleOutcomes():
                return settle_outcomes(tx)
            case c.Sweep():
                return self._detect_each(command.device_ids, lambda device_id: Sweep(device_id, command.at))
            case c.Upsert():
                return self._upsert(command)
            case c.PutRulesLive():
                return self._put_rules_live(command.ruleset, command.by, "files")
            case c.PutFilesLive():
                origin: rule_versions.Origin = "command" if command.files else "files"
                return self._put_rules_live(rule_versions.detector_of_files(tx, command.files), command.by, origin)
            case c.PutDraftLive():
                drafted = rule_drafts.detector_of_draft(tx, self._owner.detector.ruleset, command)
                return self._put_rules_live(drafted, command.by, "command")
            case c.RollBackRules():
                rolled_back = rule_versions.detector_of_version(tx, command.version)
                return self._put_rules_live(rolled_back, command.by, "roll-back")
            case c.PromoteRule():
                promoted = rule_versions.detector_with_live(tx, self._owner.detector.ruleset, command.rule)
                return self._put_rules_live(promoted, command.by, "command")
            case c.SaveUser():
                return save_user(tx, command)
            case c.SaveSession():
                return save_session(tx, command)
            case c.SaveApiToken():
                return save_api_token(tx, command)
            case c.Unchanged():
                raise TypeError("a condition within a condition")
            case c.SetMeta():
                return tx.set_meta(command.key, command.value)
            case _ if isinstance(command, DraftCommand):
                return rule_drafts.run(tx, self._owner.detector.ruleset, command)
            case _ if isinstance(command, CaseCommand):
                return work.run(tx, command)
            case _ if isinstance(command, HelpDeskCommand):
                return help_desks.run(tx, command)
            case _ if isinstance(command, SubscriptionCommand):
                return subscriptions.run(tx, command)
            case _ if isinstance(command, TextCommand):
                return own_texts.run(tx, command)
            case _ if isinstance(command, AccountCommand):
                return ways_in.run(tx, command)
            case _:
                assert_never(command)

    def _customer_wrote(self, command: c.CustomerWrote) -> inbound.Understood | None:
        if enrolling.linked_by(self._tx, command):
            return None
        if command.channel != "email" and answered_by(self._tx, command.channel, command.address, command.text):
            return None
        return self._act_on(inbound.customer_wrote(self._tx, command))

    def _message_tagged(self, command: c.MessageTagged) -> inbound.Understood | None:
        message = reading.tagged(self._tx, command)
        if message is None or command.tags is None:
            return None
        return self._act_on(inbound.understood_later(self._tx, message, command.tags))

    def _act_on(self, understood: inbound.Understood | None) -> inbound.Understood | None:
        for case_id, answer in understood.service_answers if understood else ():
            self._service_answered(case_id, answer)
        return understood

    def _service_answered(self, case_id: int, answer: str) -> None:
        case = load_case(self._tx, case_id)
        if case is None or case["kind"] != "maintenance" or case["state"] != "open":
            raise c.CommandRefused(f"case {case_id} is no open service notice")
        note_answer(self._tx, case_id, None)
        now = self._tx.now
        item: Input
        if answer == "done":
            item = Serviced(case["device_id"], case["fault"], now)
        else:
            item = Snoozed(case["device_id"], case["fault"], until=now + _SNOOZE, at=now)
        self._detect_each([case["device_id"]], lambda _: item)

    def _upsert(self, command: c.Upsert) -> tuple[int, int]:
        ids = [str(record.get("id")) for record in command.records] if command.kind == "devices" else []
        before = {known.id: known for i in ids if (known := self._tx.registry.devices.get(i)) is not None}
        created, updated = upsert_records(self._tx, command.kind, command.records)
        if command.kind == "devices":
            owners.follow_import(self._tx, self, before, ids, command.by)
        if command.kind == "shops":
            self._look_for_shops()
        self._tx.audit(command.by, "import", command.kind, created=created, updated=updated)
        if len(command.records) == 1:
            self._tx.audit(command.by, f"{command.kind.removesuffix('s')}.save", str(command.records[0].get("id")))
        return created, updated

    def _look_for_shops(self) -> None:
        """The next fix, be it in this very commit, is held against the shops as they are now."""
        before = self._owner.detector
        self._owner.replace_detector(
            Detector(before.ruleset, self._owner.profiles, ShopIndex(self._tx.registry.shops.values()))
        )
        self._tx.on_rollback.append(lambda: self._owner.replace_detector(before))

    def _put_rules_live(self, detector: Detector, by: str, origin: rule_versions.Origin) -> dict[str, Any]:
        before_it = rule_versions.in_force(self._tx, self._owner.detector.ruleset)
        migration = Migration(before_it, detector.ruleset)
        s = schema.device_states
        self._owner.states.fetch(
            self._tx.connection, self._tx.connection.execute(sa.select(s.c.device_id)).scalars().all()
        )
        for device_id in self._owner.states.met():
            before, device = self._state(device_id), self._tx.registry.devices.get(device_id)
            if before is None or device is None:
                continue
            state, facts = detector.reconcile(self._owner.context(device), before, self._tx.now)
            self._facts.extend((fact, None) for fact in facts)
            migration.take(before, state, facts)
            if state is not before:
                self._staged[device_id] = state
        # What explained a fault under the rules before may explain it no more.
        look_again(self._tx, schema.alerts.c.withheld_by == "inhibition")
        begin_watch(self._tx, detector.ruleset.rules)
        self._tx.set_meta("rules_version", detector.version)
        self._tx.after_commit.append(lambda: self._owner.replace_detector(detector))
        changes = with_trials(self._tx, before_it, detector.ruleset, migration.as_list())
        rule_versions.record_live(self._tx, before_it, detector.ruleset, by, origin, changes)
        self._tx.audit(by, "rules.put_live", detector.version)
        self._tx.changed("rules", detector.version)
        return {"version": detector.ruleset.version, "before": before_it.version, "rules": changes}

    def state_of(self, device_id: str) -> DeviceState | None:
        """Return a device's state as it stands within this commit; None where it was never met."""
        self._owner.states.fetch(self._tx.connection, [device_id])
        return self._state(device_id)

    def stage(self, device_id: str, state: DeviceState) -> None:
        """Put another state in its place."""
        self._staged[device_id] = state

    def forget_state(self, device_id: str) -> None:
        """Forget that a device was ever met."""
        self._staged.pop(device_id, None)
        self._tx.after_commit.append(lambda: self._owner.states.forget(device_id))

    def plan_of(self, device: Device) -> Plan:
        """Return the rules in force for a device."""
        return self._owner.detector.plan_for(self._owner.context(device))

    def take_facts(self, facts: Iterable[Transition]) -> None:
        """Let response hear of facts that a command made."""
        self._facts.extend((fact, None) for fact in facts)

    def _detect_each(self, device_ids: Iterable[str], item: Callable[[str], Input]) -> None:
        known = [device_id for device_id in device_ids if device_id in self._tx.registry.devices]
        self._owner.states.fetch(self._tx.connection, known)
        for device_id in known:
            if self._state(device_id) is not None:
                self._detect(self._tx.registry.devices[device_id], item(device_id))

    def _detect(self, device: Device, item: Input, at: datetime | None = None) -> None:
        """``at``: the input's time where it is part of the log or a timer, see ``respond_to``."""
        before = self._state(device.id)
        state, facts = self._owner.detector.detect(self._owner.context(device), before or DeviceState(), item)
        self._facts.extend((fact, at) for fact in facts)
        if state is not before:
            self._staged[device.id] = state
            if isinstance(item, Event):
                self._follow(device, before or DeviceState(), state)

    def _follow(self, device: Device, before: DeviceState, after: DeviceState) -> None:
        """Let the registry follow what a device says of its firmware and model."""
        profile = self._owner.profiles.get(device.profile, GENERIC)
        if said := said_of_itself(device, profile, before.twin, after.twin):
            known = self._tx.registry.devices[device.id].model_dump(exclude_none=True)
            upsert_records(self._tx, "devices", [{**known, **said}], source="device")

    def _state(self, device_id: str) -> DeviceState | None:
        return self._staged.get(device_id) or self._owner.states.get(device_id)

    def _device_of(
        self, message: Message, event: Event, rejections: list[Rejection], unknown: dict[str, UnknownDevice]
    ) -> Device | None:
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
            before = unknown.get(event.device_id)
            unknown[event.device_id] = UnknownDevice(message.topic, event, before.messages + 1 if before else 1)
        else:
            rejections.append(Rejection.of(message, f"device '{event.device_id}' is not registered; import it first"))
        return None


def quarantine(message: Message, error: Exception) -> Rejection:
    """Put aside a message that trips a fault of the gateway's own."""
    return Rejection.of(message, f"internal: {type(error).__name__}; please report it")
