"""What is known of one device's normal: numbers only, of bounded size, as they stand in the rule's memory."""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Self

from rules.anomaly import season, tail, whitening
from rules.anomaly.features import RESIDUAL_SPANS, SCATTER_SPANS, SPANS, features_of
from rules.anomaly.packing import pack, unpack, unpack_profile

_TIMES = ("first_at", "last_at", "outside_since")
_COUNTS = (
    "samples", "moves", "interval_s", "worst", "inside", "hour", "visits",
    "plain_error", "day_error", "week_error", "compared", "week_compared", "score", "repeats",
)  # fmt: skip
_LISTS = (
    "spread", "resolution", "apart", "usual_unrest", "unrest", "visit_sums", "recent",
    "scales", "centres", "tails", "covariance", "inverse", "rooms", "strays", "residual_scales", "scatter_scales",
)  # fmt: skip
_times_of, _counts_of = attrgetter(*_TIMES), attrgetter(*_COUNTS)


class Learned:
    """A working copy: it is changed in place while one sample is taken, and written back as a new memory."""

    __slots__ = (
        *_TIMES, *_COUNTS, *_LISTS,
        "day", "day_text", "fields", "level", "previous", "week", "week_text",
    )  # fmt: skip

    first_at: float
    """Epoch seconds of the first sample since it began to learn, or began anew."""
    last_at: float
    outside_since: float
    """NaN while nothing is wrong."""
    samples: float
    moves: float
    """How often a value differed from the one before."""
    interval_s: float
    """The usual time between samples."""
    worst: float
    """Index of the tail by which it is outside."""
    inside: float
    """Samples for which that tail was quiet, less those for which it was not, twofold."""
    hour: float
    """Hour of the week, UTC, that ``visit_sums`` are of."""
    visits: float
    """Samples in them."""
    plain_error: float
    day_error: float
    week_error: float
    """Mean distance from what is expected: without season, with the day's, with the week's on top."""
    compared: float
    week_compared: float
    """Samples that these errors are of."""
    score: float
    """Of the last sample."""
    repeats: float
    """Samples in a row that were the same as the one before; of a single field."""

    def __init__(self, fields: int) -> None:
        features = features_of(fields)
        self.fields = fields
        for name in (*_TIMES, *_COUNTS):
            setattr(self, name, 0.0)
        self.outside_since = math.nan
        self.worst = self.hour = -1.0
        self.level = [math.nan] * fields
        """Per field."""
        self.previous = [math.nan] * (2 * fields)
        """The last sample but one, then the last."""
        self.spread = [0.0] * fields
        """Mean distance from what is expected, per field."""
        self.resolution = [0.0] * fields
        """The smallest step ever seen, per field."""
        self.apart = [0.0] * fields
        """Samples since the last outlier, per field; 0: it was the last sample."""
        self.usual_unrest = [0.0] * fields
        self.unrest = [0.0] * fields
        """Mean step from sample to sample, long and short, per field."""
        self.visit_sums = [0.0] * fields
        self.recent = [0.0] * (fields * len(SPANS))
        """Means of the deviation over each span; of the whitened one where there are several fields."""
        self.scales = [0.0] * len(features)
        """Mean distance of each feature from its centre."""
        self.centres = [0.0] * (len(features) if fields > 1 else 0)
        """Where a distance usually is; what has two sides usually is at 0."""
        self.tails = [0.0] * (tail.WIDTH * sum(feature.sides for feature in features))
        several = fields if fields > 1 else 0
        self.covariance = [0.0] * whitening.size(several)
        self.inverse = [0.0] * whitening.size(several)
        self.rooms = [0.0] * several
        """What the others leave each of several fields, by the whitener."""
        self.strays = [0.0] * ((2 + len(SCATTER_SPANS)) * several)
        """Size of the residual of the last sample but one and of the last, then its mean over each span."""
        self.residual_scales = [0.0] * (len(RESIDUAL_SPANS) * several)
        self.scatter_scales = [0.0] * several
        """Usual size of each field's mean residual, by span, and of its residual."""
        self.day: Sequence[float] = ()
        self.week: Sequence[float] = ()
        """Season by hour, one profile a field after the other; empty: not learned."""
        self.day_text = self.week_text = ""

    def memory(self) -> dict[str, Any]:
        """Return it JSON-ready, as a new mapping. Raises OverflowError for what fits no 32 bits."""
        floats = list(_counts_of(self))
        for name, _, _ in _layout(self.fields)[1]:
            floats += getattr(self, name)
        data: dict[str, Any] = {"now": pack((*_times_of(self), *self.level, *self.previous), floats)}
        if self.day:
            data["day"] = self.day_text = self.day_text or pack((), self.day)
        if self.week:
            data["week"] = self.week_text = self.week_text or pack((), self.week)
        return data

    @classmethod
    def of(cls, memory: Mapping[str, Any], fields: int) -> Self:
        """Read what ``memory()`` wrote for so many fields. Raises ValueError."""
        self = cls.__new__(cls)
        self.fields = fields
        size, parts = _layout(fields)
        level = len(_TIMES)
        previous = level + fields
        counts = previous + 2 * fields
        numbers = unpack(memory["now"], counts, size)
        for name, number in zip(_TIMES, numbers, strict=False):
            setattr(self, name, number)
        self.level, self.previous = numbers[level:previous], numbers[previous:counts]
        for index, name in enumerate(_COUNTS, counts):
            setattr(self, name, numbers[index])
        for name, start, end in parts:
            setattr(self, name, numbers[counts + start : counts + end])
        self.day_text, self.week_text = memory.get("day", ""), memory.get("week", "")
        self.day = unpack_profile(self.day_text, fields * season.DAY_HOURS) if self.day_text else ()
        self.week = unpack_profile(self.week_text, fields * season.WEEK_HOURS) if self.week_text else ()
        return self

    @property
    def seen_s(self) -> float:
        """Seconds that it learned from."""
        return self.last_at - self.first_at

    def season_shares(self) -> tuple[float, float]:
        """Return in which measure the day's and the week's profile are used, each 0 to 1."""
        if not self.day or season.cycles(season.DAY_HOURS, self.seen_s) < season.USED_AFTER:
            return 0.0, 0.0
        day = season.weight(self.plain_error, self.day_error)
        if not day or not self.week or season.cycles(season.WEEK_HOURS, self.seen_s) < season.USED_AFTER:
            return day, 0.0
        return day, season.weight(self.day_error, self.week_error)


@cache
def _layout(fields: int) -> tuple[int, tuple[tuple[str, int, int], ...]]:
    """Return how many 32-bit numbers there are, and where among them each list stands."""
    empty, parts = Learned(fields), []
    at = len(_COUNTS)
    for name in _LISTS:
        size = len(getattr(empty, name))
        parts.append((name, at, at + size))
        at += size
    return at, tuple(parts)
