"""Numbers, units, dates and times as the customer writes them, in their zone."""

import datetime as dt
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import format_decimal, format_scientific
from babel.units import UnknownUnitError, format_unit

from device_models.registry import Customer
from notifiers.wording.bidi import PDI, direction_of, isolate_number
from notifiers.wording.units import CLDR, WORDS, Quantity, localise, symbol

NBSP = "\u00a0"
_HUGE = 1e15
"""From here on digits say nothing to anybody."""
_EASTERN = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@dataclass(frozen=True, slots=True)
class Formats:
    """How one customer reads figures, at one moment."""

    locale: Locale
    zone: ZoneInfo
    territory: str | None
    """Whose measures they use, ISO 3166-1 alpha-2; None: unknown, units stay as they come."""
    now: datetime

    @classmethod
    def of(cls, customer: Customer, language: str, now: datetime) -> "Formats":
        """Follow the customer's country, in the language of the text: nobody reads "Montag" in an English sentence."""
        own = Locale.parse(customer.locale, sep="-").territory
        territory = own or customer.country
        return cls(_locale(language, territory), customer.zone, customer.country or own, now)

    def number(self, value: float, decimals: int = 1) -> str:
        """Write a finite number with at most ``decimals`` decimals."""
        if abs(value) >= _HUGE:
            written = format_scientific(value, format="0.##E0", locale=self.locale, numbering_system="default")
        else:
            rounded, pattern = _rounded(value, decimals)
            written = format_decimal(rounded, pattern, locale=self.locale, numbering_system="default")
        return self._signed(written)

    def quantity(self, value: float, unit: str, decimals: int = 1) -> str:
        """Write a number with its UCUM unit, in the measures of the customer's country: ``−8.3 °C``.

        A number that is not finite is a dash.
        """
        if not math.isfinite(value):
            return "–"
        shown = localise(Quantity(value, unit), self.territory)
        number = self.number(shown.value, decimals)
        if self._rtl:
            return self._quantity_rtl(number, shown, decimals)
        written = f"{number} {symbol(shown.unit)}".strip()
        if shown.unit in WORDS and abs(shown.value) < _HUGE:
            written = self._cldr(shown, decimals)
        return written.replace(" ", NBSP)

    def difference(self, value: float, unit: str, decimals: int = 1) -> str:
        """Write by how much a value moved, without its sign: 5 °C up are 9 °F up, not 41."""
        zero, moved = localise(Quantity(0.0, unit), self.territory), localise(Quantity(value, unit), self.territory)
        return self.quantity(abs(moved.value - zero.value), moved.unit, decimals)

    def duration(self, seconds: float) -> str:
        """Write a length of time in the largest unit that it has two of, or one exactly: ``2 hrs``, ``90 mins``."""
        for unit, length_s in (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0)):
            count = seconds / length_s
            if count >= 2 or math.isclose(count, 1.0):
                return self.quantity(count, unit, 0 if count >= 10 else 1)
        return self.quantity(seconds, "s", 0)

    def _quantity_rtl(self, number: str, shown: Quantity, decimals: int) -> str:
        """Keep the sign before its digits; a unit in the sentence's own script then stands after them as it should."""
        try:
            if abs(shown.value) >= _HUGE:
                raise UnknownUnitError(shown.unit, self.locale)
            written = self._cldr(shown, decimals).replace(" ", NBSP)
        except (KeyError, UnknownUnitError):
            return isolate_number(f"{number}{NBSP}{symbol(shown.unit)}".strip(NBSP), "rtl")
        return written.replace(number, isolate_number(number, "rtl"), 1).replace(f"{PDI}°", f"{PDI}{NBSP}°")

    def _cldr(self, shown: Quantity, decimals: int) -> str:
        # The number itself, not its text: Arabic has words for one and two of a thing, and drops the digit.
        rounded, pattern = _rounded(shown.value, decimals)
        written = format_unit(rounded, CLDR[shown.unit], "short", pattern, self.locale, numbering_system="default")
        return self._signed(written)

    @property
    def _rtl(self) -> bool:
        return direction_of(self.locale.language) == "rtl"

    def _signed(self, written: str) -> str:
        return written if self._rtl else written.replace("-", "−")

    def distance(self, metres: float) -> str:
        """Write how far a shop is: ``350 m``, ``1.2 km``, ``0.2 mi``; no finer than a walker cares."""
        if metres >= 995 or localise(Quantity(1, "km"), self.territory).unit != "km":
            return self.quantity(metres / 1000, "km", 1)
        return self.quantity(round(metres, -1), "m", 0)

    def time(self, at: datetime) -> str:
        """Write the local time of day."""
        return self._digits(format_time(at.astimezone(self.zone), "short", locale=self.locale))

    def long_date(self, at: datetime) -> str:
        """Write the local date, with its weekday."""
        return self._digits(format_date(self._local(at), "full", locale=self.locale))

    def short_date(self, at: datetime) -> str:
        """Write the local date as briefly as is clear."""
        return self._digits(format_date(self._local(at), "medium", locale=self.locale))

    def span(self, begins: datetime, ends: datetime, joined: str = "%(day)s, %(time)s") -> str:
        """Write a date of some hours: its day, and from when until when; ``joined`` as its language joins them."""
        return joined % {"day": self.long_date(begins), "time": f"{self.time(begins)}–{self.time(ends)}"}

    def moment(self, at: datetime) -> tuple[str | None, str]:
        """Write a moment not long ago as (day, time): the day None today, a weekday within the week, else a date."""
        day, today = self._local(at), self._local(self.now)
        if day == today:
            return None, self.time(at)
        if timedelta(0) < today - day < timedelta(days=7):
            return format_date(day, "EEEE", locale=self.locale), self.time(at)
        if day.year == today.year:
            return self._digits(format_skeleton("MMMMd", day, locale=self.locale)), self.time(at)
        return self._digits(format_date(day, "long", locale=self.locale)), self.time(at)

    def days_until(self, at: datetime) -> int:
        """Count calendar days from today to ``at`` in the customer's zone; negative in the past."""
        return (self._local(at) - self._local(self.now)).days

    def _local(self, at: datetime) -> dt.date:
        return at.astimezone(self.zone).date()

    def _digits(self, text: str) -> str:
        """Babel writes dates in Latin digits everywhere; follow the locale, as the numbers beside them do."""
        return text.translate(_EASTERN) if self.locale.default_numbering_system == "arab" else text


def _rounded(value: float, decimals: int) -> tuple[float, str]:
    """The value and the pattern that shows it; zero has no sign, whatever it was rounded from."""
    return round(value, decimals) + 0.0, "#,##0" + ("." + "#" * decimals if decimals else "")


def _locale(language: str, territory: str | None) -> Locale:
    """English without a country of its own reads as in Europe: 14:02 and 3 March are clear everywhere."""
    candidates = [territory, "150" if language == "en" else None]
    for candidate in (candidate for candidate in candidates if candidate):
        try:
            return Locale(language, candidate)
        except UnknownLocaleError:
            continue
    return Locale(language)
