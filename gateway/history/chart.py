"""A series as an accessible inline SVG: drawn on the server, readable without scripts. Pure.

Colours are CSS custom properties of the page (``--series``, ``--ink-2``, ``--ink-3``, ``--line``, ``--surface`` and the
severity's), set as presentation attributes, so that light and dark follow the page and no inline style needs leave
from a content security policy. ``static/chart.css`` and ``static/chart.js`` add a cursor for pointer and keys.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from unicodedata import bidirectional
from zoneinfo import ZoneInfo

from device_models.purpose import Severity
from gateway.history import Series, SeriesKind
from gateway.history.axes import (
    Day,
    Scale,
    english_day,
    time_ticks,
    unit_label,
    value_scale,
    write_number,
    write_span,
    write_time,
)
from gateway.history.chart_words import Say, describe, describe_states, english
from gateway.history.label_place import Room, Run, place_of
from gateway.history.svg import el, text

# The fallbacks are readable on either surface of CONSOLE.md.
_SERIES = "var(--series, #2f7fd1)"
_HINT = "var(--ink-3, #777)"
_LINE = "var(--line, #8884)"
_SEVERITY = {
    Severity.CRITICAL: "var(--critical, #d0453a)",
    Severity.MAJOR: "var(--major, #c2630f)",
    Severity.MINOR: "var(--minor, #8a7a00)",
    Severity.INFO: "var(--ink-2, #777)",
}
_SHAPE = {Severity.CRITICAL: "▲", Severity.MAJOR: "◆", Severity.MINOR: "●", Severity.INFO: "○"}
_DIGIT_PX = 6.8
"""Width of a digit at 12 px, a little more than most system fonts need."""
_TOP, _BOTTOM, _RIGHT = 26, 26, 14
_NO_DATA_PX = 70
"""A gap narrower than this is shown without words."""

Direction = Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class Wording:
    """What a chart of one day says to a customer: in their words and without dates, whose months would be English."""

    described: str
    """All of it in sentences, spoken in place of the drawing."""
    limit: str
    """Stands beside the limit's line."""
    no_data: str
    """Stands in a gap that is wide enough."""
    decimal: str
    """Their decimal sign."""


@dataclass(frozen=True, slots=True)
class _Plot:
    """The drawing area in pixels, what its edges mean, and in whose time."""

    left: float
    right: float
    top: float
    bottom: float
    since: datetime
    until: datetime
    zone: ZoneInfo
    low: float = 0.0
    high: float = 1.0
    wording: Wording | None = None
    day: Day = english_day
    say: Say = english

    def x(self, at: datetime) -> float:
        share = (at - self.since) / (self.until - self.since)
        return self.left + (self.right - self.left) * min(1.0, max(0.0, share))

    def y(self, value: float) -> float:
        return self.bottom - (self.bottom - self.top) * (value - self.low) / (self.high - self.low)

    def time(self, at: datetime) -> str:
        return write_time(max(at, self.since), self.since, self.until, self.zone, self.day)


