"""``--plot``: each series with its alerts and labelled windows, as one SVG file that stands alone."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from device_models.event import Event
from device_models.localized import in_language
from device_models.profile import DeviceProfile
from gateway.backtest.sources import Item
from gateway.history import Series
from gateway.history import thinning as th
from gateway.history.chart import Direction, chart
from gateway.history.svg import el, text
from rules.detect import Detector
from rules.recordings.score import Windows
from rules.schema import RuleSet
from rules.transition import AlertState, Transition

WIDTH, HEIGHT, HEADING = 1200, 280, 28
MOST_PANELS = 24
"""Series drawn; a plot of a whole fleet is for nobody's eyes."""
_POINTS = 4 * WIDTH
_VARIABLE = re.compile(r"var\(--[a-z0-9-]+, ([^)]+)\)")


class Plot:
    """Collects the numbers that the rules read, and draws them."""

    def __init__(self, ruleset: RuleSet, profile: DeviceProfile, windows: Mapping[str, Windows], zone: tzinfo) -> None:
        plan = Detector(ruleset, {profile.name: profile}).plan(profile)
        self._reader = plan.reader
        self._readers = {
            name: [e.rule.id for e in plan.evaluators.values() if name in e.reads]
            for name in {name for e in plan.evaluators.values() for name in e.reads}
        }
        self._profile = profile
        self._windows = windows
        self._zone = zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")
        self._points: dict[tuple[str, str], list[th.Point]] = {}

    def take(self, item: Item) -> None:
        """Take in one sample."""
        if isinstance(item, Event):
            return
        device_id, at, said = item
        at_us = th.to_us(at)
        for name, value in self._reader.read_values(said, {}).values.items():
            if name not in self._readers or isinstance(value, str):
                continue
            key = (device_id, name)
            points = self._points.get(key)
            if points is None:
                if len(self._points) >= MOST_PANELS:
                    continue
                points = self._points[key] = []
            points.append((at_us, float(value)))

    def svg(self, alerts: Iterable[Transition]) -> str:
        """Draw; ``alerts`` are all that fired or resolved, in order."""
        told: defaultdict[tuple[str, str], list[Transition]] = defaultdict(list)
        for alert in alerts:
            told[alert.device_id, alert.rule].append(alert)
        panels = [
            self._panel(number, device_id, field, points, told)
            for number, ((device_id, field), points) in enumerate(self._points.items())
        ] or [el("text", text("The rules read no number that was recorded."), x=20, y=40)]
        height = max(1, len(self._points)) * (HEIGHT + HEADING)
        drawn = el(
            "svg",
            el("rect", width=WIDTH, height=height, fill="#ffffff"),
            *panels,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {WIDTH} {height}",
            width=WIDTH,
            height=height,
            font_family="system-ui, sans-serif",
        )
        # Outside the console there is no style sheet to give the colours.
        return _VARIABLE.sub(r"\1", drawn)

    def _panel(
        self,
        number: int,
        device_id: str,
        field: str,
        points: list[th.Point],
        told: Mapping[tuple[str, str], Sequence[Transition]],
    ) -> str:
        spec = self._profile.fields.get(field)
        name = in_language(spec.title, "en") if spec else field
        points.sort()
        begin, end = points[0][0], points[-1][0] + 1
        interval_us = self._profile.reporting_interval // th.MICROSECOND
        thinned = th.thin(points, begin, end, _POINTS, interval_us)
        series: Series = thinned.series(
            device_id=device_id,
            field=field,
            since=th.from_us(begin),
            until=th.from_us(end),
            unit=spec.unit if spec else "",
        )
        mine = [alert for rule in self._readers[field] for alert in told.get((device_id, rule), ())]
        limit, direction = _limit(mine, field)
        drawn = chart(
            series,
            title=f"{device_id}: {name or field}",
            zone=self._zone,
            limit=limit,
            direction=direction,
            firing=_spans(mine),
            labelled=[(start, stop) for start, stop in self._windows.get(device_id, ())],
            annotations=[(a.at, f"{a.rule} fires") for a in mine if a.state is AlertState.FIRING],
            width=WIDTH,
            height=HEIGHT,
        )
        y = number * (HEIGHT + HEADING)
        heading = f"{device_id}: {name or field}" + (
            " · labelled windows in blue" if device_id in self._windows else ""
        )
        return el("text", text(heading), x=12, y=y + 20, font_size=14, font_weight="600") + el(
            "g", drawn, transform=f"translate(0 {y + HEADING})"
        )


def _spans(alerts: Sequence[Transition]) -> list[tuple[datetime, datetime | None]]:
    """Pair each firing with its end, by rule and fault."""
    spans: list[tuple[datetime, datetime | None]] = []
    open_since: dict[tuple[str, str], datetime] = {}
    for alert in alerts:
        key = (alert.rule, alert.fault)
        if alert.state is AlertState.FIRING:
            open_since.setdefault(key, alert.at)
        elif key in open_since:
            spans.append((open_since.pop(key), alert.at))
    return spans + [(begin, None) for begin in open_since.values()]


def _limit(alerts: Sequence[Transition], field: str) -> tuple[float | None, Direction | None]:
    for alert in alerts:
        told = alert.explanation
        if told.get("field") == field and isinstance(told.get("limit"), int | float):
            direction = told.get("direction")
            return float(told["limit"]), direction if direction in ("above", "below") else None
    return None, None
