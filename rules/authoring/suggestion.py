"""A better setting for a condition, learned from verdicts: threshold, ``for`` and hysteresis.

Each setting that is looked at is run by the very engine over what was recorded around the judged cases. The search
goes along each coordinate and then over the best of both, since all combinations would take minutes for little.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal

from device_models.duration import format_duration
from device_models.profile import DeviceProfile
from device_models.sentences import Sentence, sentence
from rules.authoring.rule_settings import Setting, limits_of, number, present, with_setting
from rules.expression import Limit
from rules.kinds.condition import ConditionRule
from rules.recordings.judged import Episode, Figures, Recording, longest, try_rule

LEAST_JUDGED = 10
"""Fewer verdicts with a recording around them teach nothing that the next few would not overturn."""
LEAST_OF_EACH = 2
"""Of real ones and of false alarms: without both there is nothing to tell apart."""
_HOLDS = tuple(timedelta(minutes=m) for m in (0, 1, 2, 3, 5, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360))
_MOST_LIMITS = 16
_CROSSED = 4
"""So many of the best limits are tried with as many of the best durations."""
_NOISE_SIGMAS = 3

Favour = Literal["precision", "recall"]


@dataclass(frozen=True, slots=True)
class Tried:
    """One setting and what came of it."""

    setting: Setting
    figures: Figures
    margin: float = 0.0
    """How far the limit is from the nearest value that a judged case went to, in the field's unit: the farther, the
    less it is made to measure."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing can be suggested."""

    reason: Literal["kind", "no_limit", "not_enough_verdicts", "nothing_recorded", "no_false_alarm", "none_real"]
    message: Sentence


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What is proposed, beside what is in force, and how sure that is."""

    rule: ConditionRule
    proposed: ConditionRule
    """The same as ``rule`` where nothing better was found."""
    now: Tried
    best: Tried
    tried: Sequence[Tried]
    cross_checked: Figures
    """Each verdict judged by the setting that would have been chosen without it: what to expect of new cases."""
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def changed(self) -> bool:
        """Whether anything is proposed."""
        return self.proposed != self.rule

    @property
    def curve(self) -> list[Tried]:
        """The best precision there is for each recall, by recall: what can be had."""
        best: dict[float, Tried] = {}
        for tried in self.tried:
            precision, recall = tried.figures.precision, tried.figures.recall
            if precision is None or recall is None:
                continue
            known = best.get(recall)
            if known is None or _rank(tried, self.now, "precision") > _rank(known, self.now, "precision"):
                best[recall] = tried
        front: list[Tried] = []
        for recall in sorted(best, reverse=True):
            if not front or (best[recall].figures.precision or 0) > (front[-1].figures.precision or 0):
                front.append(best[recall])
        return front[::-1]

    def changes(self) -> list[dict[str, Any]]:
        """Return each setting that changes: ``field``, ``before``, ``after`` as files write them, and ``why``."""
        before = self.rule.model_dump(mode="json", by_alias=True)
        after = self.proposed.model_dump(mode="json", by_alias=True)
        return [
            {"field": name, "before": before[name], "after": after[name], "why": _WHY[name]}
            for name in ("when", "for", "clear_when")
            if before[name] != after[name]
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready, the reasons as data."""
        return {
            "rule": self.rule.id,
            "changes": self.changes(),
            "now": _told(self.rule, self.now),
            "proposed": _told(self.rule, self.best) if self.changed else None,
            "cross_checked": self.cross_checked.as_dict(),
            "curve": [_told(self.rule, tried) for tried in self.curve],
            "settings_tried": len(self.tried),
            "notes": list(self.notes),
        }


_WHY = {
    "when": sentence("the limit that keeps the real ones and leaves most false alarms out"),
    "for": sentence("false alarms end sooner than real ones"),
    "clear_when": sentence("the gap behind the limit moves with it, or is as wide as the value's own noise"),
}


def suggest(
    rule: ConditionRule,
    profile: DeviceProfile,
    recording: Recording,
    episodes: Sequence[Episode],
    *,
    keep: float = 1.0,
    favour: Favour = "precision",
) -> Suggestion | Refusal:
    """Look for a better setting of ``rule``.

    Args:
        rule: As it is in force; live or in shadow.
        profile: Of the devices; a device in the recording with a profile of its own has that.
        recording: What was recorded around the episodes.
        episodes: Judged cases, duplicates left out; faults that were missed are real ones.
        keep: The share of the real ones found now that must be found still, 0 to 1.
        favour: ``precision``: as few false alarms as ``keep`` allows, and no more unjudged alerts than now. ``recall``:
            as many real ones as can be found, and then as few false alarms; precision may fall, and a note says so.
    """
    if refusal := refuse(rule, episodes):
        return refusal
    now = Tried(present(rule, 0), try_rule(rule, profile, recording, episodes))
    tried = _search(rule, profile, recording, episodes, now, keep, favour)
    best = _choose(tried, now, keep, favour)
    proposed = with_setting(rule, best.setting) if best is not now else rule
    return Suggestion(
        rule,
        proposed,
        now,
        best,
        tried,
        _cross_check(tried, now, keep, favour),
        _notes(now, best, episodes),
    )


