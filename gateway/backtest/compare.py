"""Two rule sets over the same recorded data: what each would have done, and where they part."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from device_models.event import rfc3339
from gateway.backtest.trial import Trial
from rules.authoring.migration import differences
from rules.kinds.fleet import FleetRule
from rules.recordings.judged import Episode, Figures, Span, held_against
from rules.schema import RuleSet
from rules.transition import AlertState, Transition

MOST_NAMED = 50
"""Firings that are named one by one; the others are counted."""

Firings = Mapping[tuple[str, str, str], Sequence[Span]]
"""By (rule, device, fault), each in the order of time; what was found on arrival is not among them."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A time in which one of the two fires and the other does not."""

    rule: str
    device_id: str
    begins: datetime
    ends: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "rule": self.rule,
            "device_id": self.device_id,
            "at": rfc3339(self.begins),
            "until": rfc3339(self.ends) if self.ends else None,
        }


def in_question(before: RuleSet, after: RuleSet, chosen: Collection[str]) -> tuple[RuleSet, RuleSet]:
    """Leave out what does the same in both: kept are the rules that differ or are ``chosen``, and those that either set
    joins to them (what inhibits or counts what)."""
    wanted = {difference.rule for difference in differences(before, after)} | set(chosen)
    links = [(rule.id, other) for ruleset in (before, after) for rule in ruleset.rules for other in _named_by(rule)]
    grown = True
    while grown:
        more = {end for link in links for end in link if wanted & set(link)} - wanted
        wanted |= more
        grown = bool(more)
    return tuple(RuleSet.of(rule for rule in ruleset.rules if rule.id in wanted) for ruleset in (before, after))  # type: ignore[return-value]


def firings(alerts: Iterable[Transition]) -> Firings:
    """Join alerts, in the order of time, to spans."""
    spans: defaultdict[tuple[str, str, str], list[Span]] = defaultdict(list)
    for fact in alerts:
        of_alert = spans[fact.rule, fact.device_id, fact.fault]
        if fact.state is AlertState.FIRING and not fact.on_arrival:
            of_alert.append((fact.at, None))
        elif fact.state is AlertState.RESOLVED and of_alert and of_alert[-1][1] is None:
            of_alert[-1] = (of_alert[-1][0], fact.at)
    return spans


def only_in(these: Firings, others: Firings) -> list[Firing]:
    """Return what fires in ``these`` at no time at which the same alert fires in ``others``, the newest first."""
    found = [
        Firing(rule, device_id, begins, ends)
        for (rule, device_id, fault), spans in these.items()
        for begins, ends in spans
        if not any(_meet((begins, ends), other) for other in others.get((rule, device_id, fault), ()))
    ]
    return sorted(found, key=lambda firing: firing.begins, reverse=True)


def judged(spans: Firings, episodes: Mapping[str, Sequence[Episode]]) -> dict[str, Any]:
    """Hold firings against what people said of cases, by rule; JSON-ready."""
    figures = [_of_rule(spans, rule, of_rule) for rule, of_rule in episodes.items()]
    return {
        "real": sum(sum(each.real) for each in figures),
        "real_found": sum(each.right for each in figures),
        "false": sum(len(each.real) - sum(each.real) for each in figures),
        "false_alarms": sum(each.wrong for each in figures),
    }


def compared(before: Trial, after: Trial, episodes: Mapping[str, Sequence[Episode]]) -> dict[str, Any]:
    """Tell what two trials came to, once both are finished; JSON-ready.

    ``live``, ``draft``: as ``Trial.report``, with ``judged`` where there are verdicts; ``appear``, ``vanish``: firings
    of the draft alone and of what is live alone, ``{"count", "firings"}``.
    """
    old, new = firings(before.alerts), firings(after.alerts)
    told: dict[str, Any] = {"live": before.report(), "draft": after.report()}
    if episodes:
        told["live"]["judged"], told["draft"]["judged"] = judged(old, episodes), judged(new, episodes)
    for name, found in (("appear", only_in(new, old)), ("vanish", only_in(old, new))):
        told[name] = {"count": len(found), "firings": [firing.as_dict() for firing in found[:MOST_NAMED]]}
    return told


def _of_rule(spans: Firings, rule: str, episodes: Sequence[Episode]) -> Figures:
    by_device: defaultdict[str, list[Span]] = defaultdict(list)
    for (of, device_id, _), times in spans.items():
        if of == rule:
            by_device[device_id] += times
    return held_against(by_device, episodes)


def _named_by(rule: Any) -> Sequence[str]:
    return (*rule.inhibited_by, *(rule.of if isinstance(rule, FleetRule) else ()))


def _meet(one: Span, other: Span) -> bool:
    (begins, ends), (other_begins, other_ends) = one, other
    return (ends is None or other_begins <= ends) and (other_ends is None or begins <= other_ends)
