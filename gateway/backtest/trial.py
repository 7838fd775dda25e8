"""One rule set on trial: its alerts, what would have come of them, and how well it did."""

from collections.abc import Iterable, Sequence
from datetime import tzinfo
from typing import Any

from device_models.event import Event
from device_models.profile import DeviceProfile
from device_models.registry import Offer, Shop
from gateway.backtest.sources import Item, Source
from rules.detect import Detector
from rules.evaluator import Fact
from rules.kinds.fleet import FleetRule
from rules.recordings.backtest import Backtest, alert_line, visit_line
from rules.recordings.fleet_recording import FleetRecording
from rules.recordings.outlook import Outlook
from rules.recordings.score import Score
from rules.schema import RuleSet
from rules.spatial_index import ShopIndex
from rules.transition import AlertState, Transition, Visit

_SHOWN = frozenset({AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED})


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