def refuse(rule: ConditionRule, episodes: Sequence[Episode]) -> Refusal | None:
    """Tell why nothing can be learned; None where something can."""
    real = sum(episode.real for episode in episodes)
    false = len(episodes) - real
    if not limits_of(rule):
        return Refusal(
            "no_limit", sentence("its condition compares no field with a number, so there is no limit to move")
        )
    if len(episodes) < LEAST_JUDGED:
        message = sentence(
            "not enough verdicts: {1} real and {2} false alarms are recorded; {3} are needed", real, false, LEAST_JUDGED
        )
        return Refusal("not_enough_verdicts", message)
    if false < LEAST_OF_EACH:
        message = sentence("{1} of {2} were real: there is nothing to mend", real, len(episodes))
        return Refusal("no_false_alarm", message)
    if real < LEAST_OF_EACH:
        message = sentence(
            "{1} of {2} were false alarms: no limit tells them apart; think about the rule itself", false, len(episodes)
        )
        return Refusal("none_real", message)
    return None


def _search(
    rule: ConditionRule,
    profile: DeviceProfile,
    recording: Recording,
    episodes: Sequence[Episode],
    now: Tried,
    keep: float,
    favour: Favour,
) -> list[Tried]:
    known: dict[Setting, Tried] = {now.setting: now}

    def look(settings: Iterable[Setting], peaks: Sequence[tuple[float, bool]]) -> None:
        for setting in settings:
            if setting not in known:
                figures = try_rule(with_setting(rule, setting), profile, recording, episodes)
                margin = min((abs(setting.limit - peak) for peak, _ in peaks), default=0.0)
                known[setting] = Tried(setting, figures, margin)

    peaks_of = [_peaks(limit, recording, episodes) for limit in limits_of(rule)]
    for index, (limit, peaks) in enumerate(zip(limits_of(rule), peaks_of, strict=True)):
        here = present(rule, index)
        look((Setting(index, value, here.hold, here.gap) for value in _limits(limit, profile, peaks)), peaks)
        look((Setting(index, here.limit, hold, here.gap) for hold in _holds(rule, profile, episodes)), peaks)
        along = [t for t in known.values() if t.setting.index == index]
        ranked = sorted(along, key=lambda t: _rank(t, now, favour), reverse=True)
        values = list(dict.fromkeys(t.setting.limit for t in ranked))[:_CROSSED]
        durations = list(dict.fromkeys(t.setting.hold for t in ranked))[:_CROSSED]
        look((Setting(index, value, hold, here.gap) for value in values for hold in durations), peaks)
    best = _choose(list(known.values()), now, keep, favour).setting
    gaps = _gaps(rule, best, recording)
    look((Setting(best.index, best.limit, best.hold, gap) for gap in gaps), peaks_of[best.index])
    return list(known.values())


def _peaks(limit: Limit, recording: Recording, episodes: Sequence[Episode]) -> list[tuple[float, bool]]:
    """Return how far the value went in each episode, and whether that was real; ascending."""
    furthest = max if limit.direction == "above" else min
    peaks = []
    for episode in episodes:
        within = [
            value
            for at, values in recording.samples.get(episode.device_id, ())
            if episode.begins <= at <= episode.ends and (value := _number(values.get(limit.field))) is not None
        ]
        if within:
            peaks.append((furthest(within), episode.real))
    return sorted(peaks)


def _limits(limit: Limit, profile: DeviceProfile, peaks: Sequence[tuple[float, bool]]) -> Iterator[float]:
    """Yield limits between how far the value went in the episodes, and evenly over the range between."""
    values = [peak for peak, _ in peaks]
    if len(set(values)) < 2:
        return
    # Where real and false ones lie side by side, the limit that parts them lies between.
    parting = [(low, high) for (low, a), (high, b) in pairwise(peaks) if a is not b and high > low]
    low, high = min(values[0], limit.limit), max(values[-1], limit.limit)
    step = (high - low) / 8
    # One step beyond either end: what is sustained lies behind the furthest value.
    even = [(low + i * step, low + (i + 1) * step) for i in range(-1, 9)]
    spec = profile.fields.get(limit.field)
    found: dict[float, None] = {}
    for below, above in [*parting[: _MOST_LIMITS - len(even)], *even]:
        value = _roundest(below, above)
        if spec is None or _within(value, spec.minimum, spec.maximum):
            found.setdefault(value)
    yield from found


def _holds(rule: ConditionRule, profile: DeviceProfile, episodes: Sequence[Episode]) -> Iterator[timedelta]:
    """Yield durations that the device's reports can tell apart and that a real episode can last."""
    most = longest([episode for episode in episodes if episode.real])
    for hold in _HOLDS:
        if hold != rule.hold and hold <= most and (not hold or hold >= profile.reporting_interval):
            yield hold


