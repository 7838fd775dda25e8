"""Whether a day is a public holiday somewhere: in a whole country or a part of it, by the package ``holidays``."""

from datetime import date
from functools import lru_cache
from typing import Any


def public_holiday(place: str | None, day: date) -> str | None:
    """Name the public holiday that ``day`` is in ``place``; None where it is none, or where no calendar is known.

    ``place`` is a country (ISO 3166-1 alpha-2, ``DE``), whose parts' own holidays do not count, or such a part (ISO
    3166-2, ``DE-BE``).
    """
    calendar = _calendar(place) if place else None
    found = calendar.get(day) if calendar is not None else None
    return str(found) if found else None


def has_calendar(place: str) -> bool:
    """Tell whether the holidays of a place are known."""
    return _calendar(place) is not None


@lru_cache(maxsize=256)
def _calendar(place: str) -> Any:
    # It takes half a second to import, which no command line that asks nothing of it should wait for.
    import holidays

    country, _, part = place.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        return None
