"""A value that will reach a limit before long, if it goes on as it did; told while there is time to do something.

From life: a heat pump's filter fills up a little every day. At 82 % nothing is wrong yet, but it will be full in six
days, before the weekend that is to be cold; the customer rinses it on Thursday, and the forecast is gone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from device_models.duration import Duration
from device_models.event import rfc3339
from device_models.profile import DeviceProfile
from device_models.sentences import sentence
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.base import BaseRule
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.expression import NoSample
from rules.inputs import DeviceContext
from rules.kinds.changing import number_of, rounded
from rules.recordings.points import PIECES, Points
from rules.statistics.regression import FEWEST_POINTS, Trend, theil_sen
from rules.transition import AlertState

AHEAD = 2.0
"""Nothing is foretold for more than so many times as long ahead as was looked back."""
GONE = 2.0
"""An alert ends when the limit is so many horizons away, not as soon as it is one away again."""
RESET_SHARE = 0.25
"""Default of ``reset``: this part of the way from the beginning of the series to the limit."""
NOISE = 5.0
"""Nor is a step back a reset that is less than so many times what one point usually differs from the next by."""
_AT_ONCE = Timing(hold=timedelta(0), clear_for=timedelta(0), stale_after=timedelta(0))
_DAY_S = 86_400.0
_LATEST_S = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


class ForecastRule(BaseRule):
    """See ``docs/rules.md``, "forecast"."""

    kind: Literal["forecast"] = "forecast"
    field: str
    """The profile's field."""
    limit: float = Field(allow_inf_nan=False)
    """What must not be reached, in the profile's unit."""
    direction: Literal["above", "below"] = "above"
    """From which side it is reached: ``above`` by a rising value."""
    within: Duration = timedelta(days=7)
    """How long before the customer is told, at most."""
    over: Duration = timedelta(days=14)
    """How far back the trend is looked for."""
    min_points: int = Field(default=8, ge=FEWEST_POINTS, le=PIECES)
    """How many of the 48 pieces of ``over`` must have been heard."""
    confidence: float = Field(default=0.9, ge=0.5, le=0.999)
    """Of the interval that must lie within the horizon as a whole."""
    reset: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """A step back by so much is a new beginning: cleaned, refilled. None: a quarter of the way to the limit."""

    @model_validator(mode="after")
    def _looks_back_and_ahead(self) -> Self:
        for name in ("within", "over"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(sentence("{1} must be longer than 0", name))
        return self


class _Outlook(NamedTuple):
    """What the trend says at one time; times in seconds, None: never."""

    reaches_s: float | None
    earliest_s: float | None
    latest_s: float | None
    slope_per_day: float
    points: int
    since_s: float


class ForecastEvaluator(Evaluator):
    """Evaluates a ``ForecastRule`` for one profile.

    Values are multiplied by ``_sign``, so that within here every limit is reached from below.
    """

    wakes = frozenset({Wake.VALUES})

    def __init__(self, rule: ForecastRule, profile: DeviceProfile) -> None:
        self._rule = rule
        self._sign = 1.0 if rule.direction == "above" else -1.0
        self._limit = rule.limit * self._sign
        self._over_s, self._within_s = rule.over.total_seconds(), rule.within.total_seconds()
        meaning = (rule.field, rule.limit, rule.direction, rule.within, rule.confidence)
        super().__init__(
            rule,
            profile,
            Fingerprint.of(rule, meaning, (rule.over, rule.min_points, rule.reset)),
            reads=frozenset({rule.field}),
        )

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take a sample into the series; look ahead whenever a point of it is complete."""
        value = number_of(moment, self._rule.field)
        if isinstance(value, NoSample):
            moment.unsampled[self.rule.id] = value.reason
            return state, ()
        at_s, before = moment.at.timestamp(), self._remembered(state)
        points = before.after(at_s, value * self._sign, self._over_s)
        alert = state.alerts.get("") if state else None
        if self._is_reset(points):
            return self._settled(moment, points.renewed(), alert, holds=False, clears=True, reason="reset")
        level = points.level
        if level is not None and level >= self._limit:
            # The beginning of an alert must have been seen: what was full when the gateway met it is no forecast.
            seen_coming = any(v < self._limit for _, v in points.closed)
            return self._settled(moment, points, alert, holds=seen_coming, clears=False)
        if points.closed is before.closed:
            return self._kept(state.alerts if state else {}, points), ()
        outlook = self._outlook(points)
        if isinstance(outlook, NoSample):
            moment.unsampled[self.rule.id] = outlook.reason
            return self._settled(moment, points, alert, holds=False, clears=False)
        gone_s = at_s + GONE * self._within_s
        clears = outlook.reaches_s is None or outlook.reaches_s > gone_s
        reason = "trend_gone" if clears else None
        return self._settled(
            moment, points, alert, holds=self._surely_soon(outlook, at_s), clears=clears, outlook=outlook, reason=reason
        )

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """There is no timer: without samples the outlook does not change."""
        return replace(state, due_at=None), ()

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """What the trend says and why that is not enough, where it is not."""
        outlook = self._outlook(self._remembered(state))
        seen: dict[str, Any] = {"why_not": outlook.reason} if isinstance(outlook, NoSample) else self._told(outlook, at)
        return {
            "condition": self._says,
            "reads": [self._rule.field],
            "limits": [{"field": self._rule.field, "limit": self._rule.limit, "direction": self._rule.direction}],
            "outlook": seen,
        }

    @property
    def _says(self) -> str:
        rule = self._rule
        return f"{rule.field} reaches {rule.limit:g} from {'below' if self._sign > 0 else 'above'}"

    def _remembered(self, state: RuleState | None) -> Points:
        """The series so far; of another field, before an edit, it says nothing."""
        memory = state.memory if state else {}
        return Points.from_json(memory.get("points") if memory.get("of") == self._of else None)

    @property
    def _of(self) -> str:
        return f"{'-' if self._sign < 0 else ''}{self._rule.field}"

    def _is_reset(self, points: Points) -> bool:
        level = points.level
        if level is None or not points.closed:
            return False
        step = self._rule.reset
        if step is None:
            values = [v for _, v in points.closed]
            # From the lowest point, since a series that began at 60 % was cleaned at some time before.
            step = RESET_SHARE * (self._limit - min(values))
            if len(values) >= FEWEST_POINTS:
                step = max(step, NOISE * median(abs(later - earlier) for earlier, later in pairwise(values)))
        return step > 0 and points.closed[-1][1] - level >= step

    def _outlook(self, points: Points) -> _Outlook | NoSample:
        closed = points.closed
        if len(closed) < self._rule.min_points:
            return NoSample(f"{self._rule.field} has {len(closed)} of {self._rule.min_points} points")
        trend = theil_sen([(t, v) for t, v in closed], self._rule.confidence)
        if trend is None:
            return NoSample(f"{self._rule.field} has {len(closed)} of {FEWEST_POINTS} points")
        return _Outlook(
            *self._times(trend),
            slope_per_day=trend.slope * _DAY_S * self._sign,
            points=len(closed),
            since_s=closed[0][0],
        )

    def _times(self, trend: Trend) -> tuple[float | None, float | None, float | None]:
        times = (trend.reaches(self._limit), trend.earliest(self._limit), trend.latest(self._limit))
        return tuple(t if t is None or t < _LATEST_S else None for t in times)  # type: ignore[return-value]

    def _surely_soon(self, outlook: _Outlook, at_s: float) -> bool:
        """Tell whether the whole interval, not only its middle, lies within the horizon, and no further than seen."""
        if outlook.latest_s is None:
            return False
        return outlook.latest_s - at_s <= min(self._within_s, AHEAD * (at_s - outlook.since_s))

    def _settled(
        self,
        moment: Moment,
        points: Points,
        before: Alert | None,
        *,
        holds: bool,
        clears: bool,
        outlook: _Outlook | None = None,
        reason: str | None = None,
    ) -> tuple[RuleState, Sequence[Fact]]:
        after, changes = alerts.sample(
            before, holds, clears, moment.at, Timing(timedelta(0), timedelta(0), timedelta(0))
        )
        facts: list[Fact] = []
        if changes:
            episode = before if before is not None and before.is_open else after
            facts = [self._fact(moment, change, episode, points, outlook, reason) for change in changes]
        return self._kept({"": after}, points), facts

    def _kept(self, by_fault: Mapping[str, Alert], points: Points) -> RuleState:
        return RuleState(self.fingerprint, by_fault, {"of": self._of, "points": points.to_json()})

    def _fact(
        self,
        moment: Moment,
        change: alerts.Change,
        episode: Alert,
        points: Points,
        outlook: _Outlook | None,
        reason: str | None,
    ) -> Fact:
        field, spec = self._rule.field, self.profile.fields.get(self._rule.field)
        level = points.level
        return self.transition(
            moment,
            change.state,
            episode,
            at=change.at,
            condition=self._says,
            field=field,
            limit=self._rule.limit,
            direction=self._rule.direction,
            values={field: rounded((points.recent[-1][1] if level is None else level) * self._sign)},
            units={field: spec.unit} if spec and spec.unit else {},
            within_s=self._within_s,
            confidence=self._rule.confidence,
            reached=True if level is not None and level >= self._limit else None,
            reason=reason if change.state is AlertState.RESOLVED else None,
            **(self._told(outlook, moment.at) if outlook else {}),
        )

    def _told(self, outlook: _Outlook, at: datetime) -> dict[str, Any]:
        """The outlook for an explanation; a time that has passed without the limit being reached is now."""

        def written(time_s: float | None) -> str | None:
            return None if time_s is None else rfc3339(datetime.fromtimestamp(max(round(time_s), at.timestamp()), UTC))

        return {
            "since": rfc3339(datetime.fromtimestamp(round(outlook.since_s), UTC)),
            "reaches_at": written(outlook.reaches_s),
            "earliest": written(outlook.earliest_s),
            "latest": written(outlook.latest_s),
            "slope_per_day": rounded(outlook.slope_per_day),
            "points": outlook.points,
        }
