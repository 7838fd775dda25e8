"""A device's service plans as staff read them: when each is due, and how much of it is used."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from device_models.profile import DeviceProfile, ServicePlan
from gateway.web.language import day_text, number_text, say
from gateway.web.wording import field_spec, moment, text_in


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One plan of a device."""

    title: str
    text: str
    """Such as "due 3 May 2027 · 1,200 of 4,000 h"."""
    overdue: bool


def upkeep_of(explained: Sequence[Mapping[str, Any]], profile: DeviceProfile | None, now: datetime) -> list[Upkeep]:
    """Tell of each plan that a maintenance rule watches; ``explained`` as ``rules.explain`` gives it."""
    watched = (rule for rule in explained if rule.get("kind") == "maintenance" and rule.get("applies", True))
    plans = profile.maintenance if profile is not None else {}
    return [
        _told(plans[name], known, profile, now)
        for rule in watched
        for name, known in rule.get("plans", {}).items()
        if name in plans
    ]


def _told(plan: ServicePlan, known: Mapping[str, Any], profile: DeviceProfile | None, now: datetime) -> Upkeep:
    since = moment(known.get("since"))
    due_at = since + plan.every if since is not None and plan.every is not None else None
    overdue = due_at is not None and due_at <= now
    parts = []
    if due_at is not None:
        day = day_text(due_at, year=True)
        parts.append(say("overdue since {1}", day) if overdue else say("due {1}", day))
    for field, used, every in _counted(plan, known):
        overdue |= used >= every
        parts.append(
            say("{1} of {2} {3}", number_text(used, 0), number_text(every, 0), field_spec(profile, field).unit)
        )
    return Upkeep(text_in(plan.title), " · ".join(parts), overdue)


def _counted(plan: ServicePlan, known: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    limits = (
        (plan.hours_field, plan.every_hours),
        (plan.cycles_field, plan.every_cycles),
        (plan.km_field, plan.every_km),
    )
    for field, every in limits:
        points = known.get("usage", {}).get(field)
        if every is not None and points and field in known.get("counters", {}):
            yield field, points[-1][1] - known["counters"][field], every
