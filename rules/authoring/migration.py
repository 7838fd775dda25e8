"""What going live does: how two rule sets differ, and what becomes of the alerts that are open."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rules.base import BaseRule
from rules.evaluator import Fact
from rules.schema import RuleSet
from rules.state import DeviceState
from rules.transition import Transition


@dataclass(frozen=True, slots=True)
class Difference:
    """How one rule differs between two sets."""

    rule: str
    change: Literal["added", "removed", "changed"]
    fields: Mapping[str, tuple[Any, Any]]
    """(before, after) of each setting that changed, as rule files write them; None: not set. Empty unless changed."""


def differences(before: RuleSet, after: RuleSet) -> list[Difference]:
    """Compare two rule sets rule by rule; those that are the same in both are left out."""
    old, new = ({rule.id: rule for rule in ruleset.rules} for ruleset in (before, after))
    found = [Difference(rule, "removed", {}) for rule in old if rule not in new]
    for rule_id, rule in new.items():
        if rule_id not in old:
            found.append(Difference(rule_id, "added", {}))
        elif changed := _changed(old[rule_id], rule):
            found.append(Difference(rule_id, "changed", changed))
    return found


class Migration:
    """Counts over all devices what putting a rule set live kept, reset and closed, by rule."""

    def __init__(self, before: RuleSet, after: RuleSet) -> None:
        self._differences = differences(before, after)
        self._kept: Counter[str] = Counter()
        self._reset: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._why: defaultdict[str, set[str]] = defaultdict(set)

    def take(self, before: DeviceState, after: DeviceState, facts: Iterable[Fact]) -> None:
        """Take in what reconciling one device did."""
        for fact in facts:
            if isinstance(fact, Transition) and (reason := fact.explanation.get("reason")):
                self._why[fact.rule].add(str(reason))
        for rule_id, state in before.rules.items():
            new = after.rules.get(rule_id)
            for fault, alert in state.alerts.items():
                if not alert.is_open:
                    continue
                if new is None:
                    self._closed[rule_id] += 1
                elif fault in new.alerts and new.alerts[fault].is_open:
                    self._kept[rule_id] += 1
                else:
                    self._reset[rule_id] += 1

    def as_list(self) -> list[dict[str, Any]]:
        """Return one mapping for each rule that changed or had open alerts, JSON-ready.

        ``rule``, ``change`` (added | removed | changed | same), ``fields`` ({name: [before, after]}), ``kept``,
        ``reset`` and ``closed`` (counts of alerts), ``why`` (reasons of what was reset or closed).
        """
        found = {difference.rule: difference for difference in self._differences}
        touched = dict.fromkeys([*found, *self._kept, *self._reset, *self._closed])
        return [
            {
                "rule": rule,
                "change": found[rule].change if rule in found else "same",
                "fields": {name: list(pair) for name, pair in found[rule].fields.items()} if rule in found else {},
                "kept": self._kept[rule],
                "reset": self._reset[rule],
                "closed": self._closed[rule],
                "why": sorted(self._why[rule]),
            }
            for rule in touched
        ]


def as_written(rule: BaseRule) -> dict[str, Any]:
    """Return a rule as a file would write it, JSON-ready, what is not set left out."""
    said = rule.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {"id": rule.id, "kind": rule.kind} | said


def _changed(before: BaseRule, after: BaseRule) -> dict[str, tuple[Any, Any]]:
    old, new = as_written(before), as_written(after)
    return {
        name: (old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)
    }
