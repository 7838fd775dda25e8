"""What would have come of a rule set: cases, messages and offers, for how many customers, at which hours."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any

from device_models.profile import DeviceProfile
from device_models.purpose import Purpose
from device_models.registry import Customer, Device, Offer, Shop
from rules.base import BaseRule
from rules.kinds.approach import NotCounted
from rules.kinds.proximity import ProximityRule
from rules.recordings.fleet_recording import Changes, FleetRecording, changed
from rules.respond import (
    Action,
    JoinIncident,
    Notify,
    OpenCase,
    Record,
    RecoverCase,
    ReopenCase,
    World,
    absorb,
    due_alerts,
    release,
    respond,
)
from rules.response.alike import Census
from rules.response.changed import DeviceChange
from rules.response.offer import OfferDecision, OfferHistory, Sent, decide_offer
from rules.transition import AlertState, Transition, Visit

ANY_OFFER = Offer(id="any", title="Any offer", text="Stands for whatever fits")
"""Where no offers are given: one that fits everybody, so that caps, opening hours and cool-downs are what decides."""
_CONSENTS = frozenset({Purpose.OFFER, Purpose.NEWS})


class Outlook:
    """Runs the very response over a backtest's facts, as if every message had been sent.

    A device that no registry knows belongs to a customer of its own who agreed to everything: what is counted is what
    the rules ask for. Rules in shadow count as if they were live, which is what a backtest of them is for.
    """

    def __init__(
        self,
        rules: Iterable[BaseRule],
        profile: DeviceProfile,
        *,
        devices: Mapping[str, Device] | None = None,
        customers: Mapping[str, Customer] | None = None,
        shops: Iterable[Shop] = (),
        offers: Sequence[Offer] = (),
        zone: tzinfo = UTC,
    ) -> None:
        """``profile`` is that of devices not in ``devices``; ``zone`` is the one the hours of the day are told in."""
        self._profile = profile
        self._devices = dict(devices or {})
        self._customers = dict(customers or {})
        self._world = World(
            {rule.id: rule for rule in rules}, {profile.name: profile}, self._devices, self._customers, {}, 1
        )
        self._shops = {shop.id: shop for shop in shops}
        self._offers = list(offers) or [ANY_OFFER]
        self._zone = zone
        self._sent: defaultdict[str, list[Sent]] = defaultdict(list)
        self._budget: Counter[str] = Counter()
        self._codes: defaultdict[str, set[str]] = defaultdict(set)
        self._alerts: Counter[str] = Counter()
        self._cases: Counter[str] = Counter()
        self._messages: Counter[str] = Counter()
        self._of_rule: defaultdict[str, set[str]] = defaultdict(set)
        self._told: set[str] = set()
        self._hours: Counter[int] = Counter()
        self._withheld: Counter[str] = Counter()
        self._reopened = self._arrived = self._open = self._visits = 0
        self._keys: set[str] = set()
        self._changes = Changes()
        self._incidents: list[Transition] = []
        self._world.census = Census(self._devices)

    def add_in_order(self, recording: FleetRecording) -> list[Transition]:
        """Take in the facts of devices side by side; return what fleet rules made of them, in the order of time."""
        for device_id in recording.devices:
            self._meet(device_id)
        if recording.began_at is not None:
            self._world.watched_since = dict.fromkeys(self._world.rules, recording.began_at)
        for item in recording.in_order():
            if isinstance(item, Transition):
                self.add(item)
            else:
                self._change(item)
        return self._incidents

    def _change(self, change: DeviceChange) -> None:
        before = self._devices[change.device_id]
        if getattr(before, change.field) == change.after:
            return
        after = self._devices[change.device_id] = changed(before, change)
        self._world.census.replace(before, after)
        self._world.past = self._changes.add(replace(change, before=getattr(before, change.field)))

    def add(self, fact: Transition | Visit) -> OfferDecision | None:
        """Take in one fact, in order; return the decision on a visit."""
        self._meet(fact.device_id)
        if isinstance(fact, Visit):
            return self._visit(fact)
        if fact.state in (AlertState.FIRING, AlertState.RESOLVED):
            self._transition(replace(fact, shadow=False) if fact.shadow else fact)
        return None

    def as_dict(self) -> dict[str, Any]:
        """Return the counts, JSON-ready. ``alerts`` fired, those of one episode are one case.

        Cases that were found on arrival stand apart: nobody is told of them.
        """
        told: dict[str, Any] = {
            "alerts": sum(self._alerts.values()),
            "cases": sum(self._cases.values()),
            "by_rule": {
                rule: {
                    "alerts": count,
                    "cases": self._cases[rule],
                    "devices": len(self._of_rule[rule]),
                    "messages": self._messages[rule],
                }
                for rule, count in sorted(self._alerts.items())
            },
            "still_open": self._open,
            "reopened": self._reopened,
            "found_on_arrival": self._arrived,
            "messages": sum(self._messages.values()),
            "customers_told": len(self._told),
            "by_hour": {str(hour): self._hours[hour] for hour in sorted(self._hours)},
        }
        if self._visits:
            sent = sum(self._budget.values())
            told |= {"visits": self._visits, "offers": sent, "offers_withheld": dict(self._withheld.most_common())}
        return told

    def _meet(self, device_id: str) -> None:
        if device_id in self._devices:
            return
        device = Device(id=device_id, profile=self._profile.name, customer_id=device_id)
        self._devices[device_id] = device
        self._world.census.replace(None, device)
        self._customers[device_id] = Customer(id=device_id, name=device_id, consents=_CONSENTS)

    def _transition(self, fact: Transition) -> None:
        world = self._world
        self._release(fact.at)
        if fact.state is AlertState.FIRING and not fact.on_arrival:
            self._alerts[fact.rule] += 1
            self._of_rule[fact.rule].add(fact.device_id)
        self._apply(fact, respond(world, fact))

    def _release(self, until: datetime) -> None:
        """Let act what another alert or a timer had withheld, as the gateway does before each later input."""
        while due := due_alerts(self._world, until):
            for alert in due:
                if self._world.alert(alert.transition) is alert:
                    self._apply(*release(self._world, alert))

    def _apply(self, fact: Transition, actions: Sequence[Action]) -> None:
        world = self._world
        absorb(world, actions)
        for action in actions:
            match action:
                case OpenCase(case, _, _):
                    self._open += not case.on_arrival
                    self._arrived += case.on_arrival
                    if not case.on_arrival:
                        self._cases[case.rule] += 1
                        self._count_hour(fact)
                case ReopenCase():
                    self._reopened += 1
                    self._open += 1
                    self._count_hour(fact)
                case RecoverCase(case, _):
                    self._open -= not case.on_arrival
                case JoinIncident():
                    self._open -= 1
                case Record(transition, _):
                    self._incidents.append(transition)
                    self._alerts[transition.rule] += transition.state is AlertState.FIRING
                    self._of_rule[transition.rule].add(transition.device_id)
                case Notify() if action.key not in self._keys:
                    self._keys.add(action.key)
                    self._messages[fact.rule] += 1
                    self._told.add(action.customer_id)
                    self._note_told(fact, action)
                case _:
                    pass

    def _note_told(self, fact: Transition, notify: Notify) -> None:
        """Sent, as far as anybody can tell beforehand: so the end of it is told as well."""
        alert = self._world.alert(fact)
        keys = (fact.dedupe_key, alert.withheld.key if alert is not None and alert.withheld is not None else "")
        for key in keys:
            known = self._world.cases.get(key)
            if known is not None and known.id == notify.case_id:
                told = known.told_customers | {notify.customer_id}
                self._world.cases[key] = replace(known, told=known.open, told_customers=told)

    def _count_hour(self, fact: Transition | Visit) -> None:
        self._hours[fact.at.astimezone(self._zone).hour] += 1

    def _visit(self, visit: Visit) -> OfferDecision | None:
        rule, device = self._world.rules.get(visit.rule), self._devices[visit.device_id]
        if not isinstance(rule, ProximityRule) or visit.withheld == NotCounted.LEFT:
            return None
        customer = self._world.owner(visit.device_id)
        key = customer.id if customer else visit.device_id
        cases = [case for case in self._world.cases.values() if case.open and case.customer_id == key]
        decision = decide_offer(
            visit,
            rule,
            customer,
            device,
            self._shops.get(visit.shop_id),
            self._offers,
            OfferHistory(self._sent[key], self._budget, self._codes),
            any(case.purpose in (Purpose.FAULT, Purpose.SAFETY) and not case.on_arrival for case in cases),
            frozenset({"accessory", *("maintenance_due" for case in cases if case.kind == "maintenance")}),
            visit.at,
            owned_profiles=frozenset(d.profile for d in self._devices.values() if d.customer_id == key),
        )
        self._visits += visit.withheld is None
        if decision.sent is None:
            self._withheld[str(decision.withheld)] += 1
            return decision
        self._budget[decision.sent.id] += 1
        self._sent[key].append(Sent(visit.at, visit.shop_id, decision.sent.id))
        if decision.code is not None:
            self._codes[decision.sent.id].add(decision.code)
        self._told.add(key)
        self._count_hour(visit)
        return decision
