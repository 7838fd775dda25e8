"""The very engine over recorded data: what rules would have done, and how well where it is known what was wrong."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

from device_models.event import Event, EventKind, TimeSource, Value, rfc3339
from device_models.profile import DeviceProfile
from device_models.registry import Device
from rules.detect import Detector
from rules.evaluator import Fact
from rules.inputs import DeviceContext
from rules.state import DeviceState
from rules.transition import AlertState, Transition

EARLIEST_EPOCH_S = 946_684_800.0
"""1 January 2000: a smaller number is a measured value and no time."""
_MILLISECONDS_FROM = 1e11
_DEVICE_COLUMNS = ("device_id", "device")
_NO_VALUE = frozenset({"", "nan", "null", "none", "n/a", "na"})

Windows = Sequence[tuple[datetime, datetime]]
"""Labelled times in which something was wrong, each (start, end), both included."""


def parse_time(text: str, zone: tzinfo = UTC) -> datetime:
    """Read RFC 3339, ISO 8601 or epoch seconds or milliseconds; ``zone`` is for times that name none.

    Raises ValueError for anything else.
    """
    try:
        number = float(text)
    except ValueError:
        try:
            at = datetime.fromisoformat(text.strip())
        except ValueError as error:
            raise ValueError(f"'{text}' is no time") from error
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    if not math.isfinite(number) or number < EARLIEST_EPOCH_S:
        raise ValueError(f"'{text}' is no time")
    return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC)


def time_column_of(header: Sequence[str], row: Sequence[str]) -> str:
    """Return the first column whose value parses as a time; raises ValueError where there is none."""
    for name, text in zip(header, row, strict=False):
        try:
            parse_time(text)
        except (ValueError, OverflowError, OSError):
            continue
        return name
    raise ValueError(f"none of the columns {', '.join(header)} holds a time; name it with --time-column")


@dataclass(frozen=True, slots=True)
class Columns:
    """How the rows of one table become events."""

    time: int
    values: tuple[tuple[int, str], ...]
    """(index, field) of each."""
    device: int | None = None
    """None: all rows are of one device."""
    zone: tzinfo = UTC

    @classmethod
    def of(cls, header: Sequence[str], time_column: str, mapping: Mapping[str, str], zone: tzinfo = UTC) -> "Columns":
        """Assign columns: ``mapping`` gives a column's field, others keep their names. Raises ValueError."""
        for name in (time_column, *mapping):
            if name not in header:
                raise ValueError(f"there is no column '{name}'; there are {', '.join(header)}")
        device = next((header.index(name) for name in _DEVICE_COLUMNS if name in header and name not in mapping), None)
        values = tuple(
            (index, mapping.get(name, name))
            for index, name in enumerate(header)
            if name != time_column and index != device
        )
        return cls(header.index(time_column), values, device, zone)

    def event(self, row: Sequence[str], device_id: str) -> Event:
        """Make the event of one row; raises ValueError where its time cannot be read or the row is short."""
        values: dict[str, Value] = {}
        try:
            at = parse_time(row[self.time], self.zone)
            for index, name in self.values:
                value = _value(row[index])
                if value is not None:
                    values[name] = value
        except IndexError as error:
            raise ValueError(f"has {len(row)} columns, fewer than the header") from error
        device_id = device_id if self.device is None else row[self.device]
        return Event(device_id, EventKind.STATUS, at, at, TimeSource.DEVICE, "csv", values)


