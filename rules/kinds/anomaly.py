"""A value leaves its own learned band, or several values no longer move together as they always did.

From life: a freezer in a bakery is opened forty times a day, the one in the cellar twice. No limit fits both; each
learns its own. In week three the cellar's compressor runs half as long again for the same temperature: each value is
within its range, the two no longer belong together.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from device_models.duration import Duration
from device_models.event import Value, rfc3339
from device_models.profile import DeviceProfile
from device_models.sentences import sentence
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.anomaly.band import describe, plain, usual_band
from rules.anomaly.learned import Learned
from rules.anomaly.learner import Settings, Verdict, take
from rules.base import BaseRule
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.inputs import DeviceContext
from rules.kinds.condition import STALE_INTERVALS

FORMAT = 2
"""Of the memory; one of another format is learned anew."""
MAX_FIELDS = 8
LARGEST = 1e30
"""No measurement is larger, and its scale would not fit what is kept."""
TARGETS: Mapping[str, float] = {"low": 5e-7, "normal": 2e-5, "high": 2e-4}
"""Expected false alarms a sample and tail by ``sensitivity``; ``docs/detection.md`` says what was measured."""
WARM_UP_SAMPLES, LEAST_SAMPLES = 400, 100
WARM_UP = timedelta(days=2)
BACK_SAMPLES = 3
"""Samples in a row within the usual after which ``for`` begins anew."""
FAST_S = 20.0
"""What is sampled more often than this is watched for what happens within minutes, and need not see two days first."""


class AnomalyRule(BaseRule):
    """See ``docs/rules.md``, "anomaly"."""

    kind: Literal["anomaly"] = "anomaly"
    field: str | None = Field(default=None, min_length=1)
    fields: tuple[str, ...] = ()
    """Several that are looked at together; either this or ``field``."""
    sensitivity: Literal["low", "normal", "high"] = "normal"
    hold: Duration = Field(default=timedelta(0), alias="for")
    """How long it must stand, in the device's time."""
    clear_for: Duration = timedelta(0)
    """How long it must be back, beyond the 16 samples that being back takes."""
    warm_up: Duration | None = None
    """How long it only learns; None: 400 samples, and two days unless it is sampled every few seconds."""
    season: Literal["auto", "none", "hour_of_day", "hour_of_week"] = "auto"
    normal_after: Duration = Field(default=timedelta(days=7), gt=timedelta(0))
    """What stood for so long is the new normal: the alert resolves and says so."""

    @field_validator("fields")
    @classmethod
    def _few_and_different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(sentence("names a field twice"))
        if len(names) > MAX_FIELDS:
            raise ValueError(sentence("names {1} fields; {2} are the most", len(names), MAX_FIELDS))
        return names

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if (self.field is None) == (not self.fields):
            raise ValueError(sentence("needs either 'field' or 'fields'"))
        if self.season == "hour_of_week" and len(self.watched) > 1:
            raise ValueError(
                sentence("season: hour_of_week is for a single field; several are watched by the hour of day")
            )
        return self

    @property
    def watched(self) -> tuple[str, ...]:
        """The fields it reads."""
        return self.fields if self.field is None else (self.field,)


