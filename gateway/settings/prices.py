"""What messages cost: the section ``[notifiers.prices]``, and which of its rates one message falls under."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from gateway.settings.section import Section
from notifiers.reasons import CHANNEL_NAMES


def _channel(value: str) -> str:
    if value not in CHANNEL_NAMES:
        raise ValueError(f"'{value}' is no channel; there are {', '.join(sorted(CHANNEL_NAMES))}")
    return value


class Rate(Section):
    """What one message costs, by SMS one segment of it."""

    channel: Annotated[str, AfterValidator(_channel)]
    price: Annotated[Decimal, Field(ge=0, le=1000, allow_inf_nan=False)]
    """Of a message; by SMS of each segment. 0: it costs nothing, which is not the same as being left out."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """Of customers there (ISO 3166-1); None: of all for whom no other rate names the country."""
    category: Annotated[str, Field(pattern=r"^[a-z_]+$")] | None = None
    """What Meta bills a WhatsApp message as (``utility``, ``marketing``, ``service``); None: as whatever else."""
    since: date | None = None
    """From the beginning of this day on (UTC); None: from the first message on."""

    @model_validator(mode="after")
    def _categories_are_metas(self) -> Self:
        if self.category is not None and self.channel != "whatsapp":
            raise ValueError("category is of WhatsApp alone")
        return self

    @property
    def of(self) -> tuple[str, str | None, str | None, date | None]:
        """Which messages it is of."""
        return self.channel, self.country, self.category, self.since


class Prices(Section):
    """What the company pays for messages, as its contracts with the providers say."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    """In which all rates are, ISO 4217."""
    rates: tuple[Rate, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.rates and self.currency is None:
            raise ValueError('rates need a currency; write it like currency = "EUR"')
        seen = set()
        for rate in self.rates:
            if rate.of in seen:
                raise ValueError(f"there are two rates for {rate.channel} with the same country, category and since")
            seen.add(rate.of)
        return self

    def find(self, channel: str, country: str | None, category: str | None, on: date) -> Decimal | None:
        """Return the price of a message (by SMS of a segment) that went out ``on`` a day; None: none is known.

        A rate that names the country goes before one that does not, then one that names the category; of several
        alike the latest that had begun.
        """
        found = [
            rate
            for rate in self.rates
            if rate.channel == channel
            and rate.country in (None, country)
            and rate.category in (None, category)
            and (rate.since is None or rate.since <= on)
        ]
        return max(found, key=_narrowness).price if found else None

    def changes(self, since: date, until: date) -> Sequence[date]:
        """Return the days after ``since`` and up to ``until`` on which a rate begins, in order."""
        return sorted({rate.since for rate in self.rates if rate.since is not None and since < rate.since <= until})


def _narrowness(rate: Rate) -> tuple[bool, bool, date]:
    return rate.country is not None, rate.category is not None, rate.since or date.min
