"""What the forms of the customer's page have in common: the case they are about, and days to come."""

from collections.abc import Mapping
from datetime import date, timedelta

from aiohttp import web

from gateway.web.customer.session import Opened

DAYS_AHEAD = timedelta(days=180)
"""What a date's field takes."""


def case_of(opened: Opened) -> int | None:
    """Return the case that a page is about."""
    return opened.facts.case.id if opened.facts.case else None


def need_case(opened: Opened) -> int:
    """As ``case_of``. Raises HTTPNotFound where there is none."""
    if opened.facts.case is None:
        raise web.HTTPNotFound
    return opened.facts.case.id


def day_to_come(form: Mapping[str, str], name: str, today: date) -> date | None:
    """Read a day after ``today``; None for anything else, and for one beyond ``DAYS_AHEAD``."""
    try:
        day = date.fromisoformat(form.get(name, ""))
    except ValueError:
        return None
    return day if today < day <= today + DAYS_AHEAD else None
