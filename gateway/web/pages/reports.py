"""Reports: the page for a lead, the same as CSV for a spreadsheet and as JSON for a program."""

import csv
import io
from datetime import datetime, timedelta

from aiohttp import web

from device_models.event import rfc3339
from gateway.reports.catalogue import REPORTS, make_all, make_one
from gateway.reports.report import Cell, Column, Period, Report, Unit
from gateway.settings.prices import Prices
from gateway.web.access import read
from gateway.web.api.present import answer
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.pages.shell import show

SPANS = {"7d": timedelta(days=7), "30d": timedelta(days=30), "90d": timedelta(days=90), "365d": timedelta(days=365)}
_DEFAULT = "30d"
_SHOWN = 15
"""Rows of a table on the page; the CSV has all."""
_FORMULA = ("=", "+", "-", "@", "\t")


async def show_reports(request: web.Request) -> web.StreamResponse:
    """GET /reports?span=30d: every report over that time, beside the time before."""
    period, span = period_of(request)
    made = await read(request, make_all, period, _prices(request))
    return await show(
        request, "reports.html", "reports", reports=made, period=period, span=span, spans=list(SPANS), shown=_SHOWN
    )


async def download(request: web.Request) -> web.StreamResponse:
    """GET /reports/{name}.csv?span=30d or since= and until=."""
    report, _ = await _report(request)
    name = f"{report.name}-{period_of(request)[0].since:%Y-%m-%d}.csv"
    return web.Response(
        text=as_csv(report),
        content_type="text/csv",
        charset="utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


async def get_report(request: web.Request) -> web.StreamResponse:
    """GET /api/reports/{name}: ``figures`` with what they rest on, ``columns`` and ``rows``."""
    report, period = await _report(request)
    figures = [
        {
            "name": figure.name,
            "label": figure.label,
            "value": figure.value,
            "unit": figure.unit,
            "of": figure.of,
            "before": figure.before,
            "note": figure.note or None,
        }
        for figure in report.figures
    ]
    names = [column.name for column in report.columns]
    return answer(
        {
            "name": report.name,
            "title": report.title,
            "explains": report.explains,
            "since": rfc3339(period.since),
            "until": rfc3339(period.until),
            "currency": report.currency,
            "figures": figures,
            "columns": [{"name": c.name, "label": c.label, "unit": c.unit} for c in report.columns],
            "rows": [dict(zip(names, row, strict=True)) for row in report.rows],
        }
    )


def period_of(request: web.Request) -> tuple[Period, str]:
    """Read ``since`` and ``until`` (RFC 3339), or ``span``; what was asked for, and the span's name if it has one.

    Raises FieldError.
    """
    now = request.app[DEPS].clock.now()
    since, until = _moment(request, "since"), _moment(request, "until") or now
    if since is not None:
        if since >= until:
            raise FieldError("since", "since: is not before until")
        return Period(since, until), ""
    span = request.query.get("span", _DEFAULT)
    if span not in SPANS:
        raise FieldError("span", f"span: '{span}' is none of {', '.join(SPANS)}; or give since and until")
    return Period(until - SPANS[span], until), span


def as_csv(report: Report) -> str:
    """Write a report's table for a spreadsheet; spans in seconds, shares from 0 to 1, texts never as formulas.

    A column of money has its currency in its heading: ``cost_EUR``.
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([_heading(column, report.currency) for column in report.columns])
    writer.writerows([_plain(cell) for cell in row] for row in report.rows)
    return written.getvalue()


async def _report(request: web.Request) -> tuple[Report, Period]:
    name = request.match_info["name"]
    if name not in REPORTS:
        raise web.HTTPNotFound(text=f"There is no such report; there are {', '.join(REPORTS)}.")
    period, _ = period_of(request)
    return await read(request, make_one, period, _prices(request), name), period


def _prices(request: web.Request) -> Prices:
    return request.app[DEPS].notifiers.prices


def _heading(column: Column, currency: str | None) -> str:
    return f"{column.name}_{currency}" if column.unit is Unit.MONEY and currency else column.name


def _plain(cell: Cell) -> Cell:
    # A spreadsheet runs what begins like a formula, and rule ids and names are what people typed.
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _moment(request: web.Request, name: str) -> datetime | None:
    said = request.query.get(name)
    if not said:
        return None
    try:
        at = datetime.fromisoformat(said)
        if at.tzinfo is None:
            raise ValueError
        # Some hundreds of years of room on either side, so that no sum of it and a period leaves the calendar.
        if not 1900 <= at.year <= 2200:
            raise ValueError
    except ValueError:
        raise FieldError(name, f"{name}: '{said[:40]}' is no RFC 3339 time with a zone") from None
    return at