def chart(
    series: Series,
    *,
    title: str,
    zone: ZoneInfo,
    unit: str | None = None,
    decimals: int = 1,
    limit: float | None = None,
    direction: Direction | None = None,
    severity: Severity = Severity.MAJOR,
    firing: Sequence[tuple[datetime, datetime | None]] = (),
    labelled: Sequence[tuple[datetime, datetime]] = (),
    annotations: Sequence[tuple[datetime, str]] = (),
    now: datetime | None = None,
    width: int = 720,
    height: int = 240,
    say: Say = english,
    day: Day = english_day,
    decimal: str = ".",
    wording: Wording | None = None,
) -> str:
    """Draw a series.

    Args:
        series: what to draw; its span is the time axis.
        title: what is measured, in words; spoken, not drawn: the page has a heading.
        zone: the viewer's.
        unit: UCUM; None takes the series' own.
        decimals: of values; the axis takes what its steps need.
        limit: drawn dashed in the colour of ``severity``; ``direction`` says which side of it is wrong.
        firing: (begin, end) of the times a rule fired, shaded; end None: still.
        labelled: (begin, end) of the times in which something is known to have been wrong, as a band at the lower edge.
        annotations: (time, text) marks at the upper edge, such as a state's ``changes``.
        now: where "still" ends; None: the end of the span.
        width: pixels, at least 240; draw at the size shown, since letters scale with it.
        height: pixels, at least 120.
        say: says its words in the viewer's language.
        day: writes its dates in that language.
        decimal: stands before decimals in that language.
        wording: in the place of ``say`` for a series of numbers; no dates are drawn, and nothing is added for a cursor.
    Returns:
        One ``<svg class="chart">`` element.
    """
    width, height = max(240, width), max(120, height)
    unit = unit_label(series.unit if unit is None else unit)
    end = min(series.until, now) if now is not None else series.until
    clipped = ((max(begin, series.since), min(until or end, series.until)) for begin, until in firing)
    spans = [(begin, until) for begin, until in clipped if begin < until]
    data: dict[str, str] = {}
    if series.until <= series.since or not (series.times or series.changes):
        body = _empty(title, width, height)
        words = say("No samples of {1} in this time.", title)
    elif series.kind is SeriesKind.TEXT:
        plot = _Plot(8, width - _RIGHT, _TOP, height - _BOTTOM, series.since, series.until, zone, day=day, say=say)
        body = [*_time_axis(plot), *_firing(plot, spans, severity), *_states(plot, series, end)]
        words = describe_states(series, title=title, zone=zone, say=say, day=day)
    else:
        scale = _scale(series, limit, height)
        labels = [_tick_label(series.kind, tick, scale, say) for tick in scale.ticks]
        labels = [label.replace(".", wording.decimal if wording else decimal) for label in labels]
        left = 12 + _DIGIT_PX * max(map(len, labels))
        ends = (series.since, series.until, zone, scale.low, scale.high, wording, day, say)
        plot = _Plot(left, width - _RIGHT, _TOP, height - _BOTTOM, *ends)
        body = [
            *_value_axis(plot, scale, labels, unit),
            *_time_axis(plot),
            *_firing(plot, spans, severity),
            *_labelled(plot, labelled),
            *_line(plot, series),
            *_annotations(plot, annotations),
        ]
        if limit is not None:
            words = say("limit {1}", f"{write_number(limit, decimals).replace('.', decimal)} {unit}".strip())
            label = f"{_SHAPE[severity]} {_own_way(wording.limit if wording else words)}"
            body += _limit(plot, limit, label, _SEVERITY[severity], _runs(plot, series), below=direction != "below")
        words = (
            wording.described
            if wording
            else describe(
                series,
                title=title,
                unit=unit,
                decimals=decimals,
                limit=limit,
                direction=direction,
                firing=spans,
                zone=zone,
                say=say,
                day=day,
                decimal=decimal,
            )
        )
        data = _data(series, plot, unit, decimals) if wording is None else {}
    return el(
        "svg",
        el("title", text(title)),
        el("desc", text(words)),
        *body,
        class_="chart",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        aria_label=words,
        font_size=12,
        direction="ltr",
        **data,
    )


