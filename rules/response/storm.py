"""Storm: when more cases would open at once than people can read, the openings are held under one parent.

From life: a maker's cloud sends a wrong limit, and nine hundred cases open within ten minutes, each right and all of
them one. From the fifty-first on they are held under one case; each customer gets one message, and staff see one line.
A person releases them, or takes them for one incident; else they open by and by as there is room, and what is over by
then never was a case.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from device_models.event import rfc3339
from device_models.purpose import Purpose
from rules.kinds.fleet import FleetRule
from rules.response import incident_titles
from rules.response.crowd import Crowd
from rules.response.device_facts import device_facts
from rules.response.episode import end
from rules.response.notice import notice
from rules.response.roster import Member
from rules.response.withheld import KnownAlert, Withheld
from rules.response.world import (
    Action,
    AddToCase,
    CaseRecord,
    KeepAlert,
    KeepCrowd,
    KeepMember,
    OpenCase,
    World,
)
from rules.transition import Transition

STORM = "storm"
"""Key of the crowd of held openings, dedupe key of its case and what stands for its rule."""
RELEASED = "storm:released"
"""What holds an opening that a person released: nothing any more, it opens when it is looked at."""


@dataclass(frozen=True, slots=True)
class StormLimits:
    """When openings are a storm."""

    openings: int
    """More than so many …"""
    within: timedelta
    """… within this time. Also how often what is held is looked at again."""

    @property
    def counted(self) -> FleetRule:
        """How the openings are counted: as a crowd to which every device is alike."""
        return FleetRule(id=STORM, of=(STORM,), alike=("profile",), within=self.within)


@dataclass(frozen=True, slots=True)
class Opening:
    """What becomes of a case that would open."""

    actions: Sequence[Action] = ()
    held: bool = False


def hold_opening(world: World, transition: Transition, *, released: bool = False) -> Opening:
    """Count a case that would open now, and hold it where there are too many. Faults about safety are never held."""
    limits = world.storm
    known = world.roster.get(STORM, transition.device_id)
    again = known is not None and transition.dedupe_key in known.faults
    if limits is None or transition.on_arrival or transition.purpose is Purpose.SAFETY:
        return Opening(_let_go(world, transition, world.crowds.get(STORM), known) if again else ())
    counted = limits.counted
    crowd = world.crowds.get(STORM) or Crowd.empty(STORM, counted, {}, transition.at)
    crowd = crowd.learned(counted, transition.at, 0, in_incident=True)
    openings = sum(crowd.buckets.values())
    if released or openings < limits.openings:
        # One that was held was counted when it came; it is counted again as it opens, so that they open by and by.
        crowd = crowd.counting(counted, transition.at, None)
        return Opening(_let_go(world, transition, crowd, known) if again else [KeepCrowd(crowd)])
    if again:
        return Opening([*_keep(world, transition, limits)], held=True)
    crowd = crowd.counting(counted, transition.at, None)
    return Opening(_hold(world, transition, crowd, known, limits), held=True)


def _hold(
    world: World, transition: Transition, crowd: Crowd, known: Member | None, limits: StormLimits
) -> list[Action]:
    device = world.devices.get(transition.device_id)
    customer_id = device.customer_id if device else None
    parent = world.cases.get(STORM)
    actions: list[Action] = []
    if parent is None or not parent.open:
        parent = CaseRecord(
            id=world.next_case_id,
            dedupe_key=STORM,
            rule=STORM,
            device_id=transition.device_id,
            customer_id=None,
            kind="incident",
            purpose=Purpose.FAULT,
            severity=transition.severity,
            open=True,
            on_arrival=False,
            opened_at=transition.at,
        )
        crowd = replace(crowd, failing=0)
        before = world.cases.get(STORM)
        actions.append(OpenCase(parent, _begun(transition, crowd, limits), before.id if before else None))
    elif transition.severity.rank > parent.severity.rank:
        parent = replace(parent, severity=transition.severity)
        actions.append(AddToCase(parent, transition))
    was_held = known is not None and known.incident == parent.id
    faults = (known.faults if known is not None and was_held else frozenset()) | {transition.dedupe_key}
    member = Member(STORM, transition.device_id, customer_id, transition.at, faults, parent.id)
    actions += [
        KeepCrowd(replace(crowd, failing=crowd.failing + (len(faults) == 1))),
        KeepMember(member),
        KeepAlert(_held(transition, parent, limits)),
    ]
    facts = {
        **device_facts(device, world.profiles),
        "kind": transition.explanation.get("kind"),
        "widespread": True,
    }
    for hearer in world.hearers(transition.device_id, transition.purpose):
        theirs = [each.device_id for each in world.roster.of_customer(STORM, hearer.id) if each.failing]
        names = dict.fromkeys([*theirs, transition.device_id])
        devices = [world.devices[name] for name in names if name in world.devices]
        message = notice(world, parent, hearer.id, devices, transition, facts)
        actions.append(replace(message, purpose=transition.purpose, refresh=True))
    return actions


def _keep(world: World, transition: Transition, limits: StormLimits) -> list[Action]:
    parent = world.cases.get(STORM)
    return [KeepAlert(_held(transition, parent, limits))] if parent is not None else []


def _held(transition: Transition, parent: CaseRecord, limits: StormLimits) -> KnownAlert:
    return KnownAlert(transition, Withheld("storm", STORM, transition.at + limits.within, {"case_id": parent.id}))


def _let_go(world: World, transition: Transition, crowd: Crowd | None, known: Member | None) -> list[Action]:
    """A held case opens: it leaves the parent, which ends with the last."""
    if known is None or crowd is None:
        return []
    member = replace(known, faults=known.faults - {transition.dedupe_key})
    crowd = crowd if member.failing else replace(crowd, failing=max(0, crowd.failing - 1))
    actions: list[Action] = [KeepMember(member), KeepCrowd(crowd)]
    parent = world.cases.get(STORM)
    if crowd.failing == 0 and parent is not None and parent.open:
        explanation = {
            "kind": "incident",
            "title": dict(incident_titles.STORM),
            "advice": {},
            "since": rfc3339(parent.opened_at),
        }
        last = replace(transition, explanation=explanation)
        actions += end(parent, last, "each of its faults has its own case by now")
    return actions


def _begun(transition: Transition, crowd: Crowd, limits: StormLimits) -> Transition:
    explanation = {
        "kind": "incident",
        "title": dict(incident_titles.STORM),
        "advice": {},
        "since": rfc3339(transition.at),
        "openings": sum(crowd.buckets.values()),
        "within_s": limits.within.total_seconds(),
        "limit_openings": limits.openings,
    }
    return replace(transition, explanation=explanation)
