"""The whole play, stepped in simulated time: products, people, faults. Its only I/O is the truth log."""

import random
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never
from zoneinfo import ZoneInfo

from simulator.agenda import Agenda
from simulator.build import build_machines, build_sites
from simulator.machines.base import Link, Machine, Publish
from simulator.machines.bike import BikeMachine
from simulator.machines.cause import Cause
from simulator.machines.freezer import FreezerMachine
from simulator.machines.phone import PhoneMachine
from simulator.passes import shop_passes
from simulator.plot import FaultAct, JourneyAct, LookAlikeAct, plot
from simulator.routes import Metres, Mode, Route, Stop
from simulator.scenario import JourneyKind, LookAlike, Scenario, phone_id
from simulator.score import NOT_ALARMS
from simulator.truth import Fault, TruthLog

STEP = timedelta(seconds=5)
"""Simulated time between two looks at everything; steps are counted from the start, whatever the clock's speed."""
_SELF_HELP = (timedelta(minutes=5), timedelta(minutes=15))
_TECHNICIAN = (timedelta(hours=2), timedelta(hours=4))
_TRIES_AGAIN = timedelta(minutes=5)


class UnknownTargetError(ValueError):
    """There is no such device, site, customer or shop; the message names it."""


class Fleet:
    """A scenario being played."""

    def __init__(self, scenario: Scenario, seed: int, starts_at: datetime, truth: TruthLog) -> None:
        self.scenario = scenario
        self.seed = seed
        self.now = starts_at
        self.truth = truth
        self.sites = build_sites(scenario)
        self.machines = build_machines(scenario, self.sites, seed, starts_at)
        self._client_ids = {name: machine.link.client_id for name, machine in self.machines.items()}
        registry = scenario.registry()
        self.customers = {customer.id: customer for customer in registry.customers}
        self.offers = registry.offers
        self.shops = {shop.id: shop for shop in registry.shops}
        self.shop_places: dict[str, Metres] = {plan.id: scenario.place_of(plan.corner) for plan in scenario.shops}
        self.city = scenario.city.grid()
        self.zone = ZoneInfo(scenario.city.timezone)
        self.agenda = Agenda()
        self._helped: set[str] = set()
        self._chance = random.Random(f"{seed}/journeys-under-way")  # noqa: S311 - a play, not a secret
        for act in plot(scenario, self.machines, seed, starts_at):
            self.agenda.add(act.at, partial(self._play, act))

    @property
    def open_faults(self) -> list[Fault]:
        """Faults that nobody has mended yet."""
        return [fault for fault in self.truth.faults if fault.mended_at is None]

    def advance(self, to: datetime, steps: int | None = None) -> list[Publish]:
        """Play on to the last whole step before ``to``, ``steps`` at most; return what is to be published."""
        messages: list[Publish] = []
        dt_s = STEP.total_seconds()
        while self.now + STEP <= to and (steps is None or steps > 0):
            self.now += STEP
            steps = None if steps is None else steps - 1
            self.agenda.run(self.now)
            for machine in self.machines.values():
                machine.advance(self.now, dt_s)
                messages += machine.report(self.now)
            self._note_harms()
        return messages

    def links(self) -> dict[str, Link]:
        """Return every MQTT connection by client id; products behind one bridge share theirs."""
        links: dict[str, Link] = {}
        for machine in self.machines.values():
            link = machine.link
            known = links.get(link.client_id)
            added = tuple(word for word in link.birth if known is None or word not in known.birth)
            links[link.client_id] = link if known is None else replace(known, birth=known.birth + added)
        return links

    def links_up(self) -> set[str]:
        """Return the client ids of the connections that have power now."""
        return {self._client_ids[name] for name, machine in self.machines.items() if machine.powered}

    def machine(self, device_id: str) -> Machine:
        """Return a product. Raises UnknownTargetError."""
        try:
            return self.machines[device_id]
        except KeyError:
            raise UnknownTargetError(f"there is no device '{device_id}' in {self.scenario.name}") from None

    # -- faults -------------------------------------------------------------------------------------------------

    def begin_fault(self, cause: Cause, target: str, by: str, rate: float | None = None) -> Fault:
        """Let ``cause`` work on a device, or a mains cut on a site; return the fault, or the one already there.

        Raises UnknownTargetError, or UnknownCauseError where this product cannot fail so.
        """
        for fault in self.open_faults:
            if fault.cause == cause and fault.device_id == target:
                return fault
        touched = self._touch(cause, target, rate)
        harms = [(at, machine.harm) for machine in touched if (at := machine.forecast(self.now)) is not None]
        unwarned_at, harm = min(harms, default=(None, None), key=lambda pair: pair[0] or self.now)
        fault = Fault(
            id=f"{cause}-{len(self.truth.faults) + 1}",
            cause=cause,
            at=self.now,
            device_id=target,
            devices=tuple(machine.id for machine in touched),
            customer_id=next((machine.device.customer_id for machine in touched), None),
            by=by,
            shows=cause.shows,
            harm=harm,
            unwarned_harm_at=unwarned_at,
        )
        self.truth.injected(fault)
        return fault

    def _touch(self, cause: Cause, target: str, rate: float | None) -> list[Machine]:
        if cause is not Cause.MAINS_CUT:
            machine = self.machine(target)
            machine.begin(cause, rate)
            return [machine]
        if target not in self.sites:
            raise UnknownTargetError(f"there is no site '{target}' in {self.scenario.name}")
        self.sites[target].mains_ok = False
        return [machine for machine in self.machines.values() if machine.site.id == target]

    def mend(self, target: str, by: str, cause: Cause | None = None) -> list[Fault]:
        """Mend what is wrong with a device or site: one cause, or all; return the faults that ended."""
        if target not in self.sites:
            self.machine(target)
        ended = [f for f in self.open_faults if f.device_id == target and cause in (None, Cause(f.cause))]
        for fault in ended:
            if fault.cause == Cause.MAINS_CUT:
                self.sites[target].mains_ok = True
            else:
                self.machines[target].end(Cause(fault.cause))
            fault.mended_at = self.now
            self.truth.record("mended", self.now, id=fault.id, device_id=target, cause=fault.cause, by=by)
        return ended

    def customer_told(self, customer_id: str, device_id: str, at: datetime, kind: str | None = None) -> None:
        """Let a customer hear of their device's trouble: they act on it, or send for somebody who can.

        ``kind`` is that of the rule, where it is known: the announcement of a service makes nobody look for faults.
        Nine in ten act; who does not is drawn from the seed, fault by fault.
        """
        if kind in NOT_ALARMS:
            return
        for fault in self.open_faults:
            if device_id not in (*fault.devices, fault.device_id) or fault.id in self._helped:
                continue
            self._helped.add(fault.id)
            self.truth.record("told", at, id=fault.id, customer_id=customer_id, device_id=device_id)
            # Of noise and a dark display no message speaks, so none makes anybody mend them.
            chance = random.Random(f"{self.seed}/{fault.id}/told")  # noqa: S311 - a play, not a secret
            if not fault.shows or chance.random() < 0.1:
                continue
            least, most = _SELF_HELP if Cause(fault.cause).self_help else _TECHNICIAN
            by = "customer" if Cause(fault.cause).self_help else "technician"
            self._mend_at(max(at, self.now) + least + (most - least) * chance.random(), fault, by)

    def _mend_at(self, at: datetime, fault: Fault, by: str) -> None:
        self.agenda.add(at, lambda _: self.mend(fault.device_id, by, Cause(fault.cause)))

    def _note_harms(self) -> None:
        for fault in self.open_faults:
            if fault.harm_at is not None:
                continue
            harmed = next((name for name in fault.devices if self.machines[name].harmed), None)
            if harmed is not None:
                fault.harm_at, fault.harm = self.now, self.machines[harmed].harm
                self.truth.record("harm", self.now, id=fault.id, device_id=harmed, harm=fault.harm)

    # -- acts ---------------------------------------------------------------------------------------------------

    def _play(self, act: FaultAct | LookAlikeAct | JourneyAct, at: datetime) -> None:
        match act:
            case FaultAct():
                fault = self.begin_fault(act.cause, act.target, "scenario", act.rate)
                if act.noticed_after is not None:
                    self._mend_at(at + act.noticed_after, fault, "customer")
            case LookAlikeAct():
                self._look_alike(act, at)
            case JourneyAct():
                self.set_out(act.kind, act.customer_id, act.shop_id, act.lingers)
            case _:
                assert_never(act)

    def _look_alike(self, act: LookAlikeAct, at: datetime) -> None:
        until = at + act.lasts
        self.truth.record("look_alike", at, kind=act.kind, target=act.target, until=until)
        machine = self.machines.get(act.target)
        if act.kind is LookAlike.PLANNED_POWER_CUT:
            site = self.sites[act.target]
            site.mains_ok = False
            self.agenda.add(until, lambda _: setattr(site, "mains_ok", not self._is_cut(site.id)))
        elif act.kind is LookAlike.NO_SIGNAL and isinstance(machine, BikeMachine):
            machine.signal = False
            self.agenda.add(until, partial(_hear_again, machine))
        elif isinstance(machine, FreezerMachine) and act.kind is LookAlike.DEFROST:
            machine.physics.defrost_forced = True
        elif isinstance(machine, FreezerMachine):
            machine.load(machine.physics.food_kg * 0.15, act.lasts.total_seconds() / 60)

    def _is_cut(self, site_id: str) -> bool:
        return any(fault.cause == Cause.MAINS_CUT and fault.device_id == site_id for fault in self.open_faults)

    # -- journeys -----------------------------------------------------------------------------------------------

    def set_out(
        self, kind: JourneyKind, customer_id: str, shop_id: str | None, lingers: timedelta = timedelta(minutes=4)
    ) -> datetime | None:
        """Let a customer go out now; return when they reach the shop, None if they are out and go later.

        Raises UnknownTargetError for a customer without a phone or an unknown shop.
        """
        phone = self.machines.get(phone_id(customer_id))
        if not isinstance(phone, PhoneMachine):
            raise UnknownTargetError(f"'{customer_id}' has no phone in {self.scenario.name}")
        if shop_id is not None and shop_id not in self.shops:
            raise UnknownTargetError(f"there is no shop '{shop_id}' in {self.scenario.name}")
        if phone.route is not None:
            self.agenda.add(self.now + _TRIES_AGAIN, lambda _: self.set_out(kind, customer_id, shop_id, lingers))
            return None
        route = self._route(kind, phone.home, shop_id, lingers)
        phone.go(route, self.now)
        ends_at = self.now + timedelta(seconds=route.duration_s)
        self.truth.record(
            "journey", self.now, kind=kind, customer_id=customer_id, device_id=phone.id, mode=route.mode, until=ends_at
        )
        self._record_passes(route, customer_id, phone)
        if shop_id is None:
            return None
        reached_s = route.nearest_m(self.shop_places[shop_id])[0] / route.mode.speed_m_s
        return self.now + timedelta(seconds=reached_s)

    def _route(self, kind: JourneyKind, home: Metres, shop_id: str | None, lingers: timedelta) -> Route:
        first, second = self._chance.random() < 0.5, self._chance.random() < 0.5
        if kind is JourneyKind.WALK_PAST_SHOP and shop_id is not None:
            there = self.city.way(home, self.shop_places[shop_id], first)
            pause = Stop(Route(tuple(there), Mode.WALK).length_m, lingers.total_seconds())
            return Route((*there, *self._back(there, home, second)), Mode.WALK, (pause,))
        if kind is JourneyKind.DRIVE_PAST_SHOP and shop_id is not None:
            there = self.city.way(home, self.city.nearest_street(self.shop_places[shop_id]), first)
            on = self._back(there, self._far_from(home), second)
            return Route((*there, *on, *self._back(on, home, first)), Mode.DRIVE)
        if kind is JourneyKind.DRIVE_THROUGH_TUNNEL:
            there = self.city.way(home, self._far_from(home), first)
            length_m = Route(tuple(there), Mode.DRIVE).length_m
            points = (*there, *self._back(there, home, second))
            return Route(points, Mode.DRIVE, tunnel_m=(length_m * 0.2, length_m * 0.2 + 2_000))
        goal = (home[0] + self._chance.uniform(-900, 900), home[1] + self._chance.uniform(-900, 900))
        there = self.city.way(home, self.city.nearest_street(goal), first)
        return Route((*there, *self._back(there, home, second)), Mode.WALK)

    def _back(self, there: list[Metres], to: Metres, along_first: bool) -> list[Metres]:
        return self.city.way(there[-1], to, along_first)[1:]

    def _far_from(self, place: Metres) -> Metres:
        """Return the corner of the city that is farthest from ``place``."""
        middle = self.city.at_corner(self.city.columns / 2, self.city.rows / 2)
        column = self.city.columns if place[0] < middle[0] else 0
        return self.city.at_corner(column, self.city.rows if place[1] < middle[1] else 0)

    def _record_passes(self, route: Route, customer_id: str, phone: PhoneMachine) -> None:
        shops = [(self.shops[name], place) for name, place in self.shop_places.items()]
        owned = [machine.device for machine in self._owned_by(customer_id)]
        customer = self.customers[customer_id]
        for seen in shop_passes(route, self.now, shops, self.zone, customer, owned, self.offers):
            self.truth.record(
                "shop_pass",
                seen.at,
                customer_id=customer_id,
                device_id=phone.id,
                shop_id=seen.shop_id,
                mode=route.mode,
                nearest_m=seen.nearest_m,
                dwell_s=seen.dwell_s,
                offer_due=seen.due,
                reasons=seen.reasons,
            )

    def _owned_by(self, customer_id: str) -> Iterable[Machine]:
        return (machine for machine in self.machines.values() if machine.device.customer_id == customer_id)


def _hear_again(bike: BikeMachine, _: datetime) -> None:
    bike.signal = True
