"""What customers of a country prefer, as a survey found: a weak prior, used until the person has shown their own taste.

Source: a survey of 5,000 consumers, 2020 (DESIGN.md, Notifiers). Shares below ``WORTH_SAYING`` are kept for the learner
but order nothing by themselves: that 6 % of a country prefers mail is no reason to write one.
"""

from dataclasses import dataclass
from functools import lru_cache

from device_models.purpose import Purpose

SOURCE = "survey of 5,000 consumers"
YEAR = 2020
WORTH_SAYING = 0.2

_STATUS = frozenset({Purpose.SAFETY, Purpose.FAULT, Purpose.MAINTENANCE})
"""Purposes that tell how a product is doing; what the survey asked as "a live product status"."""


@dataclass(frozen=True, slots=True)
class Prior:
    """One row of the survey."""

    channel: str
    share: float
    """Of the country's consumers, 0 to 1."""
    purposes: frozenset[Purpose] = frozenset(Purpose)
    """What it was asked about."""


_PRIORS: dict[str, tuple[Prior, ...]] = {
    "AE": (Prior("push", 0.23, _STATUS),),
    "AU": (Prior("sms", 0.40),),
    "BR": (Prior("whatsapp", 0.43),),
    "CA": (Prior("sms", 0.40), Prior("messenger", 0.26)),
    "CN": (Prior("email", 0.06),),
    "DE": (Prior("email", 0.30),),
    "GB": (Prior("sms", 0.40),),
    "ID": (Prior("whatsapp", 0.48),),
    "JP": (Prior("line", 0.28), Prior("push", 0.06, _STATUS)),
    "US": (Prior("sms", 0.40), Prior("imessage", 0.15), Prior("messenger", 0.08), Prior("whatsapp", 0.05)),
}


@lru_cache(maxsize=4096)
def priors(country: str | None, purpose: Purpose) -> tuple[Prior, ...]:
    """Return what the survey says of ``country`` (ISO 3166-1 alpha-2) for ``purpose``, largest share first."""
    rows = _PRIORS.get(country or "", ())
    return tuple(sorted((row for row in rows if purpose in row.purposes), key=lambda row: -row.share))
