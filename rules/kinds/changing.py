"""How a value moves, measured sample by sample: what the kind ``change`` asks of it.

Each measure keeps one small window in the rule's memory and judges it. How that becomes an alert is not its affair.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal, NamedTuple

from device_models.duration import format_duration
from device_models.units import converter
from rules.evaluator import Moment
from rules.expression import Expression, NoSample
from rules.windows import Ends, Extreme, Steady, Times, at_least

Memory = Mapping[str, Any]
"""JSON-ready; its key ``of`` says what it was measured of, so that an edited rule reads no other's samples."""

_UPTIME_SLACK_S = 60.0
"""How late a message may arrive without its uptime looking as if the device had started in between."""


class Judgement(NamedTuple):
    """What a measure makes of its window."""

    holds: bool
    since_s: float
    """When what it tells of began."""
    told: Mapping[str, Any]
    """For the explanation."""


class Measure(ABC):
    """One form of the kind."""

    clears_by: ClassVar[Literal["return", "quiet", "not_holding"]]
    """What ends an alert where the rule has no ``clear_when``: the value came back, a whole window passed without
    another occurrence, or it holds no longer."""

    def __init__(self, *, of: str, says: str, reads: frozenset[str], field: str | None = None) -> None:
        self.of = of
        """What it measures: the name of its memory."""
        self.says = says
        """What holds when it holds, for staff."""
        self.reads = reads
        self.field = field
        """The field that its explanation is about."""

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What it evaluates."""
        return ()

    @abstractmethod
    def take(self, memory: Memory, moment: Moment, *, excused: bool) -> Memory | NoSample:
        """Take in an event that brings one of ``reads``. ``excused``: the rule's ``unless`` holds."""

    def excuse(self, memory: Memory) -> Memory:
        """Return what is left of the memory once ``unless`` holds."""
        return memory

    @abstractmethod
    def judge(self, memory: Memory, at_s: float) -> Judgement | NoSample:
        """Judge a memory that has taken in something, at the time of its last sample or later."""


class Move(Measure):
    """The value rose or fell by an amount within a time: the latest against the window's lowest or highest."""

    clears_by = "return"

    def __init__(self, field: str, amount: float, sign: Literal[1, -1], within_s: float) -> None:
        """``amount``: more than 0, in the profile's unit; ``sign``: 1 for a rise."""
        verb, self._which = ("rises", "lowest") if sign > 0 else ("falls", "highest")
        super().__init__(
            of=f"{self._which} {field}",
            says=f"{field} {verb} by {amount:g} within {span_text(within_s)}",
            reads=frozenset({field}),
            field=field,
        )
        self._name, self._amount, self._sign, self._within_s = field, amount, sign, within_s

    def take(self, memory: Memory, moment: Moment, *, excused: bool) -> Memory | NoSample:
        """Keep the extreme that the value moves away from."""
        value = number_of(moment, self._name)
        if isinstance(value, NoSample):
            return value
        window = self._window(memory).after(moment.at.timestamp(), value, self._within_s)
        return {"of": self.of, "rows": window.rows}

    def judge(self, memory: Memory, at_s: float) -> Judgement | NoSample:
        """Hold the newest value against the extreme."""
        extreme = self._window(memory)
        sampled_at_s, value = extreme.rows[-1]
        change = value - extreme.value
        told = {
            "change": rounded(change),
            "from": extreme.value,
            "over_s": sampled_at_s - extreme.at_s,
            "within_s": self._within_s,
            "direction": "above" if self._sign > 0 else "below",
        }
        return Judgement(at_least(change * self._sign, self._amount), extreme.at_s, told)

    def _window(self, memory: Memory) -> Extreme:
        return Extreme("lowest" if self._sign > 0 else "highest", memory.get("rows"))


class Rate(Measure):
    """The value moves faster or slower than a rate, between the ends of a window that is at least half full."""

    clears_by = "not_holding"

    def __init__(
        self, field: str, limit: float, side: Literal["above", "below"], per_s: float, within_s: float
    ) -> None:
        """``limit``: in the profile's unit, per ``per_s`` seconds."""
        super().__init__(
            of=f"ends {field}",
            says=f"{field} changes by {'more' if side == 'above' else 'less'} than {limit:g} per {span_text(per_s)},"
            f" over {span_text(within_s)}",
            reads=frozenset({field}),
            field=field,
        )
        self._name, self._limit, self._side = field, limit, side
        self._per_s, self._within_s = per_s, within_s

    def take(self, memory: Memory, moment: Moment, *, excused: bool) -> Memory | NoSample:
        """Keep the samples of the window."""
        value = number_of(moment, self._name)
        if isinstance(value, NoSample):
            return value
        ends = Ends(memory.get("rows")).after(moment.at.timestamp(), value, self._within_s)
        return {"of": self.of, "rows": ends.rows}

    def judge(self, memory: Memory, at_s: float) -> Judgement | NoSample:
        """Hold the rate between first and last against the limit."""
        ends = Ends(memory["rows"])
        per_second = ends.rate_per_s
        if per_second is None or not at_least(ends.span_s, self._within_s / 2):
            return NoSample(f"{self._name} was heard for {span_text(ends.span_s)} of {span_text(self._within_s)}")
        rate = per_second * self._per_s
        told: dict[str, Any] = {
            "rate": rounded(rate),
            "rate_limit": self._limit,
            "per_s": self._per_s,
            "change": rounded(ends.delta),
            "from": ends.first[1],
            "over_s": ends.span_s,
            "within_s": self._within_s,
        }
        if rate and (rate > 0) == (self._side == "above"):
            # What warms more slowly than it should does not cool.
            told["direction"] = self._side
        return Judgement(rate > self._limit if self._side == "above" else rate < self._limit, ends.first[0], told)