class AnomalyEvaluator(Evaluator):
    """Evaluates an ``AnomalyRule`` for one profile."""

    wakes = frozenset({Wake.VALUES})

    def __init__(self, rule: AnomalyRule, profile: DeviceProfile) -> None:
        self._rule = rule
        self._fields = rule.watched
        self._timing = Timing(rule.hold, rule.clear_for, STALE_INTERVALS * profile.reporting_interval)
        self._settings = Settings(
            target=TARGETS[rule.sensitivity],
            day=rule.season != "none",
            week=rule.season in ("auto", "hour_of_week") and len(self._fields) == 1,
            gap_s=self._timing.stale_after.total_seconds(),
            normal_after_s=rule.normal_after.total_seconds(),
        )
        specs = profile.fields
        self._units = {name: specs[name].unit for name in self._fields if name in specs and specs[name].unit}
        meaning, timing = (FORMAT, *self._fields), (self._settings, *self._timing, rule.warm_up)
        super().__init__(rule, profile, Fingerprint.of(rule, meaning, timing), reads=frozenset(self._fields))

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Take a sample once each field was reported; what is no number is none and changes nothing."""
        memory = dict(state.memory) if state is not None else {}
        sample = self._sample(moment, memory)
        if sample is None:
            if state is None and not memory:
                return None, ()
            # Part of a sample is kept until the rest of it arrives.
            kept = RuleState(self.fingerprint, state.alerts if state else {}, memory, state.due_at if state else None)
            return (state, ()) if state is not None and memory == state.memory else (kept, ())
        learned = self._learned(memory)
        at_s = moment.at.timestamp()
        verdict = take(learned, self._settings, at_s, sample, self._is_ready(learned, at_s))
        outside = not math.isnan(learned.outside_since)
        before = state.alerts.get("") if state is not None else None
        # To resolve it must be back for long; ``for`` does not go on meanwhile.
        stands = outside and learned.inside < BACK_SAMPLES
        after, changes = alerts.sample(before, stands, not outside, moment.at, self._timing)
        story = memory.get("story")
        if outside and (story is None or verdict.score > story["score"]):
            # The worst of it: what fades at the end is no explanation.
            story = self._story(learned, verdict) or story
        memory = learned.memory() | ({"story": story} if outside and story else {})
        settled = RuleState(self.fingerprint, {"": after}, memory, alerts.due_at(after, self._timing))
        reason = "new_normal" if verdict.relearned else None
        return settled, self._facts(moment, before, after, changes, story, reason)

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Complete ``for`` or ``clear_for`` on the last sample, or give up on one that went stale."""
        before = state.alerts[""]
        after, changes = alerts.release(before, moment.at, self._timing)
        settled = RuleState(self.fingerprint, {"": after}, state.memory, alerts.due_at(after, self._timing))
        return settled, self._facts(moment, before, after, changes, state.memory.get("story"), None)

    def next_due(self, state: RuleState) -> datetime | None:
        """The alert's timer under this rule's durations."""
        alert = state.alerts.get("")
        return alerts.due_at(alert, self._timing) if alert else None

    def adopt(self, state: RuleState, moment: Moment) -> tuple[RuleState, Sequence[Fact]]:
        """Keep what was learned unless it was of other fields, or in another format."""
        adopted, facts = super().adopt(state, moment)
        if state.fingerprint.meaning != self.fingerprint.meaning:
            adopted = RuleState(self.fingerprint, adopted.alerts, {}, adopted.due_at)
        return adopted, facts

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """What it learned from, whether it is still learning, and the band that it expects now."""
        told: dict[str, Any] = {
            "fields": list(self._fields),
            "sensitivity": self._rule.sensitivity,
            "for_s": self._timing.hold.total_seconds(),
            "warming_up": True,
        }
        if state is None or "now" not in state.memory:
            return told | {"learned": {"samples": 0}}
        learned = self._learned(state.memory)
        told["warming_up"] = not self._is_ready(learned, learned.last_at)
        told["learned"] = self._history(learned)
        told["score"] = round(learned.score, 3)
        return told | self._usual(learned, at.timestamp()) | {"story": state.memory.get("story")}

    def _sample(self, moment: Moment, memory: dict[str, Any]) -> tuple[float, ...] | None:
        """The numbers of all fields, each reported since the last sample; ``memory`` keeps an incomplete one."""
        said: dict[str, list[float]] = {}
        at_s = moment.at.timestamp()
        for name in self._fields:
            if name not in moment.values:
                continue
            value = moment.values[name]
            reason = _unfit(value)
            if reason is not None:
                moment.unsampled[self.rule.id] = f"{name} {reason}"
                return None
            said[name] = [float(value), at_s]
        if len(said) < len(self._fields):
            oldest = at_s - self._timing.stale_after.total_seconds()
            said = {name: pair for name, pair in memory.get("said", {}).items() if pair[1] >= oldest} | said
        if len(said) < len(self._fields):
            memory["said"] = said
            return None
        return tuple(said[name][0] for name in self._fields)

    def _learned(self, memory: Mapping[str, Any]) -> Learned:
        return Learned.of(memory, len(self._fields)) if "now" in memory else Learned(len(self._fields))

    def _is_ready(self, learned: Learned, at_s: float) -> bool:
        seen_s = at_s - learned.first_at
        if self._rule.warm_up is not None:
            return learned.samples >= LEAST_SAMPLES and seen_s >= self._rule.warm_up.total_seconds()
        long_enough = learned.interval_s < FAST_S or seen_s >= WARM_UP.total_seconds()
        return learned.samples >= WARM_UP_SAMPLES and long_enough

    def _story(self, learned: Learned, verdict: Verdict) -> dict[str, Any] | None:
        """What the chart and the sentence are made from."""
        anomaly = describe(learned, self._settings, verdict)
        if anomaly is None:
            return None
        name = self._fields[anomaly.field]
        story = {"field": name, **anomaly.as_dict(), "score": round(verdict.score, 3)}
        if not anomaly.is_value:
            story |= self._usual(learned, learned.last_at)
        return story | {"learned": self._history(learned)}

    def _usual(self, learned: Learned, at_s: float) -> dict[str, Any]:
        """The band that a chart may draw around the value at a time."""
        band = usual_band(learned, self._settings, at_s)
        return {} if band is None else {"usual_band": {"low": plain(band[0]), "high": plain(band[1])}}

    def _history(self, learned: Learned) -> dict[str, Any]:
        day, week = learned.season_shares()
        return {
            "samples": int(learned.samples),
            "since": rfc3339(datetime.fromtimestamp(learned.first_at, UTC)),
            "season": "hour_of_week" if week else "hour_of_day" if day else "none",
        }

    def _facts(
        self,
        moment: Moment,
        before: Alert | None,
        after: Alert,
        changes: Sequence[alerts.Change],
        story: Mapping[str, Any] | None,
        reason: str | None,
    ) -> list[Fact]:
        if not changes:
            return []
        # An episode that ended is told with the start it had.
        episode = before if before is not None and before.is_open else after
        known = moment.twin.values
        told = {
            "values": {name: known[name] for name in self._fields if name in known},
            "units": self._units,
            "sensitivity": self._rule.sensitivity,
            "for_s": self._timing.hold.total_seconds(),
            **(story or {}),
        }
        return [
            self.transition(moment, change.state, episode, at=change.at, reason=change.reason or reason, **told)
            for change in changes
        ]


def _unfit(value: Value) -> str | None:
    """Say why a value is no sample."""
    if isinstance(value, bool):
        return "is a truth value, not a number"
    if isinstance(value, str):
        return f"is the text '{value[:40]}'"
    return None if abs(value) <= LARGEST else "is no number that is measured"