def _gaps(rule: ConditionRule, best: Setting, recording: Recording) -> Iterator[float]:
    """Yield gaps of hysteresis: half and double the present one, and the value's own noise."""
    if rule.clear_when is not None and best.gap is None:
        return
    limit = limits_of(rule)[best.index]
    simple = len(limits_of(rule)) == 1 and rule.when.count("&&") + rule.when.count("||") == 0
    if rule.clear_when is None and not simple:
        # The opposite of a joint condition is no single limit.
        return
    if best.gap:
        yield _roundest(best.gap * 0.45, best.gap * 0.55)
        yield _roundest(best.gap * 1.9, best.gap * 2.1)
    steps = [
        abs(b - a)
        for samples in recording.samples.values()
        for (_, before), (_, after) in pairwise(samples)
        if (a := _number(before.get(limit.field))) is not None
        and (b := _number(after.get(limit.field))) is not None
        and a != b
    ]
    if steps:
        # The median step of a value with normal noise s is 0.954 s: |N(0, 2s²)| has its median at 0.6745·√2·s.
        noise = _NOISE_SIGMAS * statistics.median(steps) / 0.954
        if noise > 0:
            yield _roundest(noise * 0.9, noise * 1.1)


def _choose(tried: Sequence[Tried], now: Tried, keep: float, favour: Favour) -> Tried:
    needed = keep * now.figures.right
    fitting = [
        t
        for t in tried
        if t.figures.right >= needed - 1e-9
        and t.figures.joined <= now.figures.joined
        and (favour == "recall" or t.figures.unjudged <= now.figures.unjudged)
    ]
    return max(fitting, key=lambda t: _rank(t, now, favour), default=now)


def _rank(tried: Tried, now: Tried, favour: Favour) -> tuple[float, ...]:
    """The better, the larger. Of equals what is in force, then the one farthest from what any case went to."""
    figures, setting, before = tried.figures, tried.setting, now.setting
    precision, right = figures.precision or 0.0, float(figures.right)
    first = (precision, right) if favour == "precision" else (right, precision)
    longer = abs((setting.hold - before.hold) / timedelta(hours=1))
    as_it_is = (setting.gap == before.gap, setting == before, -longer)
    return (*first, -figures.unjudged, -figures.alerts, *as_it_is, tried.margin)


def _cross_check(tried: Sequence[Tried], now: Tried, keep: float, favour: Favour) -> Figures:
    """Leave each verdict out in turn, choose by the others, and see what that choice says of the one left out."""
    real = now.figures.real
    found = []
    for out in range(len(real)):
        without = [Tried(t.setting, _without(t.figures, out), t.margin) for t in tried]
        base = without[next(i for i, t in enumerate(tried) if t is now)]
        chosen = _choose(without, base, keep, favour)
        found.append(tried[next(i for i, t in enumerate(without) if t is chosen)].figures.found[out])
    return Figures(tuple(found), real, 0, 0)


def _without(figures: Figures, out: int) -> Figures:
    found = figures.found[:out] + figures.found[out + 1 :]
    real = figures.real[:out] + figures.real[out + 1 :]
    return Figures(found, real, figures.alerts, figures.unjudged, figures.joined)


def _notes(now: Tried, best: Tried, episodes: Sequence[Episode]) -> list[Sentence]:
    notes: list[Sentence] = []
    before, after = now.figures, best.figures
    if (after.precision or 0) < (before.precision or 0):
        fall = f"{before.precision:.0%}", f"{after.precision:.0%}"
        notes.append(sentence("precision falls from {1} to {2}, for more real ones found", *fall))
    if (lost := before.right - after.right) > 0:
        one = sentence("1 real one found now would be missed")
        notes.append(sentence("{1} real ones found now would be missed", lost) if lost > 1 else one)
    if (more := after.unjudged - before.unjudged) > 0:
        notes.append(sentence("{1} more alerts than now that nobody judged", more))
    if (silent := sum(before.real) - before.right) > 0:
        all_real = sum(before.real)
        notes.append(sentence("{1} of {2} real ones are not found by the rule as it is now", silent, all_real))
    gone = sum(not hit for hit, real in zip(before.found, before.real, strict=True) if not real)
    if gone:
        notes.append(
            sentence(
                "{1} of {2} judged cases were false alarms that the rule as it is now does not raise",
                gone,
                len(episodes),
            )
        )
    return notes


def _told(rule: ConditionRule, tried: Tried) -> dict[str, Any]:
    limit = limits_of(rule)[tried.setting.index]
    return {
        "field": limit.field,
        "limit": tried.setting.limit,
        "for": format_duration(tried.setting.hold),
        "gap": tried.setting.gap,
        **tried.figures.as_dict(),
    }


def _roundest(low: float, high: float) -> float:
    """Return the number with the fewest digits between two."""
    middle = (low + high) / 2
    for digits in range(-12, 13):
        value = round(middle, digits)
        if low < value < high:
            return float(number(value))
    return middle


def _within(value: float, minimum: float | None, maximum: float | None) -> bool:
    return (minimum is None or value >= minimum) and (maximum is None or value <= maximum)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