class Repeats(Measure):
    """A condition became true so many times within a time. What was true from the first is no becoming."""

    clears_by = "quiet"

    def __init__(self, condition: Expression, count: int, within_s: float) -> None:
        super().__init__(
            of=f"times {condition.source}",
            says=f"{condition.source}, {count} times within {span_text(within_s)}",
            reads=frozenset(condition.fields),
        )
        self._condition, self._count, self._within_s = condition, count, within_s

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The condition."""
        return (self._condition,)

    def take(self, memory: Memory, moment: Moment, *, excused: bool) -> Memory | NoSample:
        """Note when the condition becomes true."""
        now = self._condition.evaluate(moment.scope)
        if isinstance(now, NoSample):
            return now
        was, times = memory.get("was"), memory.get("times", [])
        if now and was is False and not excused:
            times = Times(times).after(moment.at.timestamp(), self._count).times
        return {"of": self.of, "was": now, "times": times}

    def judge(self, memory: Memory, at_s: float) -> Judgement | NoSample:
        """Count."""
        return _judge_times(memory, at_s, self._count, self._within_s)


class Restarts(Measure):
    """An uptime, or another counter that starts anew with the device, fell so many times within a time.

    A field in a unit of time also shows a restart in a gap: who says after an hour's silence that they have been up for
    ten minutes started in it, even if they had been up for five before.
    """

    clears_by = "quiet"

    def __init__(self, field: str, count: int, within_s: float, unit: str = "") -> None:
        """``unit``: the profile's, UCUM."""
        super().__init__(
            of=f"restarts {field}",
            says=f"{field} starts anew {count} times within {span_text(within_s)}",
            reads=frozenset({field}),
        )
        self._name, self._count, self._within_s = field, count, within_s
        try:
            self._unit_s: float | None = converter(unit, "s")(1.0)
        except ValueError:
            self._unit_s = None

    def take(self, memory: Memory, moment: Moment, *, excused: bool) -> Memory | NoSample:
        """Note when the counter starts anew."""
        value = number_of(moment, self._name)
        if isinstance(value, NoSample):
            return value
        at_s, times, last = moment.at.timestamp(), memory.get("times", []), memory.get("last")
        if last and not excused and self._restarted(last[0], last[1], at_s, value):
            times = Times(times).after(at_s, self._count).times
        return {"of": self.of, "last": [at_s, value], "times": times}

    def judge(self, memory: Memory, at_s: float) -> Judgement | NoSample:
        """Count."""
        return _judge_times(memory, at_s, self._count, self._within_s)

    def _restarted(self, before_s: float, before: float, at_s: float, value: float) -> bool:
        if value < before:
            return True
        # A counter of whole hours says 3 for all that is less than 4.
        return self._unit_s is not None and (value + 1.0) * self._unit_s + _UPTIME_SLACK_S < at_s - before_s


class Stuck(Measure):
    """The value stays where it is for longer than a living sensor's does."""

    clears_by = "not_holding"

    def __init__(self, field: str, tolerance: float, stuck_s: float, longest_gap_s: float) -> None:
        """``tolerance``: in the profile's unit, to either side of where the value was when it came there."""
        band = f" by more than {tolerance:g}" if tolerance else ""
        super().__init__(
            of=f"steady {field}",
            says=f"{field} does not change{band} for {span_text(stuck_s)}",
            reads=frozenset({field}),
            field=field,
        )
        self._name, self._tolerance, self._stuck_s, self._longest_gap_s = field, tolerance, stuck_s, longest_gap_s

    def take(self, memory: Memory, moment: Moment, *, excused: bool) -> Memory | NoSample:
        """Note since when the value stays."""
        value = number_of(moment, self._name)
        if isinstance(value, NoSample):
            return value
        at_s, row = moment.at.timestamp(), memory.get("steady")
        before = Steady.of(row) if row else Steady(value, at_s, at_s)
        return {"of": self.of, "steady": before.after(at_s, value, self._tolerance, self._longest_gap_s).row}

    def excuse(self, memory: Memory) -> Memory:
        """Begin anew: what stands still with good reason has not been stuck for that long."""
        return {"of": self.of}

    def judge(self, memory: Memory, at_s: float) -> Judgement | NoSample:
        """Hold the time since then against the limit."""
        row = memory.get("steady")
        if row is None:
            return Judgement(False, at_s, {})
        steady = Steady.of(row)
        stuck_s = steady.at_s - steady.since_s
        told = {"stuck_at": steady.value, "stuck_s": stuck_s, "tolerance": self._tolerance}
        return Judgement(at_least(stuck_s, self._stuck_s), steady.since_s, told)


def number_of(moment: Moment, name: str) -> float | NoSample:
    """Return the number that an event brings for a field."""
    value = moment.values.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if value is None:
        return NoSample(f"{name} is missing")
    said = f"the text '{value[:40]}'" if isinstance(value, str) else str(value).lower()
    return NoSample(f"{name} is {said} and no number")


def rounded(value: float) -> float:
    """Drop the digits that only binary fractions have: 0.6, not 0.6000000000000001."""
    return float(f"{value:.9g}")


def span_text(seconds: float) -> str:
    """Write a duration as rule files do."""
    return format_duration(timedelta(seconds=round(seconds)))


def _judge_times(memory: Memory, at_s: float, count: int, within_s: float) -> Judgement:
    times = Times(memory["times"]).within(at_s, within_s)
    return Judgement(len(times) >= count, times[0] if times else at_s, {"count": len(times), "within_s": within_s})