def _scale(series: Series, limit: float | None, height: int) -> Scale:
    if series.kind is SeriesKind.BOOL:
        return Scale(-0.1, 1.1, (0.0, 1.0), 0)
    values = [*series.values, *([limit] if limit is not None else [])]
    return value_scale(min(values), max(values), max(3, (height - _TOP - _BOTTOM) // 40 + 1))


def _tick_label(kind: SeriesKind, tick: float, scale: Scale, say: Say) -> str:
    if kind is SeriesKind.BOOL:
        return say("yes") if tick else say("no")
    return write_number(tick, scale.decimals)


def _value_axis(plot: _Plot, scale: Scale, labels: Sequence[str], unit: str) -> list[str]:
    parts = [el("text", text(unit), x=4, y=14, fill=_HINT, class_="axis")] if unit else []
    for tick, label in zip(scale.ticks, labels, strict=True):
        y = plot.y(tick)
        parts.append(el("path", d=f"M{plot.left:.1f} {y:.1f}H{plot.right:.1f}", stroke=_LINE))
        parts.append(el("text", label, x=plot.left - 8, y=y + 4, text_anchor="end", fill=_HINT, class_="axis"))
    return parts


def _time_axis(plot: _Plot) -> list[str]:
    days = f"{_own_way(write_span(plot.since, plot.until, plot.zone, plot.day))} · {plot.zone.key.replace('_', ' ')}"
    parts = [el("text", text(days), x=plot.right, y=14, text_anchor="end", fill=_HINT)] if plot.wording is None else []
    for tick in time_ticks(plot.since, plot.until, plot.zone, int((plot.right - plot.left) // 72), plot.day):
        # A date names its month in English.
        label = tick.label if plot.wording is None else f"{tick.at.astimezone(plot.zone):%H:%M}"
        x, half = plot.x(tick.at), len(label) * _DIGIT_PX / 2
        inside = min(max(x, half), plot.right + _RIGHT - half)
        parts.append(el("path", d=f"M{x:.1f} {plot.bottom:.1f}v4", stroke=_HINT))
        parts.append(el("text", label, x=inside, y=plot.bottom + 18, text_anchor="middle", fill=_HINT))
    return parts


def _firing(plot: _Plot, spans: Sequence[tuple[datetime, datetime]], severity: Severity) -> list[str]:
    return [
        el(
            "rect",
            *([] if plot.wording else [_fired(plot, begin, end)]),
            x=plot.x(begin),
            y=plot.top,
            width=max(1.0, plot.x(end) - plot.x(begin)),
            height=plot.bottom - plot.top,
            fill=_SEVERITY[severity],
            fill_opacity=".08",
        )
        for begin, end in spans
    ]


def _fired(plot: _Plot, begin: datetime, end: datetime) -> str:
    return el("title", text(plot.say("firing {1} to {2}", plot.time(begin), plot.time(end))))


def _labelled(plot: _Plot, windows: Sequence[tuple[datetime, datetime]]) -> list[str]:
    return [
        el(
            "rect",
            el("title", text(f"labelled {plot.time(begin)} to {plot.time(end)}")),
            x=plot.x(begin),
            y=plot.bottom - 8,
            width=max(1.0, plot.x(end) - plot.x(begin)),
            height=8,
            fill=_SERIES,
            fill_opacity=".45",
        )
        for begin, end in windows
        if begin < plot.until and end > plot.since
    ]


def _limit(plot: _Plot, limit: float, label: str, colour: str, runs: Sequence[Run], *, below: bool) -> list[str]:
    y = plot.y(limit)
    # By preference on the quiet side of the line: what fires is on the other one.
    room = Room(plot.left, plot.right, plot.top, plot.bottom)
    x, base = place_of(y, len(label) * _DIGIT_PX, room, runs, below=below)
    dashes = el(
        "path",
        d=f"M{plot.left:.1f} {y:.1f}H{plot.right:.1f}",
        stroke=colour,
        stroke_width="1.5",
        stroke_dasharray="6 4",
    )
    words = el(
        "text",
        text(label),
        x=x,
        y=base,
        fill=colour,
        paint_order="stroke",
        stroke="var(--surface, transparent)",
        stroke_width=3,
    )
    return [dashes, words]


def _own_way(label: str) -> str:
    """Let words that run right to left do so in a drawing that does not."""
    leftwards = any(bidirectional(c) in ("R", "AL") for c in label)
    return f"\N{RIGHT-TO-LEFT ISOLATE}{label}\N{POP DIRECTIONAL ISOLATE}" if leftwards else label


def _runs(plot: _Plot, series: Series) -> list[Run]:
    """The samples between two gaps each, as points."""
    breaks = {begin for begin, _ in series.gaps}
    runs: list[Run] = []
    run: list[tuple[float, float]] = []
    for at, value in zip(series.times, series.values, strict=True):
        run.append((plot.x(at), plot.y(value)))
        if at in breaks or at == series.times[-1]:
            runs.append(run)
            run = []
    return runs


def _line(plot: _Plot, series: Series) -> list[str]:
    parts = [_run(run, stepped=series.kind is SeriesKind.BOOL) for run in _runs(plot, series)]
    for begin, end in series.gaps:
        if plot.x(end) - plot.x(begin) > _NO_DATA_PX:
            middle = (plot.x(begin) + plot.x(end)) / 2
            words = text(plot.wording.no_data if plot.wording else plot.say("no data"))
            parts.append(el("text", words, x=middle, y=plot.bottom - 8, text_anchor="middle", fill=_HINT))
    last = {"cx": plot.x(series.times[-1]), "cy": plot.y(series.values[-1])}
    return [*parts, el("circle", **last, r=3.5, fill=_SERIES)]


def _run(points: Run, *, stepped: bool) -> str:
    """Draw the samples between two gaps; a truth value holds until the next one."""
    (x, y), *rest = points
    if not rest:
        return el("circle", cx=x, cy=y, r=2.5, fill=_SERIES)
    path = "".join(f"H{x:.1f}V{y:.1f}" if stepped else f"L{x:.1f} {y:.1f}" for x, y in rest)
    return el(
        "path",
        d=f"M{x:.1f} {y:.1f}{path}",
        fill="none",
        stroke=_SERIES,
        stroke_width="1.75",
        stroke_linejoin="round",
        stroke_linecap="round",
    )


def _annotations(plot: _Plot, annotations: Sequence[tuple[datetime, str]]) -> list[str]:
    return [
        el(
            "path",
            el("title", text(f"{plot.time(at)} {said}")),
            d=f"M{plot.x(at):.1f} {plot.top + 6:.1f}l-4 -6h8z",
            fill="var(--ink-2, #777)",
        )
        for at, said in annotations
        if plot.since <= at < plot.until
    ]


def _states(plot: _Plot, series: Series, end: datetime) -> list[str]:
    """Draw a text as a band: each value from when it was said to when the next one was."""
    parts = []
    middle, half = (plot.top + plot.bottom) / 2, min(24.0, (plot.bottom - plot.top) / 2 - 4)
    ends = [*(at for at, _ in series.changes[1:]), end]
    for number, ((at, said), until) in enumerate(zip(series.changes, ends, strict=True)):
        x, width = plot.x(at), plot.x(until) - plot.x(at)
        parts.append(
            el(
                "rect",
                el("title", text(f"{said}, from {plot.time(at)}")),
                x=x,
                y=middle - half,
                width=max(1.0, width - 1),
                height=2 * half,
                rx=3,
                fill=_SERIES,
                fill_opacity=".32" if number % 2 else ".18",
            )
        )
        room = int((width - 12) / _DIGIT_PX)
        if room >= 3:
            shown = said if len(said) <= room else f"{said[: room - 1]}…"
            parts.append(el("text", text(shown), x=x + 6, y=middle + 4, fill="var(--ink, currentColor)"))
    return parts


def _empty(title: str, width: int, height: int) -> list[str]:
    lines = ["No samples in this time.", f"{title} appears here as soon as the device sends it."]
    if width < 480:
        lines = ["No samples in this time.", "They appear here as soon as", "the device sends them."]
    first_y = height / 2 - 9 * (len(lines) - 1) + 4
    return [
        el("rect", x=0.5, y=0.5, width=width - 1, height=height - 1, rx=6, fill="none", stroke=_LINE),
        *(
            el("text", text(line), x=width / 2, y=first_y + 18 * n, text_anchor="middle", fill=_HINT)
            for n, line in enumerate(lines)
        ),
    ]


def _data(series: Series, plot: _Plot, unit: str, decimals: int) -> dict[str, str]:
    """Give the cursor of ``chart.js`` what it reads: samples as [milliseconds since the epoch, value]."""
    points = [[round(at.timestamp() * 1000), value] for at, value in zip(series.times, series.values, strict=True)]
    return {
        "data_points": json.dumps(points, separators=(",", ":")),
        "data_plot": f"{plot.left:.1f} {plot.right:.1f} {plot.top:.1f} {plot.bottom:.1f}",
        "data_time": f"{plot.since.timestamp() * 1000:.0f} {plot.until.timestamp() * 1000:.0f}",
        "data_range": f"{plot.low!r} {plot.high!r}",
        "data_unit": unit,
        "data_decimals": str(decimals),
        "data_zone": plot.zone.key,
        "data_kind": series.kind.value,
    }
