"""How a rule would have done on cases that people judged: the very engine run over what was recorded around them."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from device_models.event import Value
from device_models.profile import DeviceProfile
from device_models.registry import Device
from rules.authoring.precision import wilson
from rules.base import BaseRule
from rules.detect import Detector
from rules.recordings.backtest import Backtest
from rules.schema import RuleSet
from rules.transition import AlertState, Transition

Sample = tuple[datetime, Mapping[str, Value]]
Span = tuple[datetime, datetime | None]
"""When an alert fired and until when; None: it still did at the end."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A time on one device of which somebody said whether something was wrong."""

    device_id: str
    real: bool
    begins: datetime
    """Since when the condition held, or the fault was there."""
    ends: datetime


@dataclass(frozen=True, slots=True)
class Recording:
    """What devices said around judged cases."""

    samples: Mapping[str, Sequence[Sample]]
    """By device, each in the order of time."""
    devices: Mapping[str, Device] = field(default_factory=dict)
    profiles: Mapping[str, DeviceProfile] = field(default_factory=dict)
    """By name; a device that is not registered has the profile of the rule."""

    @property
    def size(self) -> int:
        """How many samples."""
        return sum(len(samples) for samples in self.samples.values())


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of one setting of a rule."""

    found: tuple[bool, ...]
    """For each episode whether the rule fires in it."""
    real: tuple[bool, ...]
    alerts: int
    """Firings in all."""
    unjudged: int
    """Firings that meet no judged episode: nobody knows."""
    joined: int = 0
    """Firings that meet several: one that went on and on has found nothing new."""

    @property
    def right(self) -> int:
        """Real episodes that are found."""
        return sum(hit and real for hit, real in zip(self.found, self.real, strict=True))

    @property
    def wrong(self) -> int:
        """False alarms that are raised again."""
        return sum(self.found) - self.right

    @property
    def precision(self) -> float | None:
        """The share of what is found that is real; None where nothing is found."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else None

    @property
    def recall(self) -> float | None:
        """The share of what is real that is found; None where nothing was real."""
        return self.right / sum(self.real) if any(self.real) else None

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        precision, recall = self.precision, self.recall
        interval = wilson(self.right, self.right + self.wrong)
        return {
            "real_found": self.right,
            "false_alarms": self.wrong,
            "precision": None if precision is None else round(precision, 4),
            "precision_95": [round(bound, 4) for bound in interval] if interval else None,
            "recall": None if recall is None else round(recall, 4),
            "alerts": self.alerts,
            "unjudged_alerts": self.unjudged,
        }


def try_rule(rule: BaseRule, profile: DeviceProfile, recording: Recording, episodes: Sequence[Episode]) -> Figures:
    """Run ``rule`` over a recording and hold its firings against ``episodes``.

    An episode is found where an alert is open at some time of it: a rule that fires before the fault is judged to
    begin and goes on firing has found it as well. Found on arrival is not found: nobody would have been told.
    """
    return held_against(dict(_firings(rule, profile, recording)), episodes)


def held_against(spans: Mapping[str, Sequence[Span]], episodes: Sequence[Episode]) -> Figures:
    """Hold one rule's firings, by device, against ``episodes``."""
    found: list[bool] = []
    met: Counter[tuple[str, int]] = Counter()
    for episode in episodes:
        hits = [
            (episode.device_id, index)
            for index, (begins, ends) in enumerate(spans.get(episode.device_id, ()))
            if begins <= episode.ends and (ends is None or ends >= episode.begins)
        ]
        found.append(bool(hits))
        met.update(hits)
    alerts = sum(map(len, spans.values()))
    joined = sum(count > 1 for count in met.values())
    return Figures(tuple(found), tuple(episode.real for episode in episodes), alerts, alerts - len(met), joined)


def _firings(rule: BaseRule, profile: DeviceProfile, recording: Recording) -> Iterator[tuple[str, list[Span]]]:
    """Yield for each device when the rule fired."""
    live = rule.model_copy(update={"mode": "live"})
    detector = Detector(RuleSet.of([live]), {**recording.profiles, profile.name: profile})
    run = Backtest(detector, profile, recording.devices, recording.profiles)
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for device_id, samples in recording.samples.items():
        for at, values in samples:
            for fact in run.take(device_id, at, values):
                _take(spans, fact)
    for fact in run.finish():
        _take(spans, fact)
    yield from spans.items()


def _take(spans: Mapping[str, list[Span]], fact: object) -> None:
    if not isinstance(fact, Transition) or fact.on_arrival:
        return
    of_device = spans[fact.device_id]
    if fact.state is AlertState.FIRING:
        of_device.append((fact.at, None))
    elif fact.state is AlertState.RESOLVED and of_device and of_device[-1][1] is None:
        of_device[-1] = (of_device[-1][0], fact.at)


def longest(episodes: Sequence[Episode]) -> timedelta:
    """How long the longest of them is; 0 for none."""
    return max((episode.ends - episode.begins for episode in episodes), default=timedelta(0))
