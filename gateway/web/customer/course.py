"""The course of the customer's figure over the last day, drawn on the server in their language and measures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from babel.numbers import get_decimal_symbol
from markupsafe import Markup

from device_models.profile import DeviceProfile
from device_models.purpose import Severity
from gateway.history import History, HistoryUnavailable, Series, SeriesKind
from gateway.history.chart import Wording, chart
from gateway.people.ownership import owned_since, visible_since
from gateway.web.customer.texts import Texts
from gateway.web.customer.view import CustomerFacts, figure_title, measured_field, when
from gateway.web.queries.cases import firing_span
from gateway.web.wording import field_spec
from notifiers.wording.formats import Formats
from notifiers.wording.units import Quantity, localise

DAY = timedelta(hours=24)
_POINTS = 120
"""More than there are pixels to tell them apart on a phone, and a few kilobytes."""
_WIDTH, _HEIGHT = 310, 150
"""Pixels; as wide as a phone's card, since letters scale with the drawing."""

Firing = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Span:
    """What of the past this customer may see, and when something was wrong in it."""

    since: datetime
    firing: Firing


def load_span(connection: sa.Connection, facts: CustomerFacts, now: datetime) -> Span | None:
    """Read from when on this customer may see what their device measured; None for a device that is not theirs."""
    if facts.case is None or facts.device is None:
        return None
    device_id, customer_id = facts.device.id, facts.customer.id
    if owned_since(connection, device_id, customer_id) is None:
        return None
    # What it measured at the owner's before them is not theirs to see.
    begin = visible_since(connection, device_id, customer_id)
    since = now - DAY if begin is None else max(now - DAY, begin)
    return Span(since, firing_span(connection, facts.case)) if since < now else None


async def draw(
    history: History,
    facts: CustomerFacts,
    span: Span,
    profile: DeviceProfile | None,
    t: Texts,
    formats: Formats,
) -> Markup | None:
    """Draw the figure's last 24 hours with its limit and the time in which something was wrong.

    None where there is nothing to see: no measured field, fewer than two samples, or a history that cannot be read now.
    """
    case, device, name, now = facts.case, facts.device, measured_field(facts, profile), formats.now
    if case is None or device is None or name is None:
        return None
    spec = field_spec(profile, name)
    interval = profile.reporting_interval if profile else None
    try:
        series = await history.series(device.id, name, span.since, now, _POINTS, interval=interval)
    except HistoryUnavailable:
        return None
    if series.kind is not SeriesKind.NUMBER or len(series.values) < 2:
        return None
    title = figure_title(profile, name, t, facts.customer.locale)
    explained = case.explanation
    limit = explained.get("limit") if explained.get("field") == name else None
    limit = limit if isinstance(limit, int | float) and not isinstance(limit, bool) else None
    measured = _Measured(spec.unit or series.unit, spec.decimals, formats)
    wording = Wording(
        described=_described(title, series, limit, span.firing, measured, t),
        limit=f"{t['know_limit']} {measured.write(limit)}" if limit is not None else "",
        no_data=t["course_no_data"],
        decimal=get_decimal_symbol(formats.locale),
    )
    direction = explained.get("direction")
    drawn = chart(
        replace(series, values=tuple(map(measured.value, series.values))),
        title=f"{title}: {t['course']}",
        zone=formats.zone,
        unit=measured.shown_unit,
        decimals=spec.decimals,
        limit=measured.value(limit) if limit is not None else None,
        direction=direction if direction in ("above", "below") else None,
        severity=Severity(case.severity),
        firing=[span.firing],
        now=now,
        width=_WIDTH,
        height=_HEIGHT,
        wording=wording,
    )
    # The chart escapes every text that came from outside; see gateway.history.chart.
    return Markup(drawn)  # noqa: S704


@dataclass(frozen=True, slots=True)
class _Measured:
    """A field's values as this customer reads them: °F for some."""

    unit: str
    decimals: int
    formats: Formats

    @property
    def shown_unit(self) -> str:
        return localise(Quantity(0.0, self.unit), self.formats.territory).unit

    def value(self, measured: float) -> float:
        return localise(Quantity(measured, self.unit), self.formats.territory).value

    def write(self, measured: float) -> str:
        return self.formats.quantity(measured, self.unit, self.decimals)


def _described(title: str, series: Series, limit: float | None, firing: Firing, measured: _Measured, t: Texts) -> str:
    """Say what a glance at the drawing tells, in their language."""
    formats = measured.formats
    at = dict(zip(series.values, series.times, strict=True))
    low, high, last = min(series.values), max(series.values), series.values[-1]
    sentences = [
        f"{title}: {t['course']}.",
        t["course_range"].format(
            low=measured.write(low),
            low_at=when(formats, at[low]),
            high=measured.write(high),
            high_at=when(formats, at[high]),
        ),
        t["course_last"].format(value=measured.write(last), at=when(formats, series.times[-1])),
    ]
    if limit is not None:
        sentences.append(f"{t['know_limit']}: {measured.write(limit)}.")
    begin, end = firing
    if end is None:
        sentences.append(t["course_wrong_since"].format(begin=when(formats, begin)))
    elif end > series.since:
        sentences.append(t["course_wrong"].format(begin=when(formats, begin), end=when(formats, end)))
    return " ".join([*sentences, *_silences(series, formats, t)])


def _silences(series: Series, formats: Formats, t: Texts) -> Sequence[str]:
    longest = sorted(series.gaps, key=lambda gap: gap[0] - gap[1])[:3]
    return [
        t["course_gap"].format(begin=when(formats, begin), end=when(formats, end)) for begin, end in sorted(longest)
    ]
