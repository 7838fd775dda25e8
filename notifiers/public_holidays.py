"""Whether a day is a public holiday where a customer lives: the whole country's, by the package ``holidays``."""

from datetime import date
from functools import lru_cache
from typing import Any


def public_holiday(country: str | None, day: date) -> str | None:
    """Name the public holiday that ``day`` is in ``country`` (ISO 3166-1 alpha-2); None where it is none.

    Holidays of a part of a country do not count, since nobody told us the part. None as well for a country that has no
    calendar.
    """
    calendar = _calendar(country) if country else None
    found = calendar.get(day) if calendar is not None else None
    return str(found) if found else None


@lru_cache(maxsize=256)
def _calendar(country: str) -> Any:
    # It takes half a second to import, which no command line that asks nothing of it should wait for.
    import holidays

    try:
        return holidays.country_holidays(country)
    except NotImplementedError:
        return None
