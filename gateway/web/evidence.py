"""The proof beside a case: its field's course over time, with the limit and the time in which the rule fired."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from markupsafe import Markup

from device_models.profile import DeviceProfile
from device_models.purpose import Severity
from gateway.history import History, HistoryUnavailable, Series
from gateway.history.chart import chart
from gateway.web.language import _, day_text, decimal_point, say
from gateway.web.queries.cases import CaseLine
from gateway.web.wording import field_spec, text_in, zone_of

RANGES = {"1h": 1, "24h": 24, "7d": 24 * 7, "30d": 24 * 30, "90d": 24 * 90, "365d": 24 * 365}
"""Hours by the word in the URL."""
POINTS = 400
WIDTH, HEIGHT = 432, 216
"""Pixels, as wide as the case page's right column: letters scale with the drawing, so it is drawn at the size shown."""
LOW = 132
"""Of what stands below it: enough to see when it changed."""
WIDE = 620
"""On a device's page."""
_NARROW_BEFORE = timedelta(minutes=20)
"""How much of the time before a fault began is always shown, so that the change is seen and not only its result."""

Firing = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One chart, ready for the page."""

    field: str | None
    """None where neither rule nor profile names a field."""
    title: str
    svg: Markup | None
    """None where there is nothing to draw; ``note`` says why."""
    note: str


async def draw(
    history: History,
    case: CaseLine,
    profile: DeviceProfile | None,
    firing: Firing,
    now: datetime,
    hours: int,
    zone: str,
    width: int = WIDTH,
) -> Evidence:
    """Draw the field that a case is about."""
    name = field_of(case, profile)
    if name is None:
        return Evidence(None, "Evidence", None, "This rule watches no measured value.")
    since, until = span_of(case, firing, now, hours)
    limit = case.explanation.get("limit")
    return await _draw(
        history,
        case.device_id,
        name,
        profile,
        (since, until),
        now,
        zone,
        width,
        HEIGHT,
        limit=float(limit) if isinstance(limit, int | float) and not isinstance(limit, bool) else None,
        direction=_direction(case.explanation.get("direction")),
        severity=Severity(case.severity),
        firing=[firing],
    )


def beside(case: CaseLine, profile: DeviceProfile | None) -> list[str]:
    """Name the other measured values that the rule looked at, at most two."""
    seen = case.explanation.get("values")
    measured = (
        name
        for name, value in (seen.items() if isinstance(seen, dict) else ())
        if isinstance(value, int | float) and not isinstance(value, bool) and name != field_of(case, profile)
    )
    return list(measured)[:2]


async def draw_beside(
    history: History,
    case: CaseLine,
    profile: DeviceProfile | None,
    firing: Firing,
    now: datetime,
    hours: int,
    zone: str,
) -> list[Evidence]:
    """Draw the other values that the rule looked at over the same time, lower; what cannot be drawn is left out."""
    span = span_of(case, firing, now, hours)
    severity, names = Severity(case.severity), beside(case, profile)
    drawn = [
        await _draw(
            history, case.device_id, name, profile, span, now, zone, WIDTH, LOW, severity=severity, firing=[firing]
        )
        for name in names
    ]
    return [one for one in drawn if one.svg]


async def draw_field(
    history: History, device_id: str, name: str, profile: DeviceProfile | None, now: datetime, hours: int, zone: str
) -> Evidence:
    """Draw one field of a device up to now."""
    span = (now - timedelta(hours=hours), now)
    return await _draw(history, device_id, name, profile, span, now, zone, WIDE, HEIGHT)


async def series_of(
    history: History, case: CaseLine, profile: DeviceProfile | None, now: datetime, hours: int
) -> Series | None:
    """Read the numbers behind a case's chart; None where there is no field or no history just now."""
    name = field_of(case, profile)
    if name is None:
        return None
    since, until = span_of(case, (case.opened_at, case.resolved_at), now, hours)
    try:
        return await history.series(case.device_id, name, since, until, POINTS)
    except HistoryUnavailable:
        return None


def field_of(case: CaseLine, profile: DeviceProfile | None) -> str | None:
    """Tell which field a case is about: the rule's, else the first of the profile's chart."""
    named = case.explanation.get("field")
    if isinstance(named, str) and named:
        return named
    return next(iter(profile.chart), None) if profile else None


def span_of(case: CaseLine, firing: Firing, now: datetime, hours: int) -> tuple[datetime, datetime]:
    """Choose the time shown: up to now while open, else around the end; the shortest range grows to show the begin."""
    begin, end = firing
    asked = timedelta(hours=hours)
    until = now if case.open or end is None else min(now, end + max(asked / 6, timedelta(minutes=10)))
    since = until - asked
    if hours == 1 and until - begin < timedelta(hours=6):
        since = min(since, begin - _NARROW_BEFORE)
    return since, until


async def _draw(
    history: History,
    device_id: str,
    name: str,
    profile: DeviceProfile | None,
    span: tuple[datetime, datetime],
    now: datetime,
    zone: str,
    width: int,
    height: int,
    *,
    limit: float | None = None,
    direction: Literal["above", "below"] | None = None,
    severity: Severity = Severity.MAJOR,
    firing: Sequence[Firing] = (),
) -> Evidence:
    spec = field_spec(profile, name)
    title = text_in(spec.title)
    title = title[:1].upper() + title[1:]
    interval = profile.reporting_interval if profile else None
    try:
        series = await history.series(device_id, name, *span, POINTS, interval=interval)
    except HistoryUnavailable:
        return Evidence(name, title, None, _("The history cannot be read just now; the case itself is complete."))
    drawn = chart(
        series,
        title=title,
        zone=zone_of(zone),
        unit=spec.unit or None,
        decimals=spec.decimals,
        limit=limit,
        direction=direction,
        severity=severity,
        firing=firing,
        now=now,
        width=width,
        height=height,
        say=say,
        day=lambda at, year: day_text(at, year=year),
        decimal=decimal_point(),
    )
    # The chart escapes every text that came from outside; see gateway.history.chart.
    return Evidence(name, title, Markup(drawn), "")  # noqa: S704


def _direction(value: object) -> Literal["above", "below"] | None:
    return value if value == "above" or value == "below" else None