def typical_interval(times: Iterable[datetime]) -> timedelta | None:
    """Return the median time between samples, None for fewer than two."""
    gaps = sorted(later - earlier for earlier, later in pairwise(times) if later > earlier)
    return gaps[len(gaps) // 2] if gaps else None


class Backtest:
    """Feeds events of any number of devices to a detector and keeps the score."""

    def __init__(self, detector: Detector, profile: DeviceProfile) -> None:
        """``profile`` is taken for all devices."""
        self._detector = detector
        self._profile = profile
        self._contexts: dict[str, DeviceContext] = {}
        self._states: dict[str, DeviceState] = {}
        self._first: dict[str, datetime] = {}
        self._last: dict[str, datetime] = {}
        self.samples = 0

    def feed(self, event: Event) -> list[Fact]:
        """Take in one event."""
        device_id = event.device_id
        context = self._contexts.get(device_id)
        if context is None:
            context = DeviceContext(Device(id=device_id, profile=self._profile.name), self._profile)
            self._contexts[device_id] = context
            self._states[device_id] = DeviceState()
            self._first[device_id] = event.received_at
        self.samples += 1
        state = self._states[device_id]
        # A timer that is due before this sample acts first; most events have none to wait for.
        due = state.due_at
        facts: list[Fact] = []
        if due is not None and due < event.received_at:
            state, facts = self._detector.advance(context, state, event.received_at)
        state, made = self._detector.detect(context, state, event)
        self._states[device_id] = state
        self._last[device_id] = event.received_at
        return facts + made if facts else made

    def finish(self) -> Iterator[Fact]:
        """Let the timers act that were due by each device's last sample; what comes after it nobody recorded."""
        for device_id, state in self._states.items():
            until = self._last[device_id] + timedelta(microseconds=1)
            self._states[device_id], facts = self._detector.advance(self._contexts[device_id], state, until)
            yield from facts

    @property
    def device_days(self) -> float:
        """Days between first and last sample, of all devices together."""
        return sum((self._last[d] - first) / timedelta(days=1) for d, first in self._first.items())

    def report(self) -> dict[str, Any]:
        """What was fed and what of it did not count."""
        counters: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for state in self._states.values():
            counters.update(state.counters)
            reasons.update({f"{rule}: {u.reason}": u.count for rule, u in state.unsampled.items()})
        return {
            "samples": self.samples,
            "devices": len(self._states),
            "device_days": round(self.device_days, 2),
            "not_counted": dict(counters),
            "no_sample": dict(reasons),
        }


def alert_line(fact: Transition) -> dict[str, Any]:
    """Return an alert as ``rules backtest`` prints it."""
    explanation = dict(fact.explanation)
    if fact.on_arrival:
        explanation["on_arrival"] = True
    return {
        "rule": fact.rule,
        "device_id": fact.device_id,
        "state": fact.state.value,
        "at": rfc3339(fact.at),
        "severity": fact.severity.value,
        "explanation": explanation | ({"fault": fact.fault} if fact.fault else {}),
    }


@dataclass(slots=True)
class Score:
    """Alerts held against labelled windows: an alert is right if it fires within one."""

    windows: Mapping[str, Windows]
    """By device."""
    right: int = 0
    wrong: int = 0
    _found: dict[tuple[str, int], timedelta] = field(default_factory=dict)

    def add(self, fact: Transition) -> None:
        """Take in one transition; only firing ones count."""
        if fact.state is not AlertState.FIRING:
            return
        hits = [
            (i, start) for i, (start, end) in enumerate(self.windows.get(fact.device_id, ())) if start <= fact.at <= end
        ]
        self.right += bool(hits)
        self.wrong += not hits
        for index, start in hits:
            self._found.setdefault((fact.device_id, index), fact.at - start)

    def as_dict(self, device_days: float) -> dict[str, Any]:
        """Precision, recall over windows, median delay from a window's start, false alarms per device-day."""
        labelled = sum(len(windows) for windows in self.windows.values())
        fired = self.right + self.wrong
        delays = [delay.total_seconds() for delay in self._found.values()]
        return {
            "precision": round(self.right / fired, 4) if fired else None,
            "recall": round(len(self._found) / labelled, 4) if labelled else None,
            "p50_delay_s": statistics.median(delays) if delays else None,
            "false_alarms_per_device_day": round(self.wrong / device_days, 6) if device_days else None,
        }


def summary(facts: Iterable[Transition]) -> dict[str, Any]:
    """Count what there would have been: cases by rule, without those found on arrival, and the hours they open at."""
    cases: Counter[str] = Counter()
    devices: defaultdict[str, set[str]] = defaultdict(set)
    hours: Counter[int] = Counter()
    for fact in facts:
        if fact.state is AlertState.FIRING and not fact.on_arrival:
            cases[fact.rule] += 1
            devices[fact.rule].add(fact.device_id)
            hours[fact.at.hour] += 1
    return {
        "cases": sum(cases.values()),
        "by_rule": {rule: {"cases": count, "devices": len(devices[rule])} for rule, count in sorted(cases.items())},
        "by_hour_utc": {str(hour): hours[hour] for hour in sorted(hours)},
    }


def _value(text: str) -> Value | None:
    try:
        number = float(text)
    except ValueError:
        word = text.strip()
        if word.lower() in _NO_VALUE:
            return None
        return word.lower() == "true" if word.lower() in ("true", "false") else word
    return number if math.isfinite(number) else None
