"""One rule set on trial: its alerts, what would have come of them, and how well it did."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from device_models.event import Event
from device_models.profile import DeviceProfile
from device_models.registry import Offer, Shop
from gateway.cli.backtest_sources import Item, Source
from rules.backtest import Backtest, alert_line, visit_line
from rules.detect import Detector
from rules.evaluator import Fact
from rules.fleet_recording import FleetRecording
from rules.kinds.fleet import FleetRule
from rules.outlook import Outlook
from rules.schema import RuleSet
from rules.score import Score
from rules.spatial_index import ShopIndex
from rules.transition import AlertState, Transition, Visit

_SHOWN = frozenset({AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED})
_NAME_WIDTH = 28


class Trial:
    """Runs a rule set over a source."""

    def __init__(
        self,
        ruleset: RuleSet,
        profile: DeviceProfile,
        source: Source,
        shops: Sequence[Shop],
        offers: Sequence[Offer],
        zone: tzinfo,
        score: Score | None,
    ) -> None:
        profiles = {**source.profiles, profile.name: profile}
        detector = Detector(ruleset, profiles, ShopIndex(shops))
        self._ruleset = ruleset
        self._backtest = Backtest(
            detector, profile, source.devices, source.profiles, customers=source.customers, zone=zone
        )
        self._outlook = Outlook(
            ruleset.rules,
            profile,
            devices=source.devices,
            customers=source.customers,
            shops=shops,
            offers=offers,
            zone=zone,
        )
        # Whether devices fail alike shows side by side: then what comes of facts is worked out at the end.
        fleets = any(isinstance(rule, FleetRule) for rule in ruleset.rules)
        self._fleet = FleetRecording(source.devices) if fleets else None
        self._score = score
        self.alerts: list[Transition] = []
        """All that fired or resolved, in order."""

    @property
    def samples(self) -> int:
        """How many were taken in."""
        return self._backtest.samples

    def take(self, item: Item) -> Sequence[dict[str, Any]]:
        """Take in one sample or event; return the lines to print."""
        facts = self._backtest.feed(item) if isinstance(item, Event) else self._backtest.take(*item)
        if self._fleet is not None and not isinstance(item, Event):
            self._fleet.look(*item)
        return self._lines(facts) if facts else ()

    def finish(self) -> Sequence[dict[str, Any]]:
        """Let the last timers act; return the lines to print."""
        lines = self._lines(self._backtest.finish())
        if self._fleet is not None:
            lines += [alert_line(incident) for incident in self._outlook.add_in_order(self._fleet)]
        return lines

    def report(self) -> dict[str, Any]:
        """Return the summary, JSON-ready."""
        told = self._backtest.report() | self._outlook.as_dict()
        return told | (self._score.as_dict(self._backtest.device_days) if self._score else {})

    def _lines(self, facts: Iterable[Fact]) -> list[dict[str, Any]]:
        lines = []
        for fact in facts:
            decision = None
            if self._fleet is None or isinstance(fact, Visit):
                decision = self._outlook.add(fact)
            else:
                self._fleet.add(fact)
            if isinstance(fact, Visit):
                if fact.withheld is None and decision is not None:
                    lines.append(visit_line(fact, self._ruleset, decision.explanation))
                continue
            if fact.state in _SHOWN:
                lines.append(alert_line(fact))
            if fact.state in (AlertState.FIRING, AlertState.RESOLVED):
                self.alerts.append(fact)
            if self._score is not None:
                self._score.add(fact)
        return lines


def side_by_side(told: Mapping[str, str], trials: Sequence[Trial], names: Sequence[str]) -> Iterator[str]:
    """Write the summary of one trial, or of two in columns."""
    reports = [trial.report() for trial in trials]
    for name, said in told.items():
        yield f"{name:>{_NAME_WIDTH}}  {said}"
    if len(reports) == 1:
        for name, value in reports[0].items():
            yield f"{name:>{_NAME_WIDTH}}  {json.dumps(value, ensure_ascii=False)}"
        return
    rows = [("", *names)]
    for name in dict.fromkeys(name for report in reports for name in report):
        columns = [_flattened(name, report.get(name)) for report in reports]
        inner = sorted({key for column in columns for key in column}, key=_in_order)
        rows += [(key, *(_cell(column.get(key)) for column in columns)) for key in inner]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        yield f"{row[0]:>{max(widths[0], _NAME_WIDTH)}}  " + "  ".join(cells)


def _flattened(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: value}
    return {key: said for inner, more in value.items() for key, said in _flattened(f"{name} {inner}", more).items()}


def _in_order(key: str) -> tuple[object, ...]:
    """Hours by number, everything else by name."""
    return tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in key.split())


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
