"""What the seed makes of a scenario's plans: which products, people and shops, and when."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from simulator.machines.base import Machine
from simulator.machines.cause import Cause
from simulator.machines.freezer import FreezerMachine
from simulator.scenario import FaultPlan, JourneyKind, JourneyPlan, LookAlike, LookAlikePlan, Scenario, Span

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class FaultAct:
    """``cause`` begins to work on ``target`` (a device, or a site for a mains cut) at ``at``."""

    at: datetime
    cause: Cause
    target: str
    rate: float | None
    noticed_after: timedelta | None


@dataclass(frozen=True, slots=True)
class LookAlikeAct:
    """Something harmless begins at ``at`` and lasts ``lasts``."""

    at: datetime
    kind: LookAlike
    target: str
    lasts: timedelta


@dataclass(frozen=True, slots=True)
class JourneyAct:
    """Somebody sets out at ``at``."""

    at: datetime
    kind: JourneyKind
    customer_id: str
    shop_id: str | None
    lingers: timedelta


Act = FaultAct | LookAlikeAct | JourneyAct


def plot(scenario: Scenario, machines: Mapping[str, Machine], seed: int, starts_at: datetime) -> list[Act]:
    """Draw all acts of a run, in order of time. The same arguments give the same acts.

    No product gets two faults, and none with a fault gets a look-alike: what a case was about stays beyond doubt.
    """
    faults, spoilt = _faults(scenario, machines, random.Random(f"{seed}/faults"), starts_at)  # noqa: S311 - a play
    look_alikes = _look_alikes(scenario, machines, random.Random(f"{seed}/look-alikes"), starts_at, spoilt)  # noqa: S311
    journeys = _journeys(scenario, random.Random(f"{seed}/journeys"), starts_at)  # noqa: S311 - a play
    acts: list[Act] = [*faults, *look_alikes, *journeys]
    return sorted(acts, key=lambda act: act.at)


def _faults(
    scenario: Scenario, machines: Mapping[str, Machine], rng: random.Random, starts_at: datetime
) -> tuple[list[FaultAct], set[str]]:
    acts: list[FaultAct] = []
    taken: set[str] = set()
    # Those that name their devices go first, so that the others do not take these away.
    for plan in sorted(scenario.faults, key=lambda plan: not plan.among):
        free = [name for name in _can_fail(plan, scenario, machines) if name not in taken]
        for target in _sample(rng, free, plan.count):
            acts.append(FaultAct(_when(rng, plan.at, starts_at), plan.cause, target, plan.rate, plan.noticed_after))
            taken |= {target} | {machine.id for machine in machines.values() if machine.site.id == target}
            taken |= {machines[target].site.id} if target in machines else set()
    return acts, taken


def _can_fail(plan: FaultPlan, scenario: Scenario, machines: Mapping[str, Machine]) -> list[str]:
    if plan.cause is Cause.MAINS_CUT:
        with_freezer = {machine.site.id for machine in machines.values() if isinstance(machine, FreezerMachine)}
        return [site.id for site in scenario.sites if site.id in (plan.among or with_freezer)]
    able = [name for name, machine in machines.items() if plan.cause in machine.causes]
    return [name for name in able if not plan.among or name in plan.among]


def _look_alikes(
    scenario: Scenario, machines: Mapping[str, Machine], rng: random.Random, starts_at: datetime, spoilt: set[str]
) -> list[LookAlikeAct]:
    acts = []
    for plan in scenario.look_alikes:
        free = [name for name in _can_resemble(plan, scenario, machines) if name not in spoilt]
        drawn = _sample(rng, free, plan.count)
        acts += [LookAlikeAct(_when(rng, plan.at, starts_at), plan.kind, target, plan.lasts) for target in drawn]
    return acts


def _can_resemble(plan: LookAlikePlan, scenario: Scenario, machines: Mapping[str, Machine]) -> list[str]:
    able: Callable[[Machine], bool] = lambda machine: isinstance(machine, FreezerMachine)  # noqa: E731 - one of three
    if plan.kind is LookAlike.PLANNED_POWER_CUT:
        names: Iterable[str] = (site.id for site in scenario.sites)
    elif plan.kind is LookAlike.NO_SIGNAL:
        names = (bike.id for bike in scenario.bikes)
    else:
        names = (name for name, machine in machines.items() if able(machine))
    return [name for name in names if not plan.among or name in plan.among]


def _journeys(scenario: Scenario, rng: random.Random, starts_at: datetime) -> list[JourneyAct]:
    acts = []
    for plan in scenario.journeys:
        people = [phone.customer for phone in scenario.phones if not plan.customers or phone.customer in plan.customers]
        shops = [shop.id for shop in scenario.shops if not plan.shops or shop.id in plan.shops]
        # Everybody goes once before anybody goes twice.
        drawn = [
            name for _ in range(1 + plan.count // max(1, len(people))) for name in _sample(rng, people, len(people))
        ]
        acts += [_journey(plan, name, shops, rng, starts_at) for name in drawn[: plan.count]]
    return acts


def _journey(
    plan: JourneyPlan, customer: str, shops: Sequence[str], rng: random.Random, starts_at: datetime
) -> JourneyAct:
    to_shop = plan.kind in (JourneyKind.WALK_PAST_SHOP, JourneyKind.DRIVE_PAST_SHOP)
    shop = rng.choice(shops) if to_shop and shops else None
    return JourneyAct(_when(rng, plan.at, starts_at), plan.kind, customer, shop, plan.lingers)


def _when(rng: random.Random, span: Span, starts_at: datetime) -> datetime:
    seconds = rng.uniform(span[0].total_seconds(), span[1].total_seconds())
    return starts_at + timedelta(seconds=round(seconds))


def _sample(rng: random.Random, names: Sequence[_T], count: int) -> list[_T]:
    return rng.sample(names, min(count, len(names)))
