"""What the messages of a period cost, by channel and country, as far as prices are known."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

import sqlalchemy as sa

from gateway.reports.report import Period
from gateway.settings.prices import Prices
from gateway.store.outcomes import FREE, outcomes

_PAID_ON_DELIVERY = "whatsapp"
"""Meta charges for what is delivered; a carrier that could not deliver an SMS charges for it all the same."""


@dataclass(slots=True)
class Spent:
    """What some messages cost."""

    cost: Decimal = Decimal(0)
    priced: int = 0
    """Messages whose price is known; ``cost`` is theirs."""
    unpriced: int = 0
    segments: int = 0
    """Of SMS."""

    def __iadd__(self, other: "Spent") -> "Spent":
        self.cost += other.cost
        self.priced += other.priced
        self.unpriced += other.unpriced
        self.segments += other.segments
        return self

    @property
    def known(self) -> float | None:
        """The cost, rounded to a ten-thousandth; None where of none of the messages a price is known."""
        return float(round(self.cost, 4)) if self.priced else None

    def per(self, answers: int) -> float | None:
        """The cost of each answer; None without answers, and where a message without a price is among them."""
        return float(round(self.cost / answers, 4)) if answers and self.priced and not self.unpriced else None


def spent(connection: sa.Connection, period: Period, prices: Prices) -> dict[tuple[str, str], Spent]:
    """Sum what was sent within the period by channel and country (empty: none is known)."""
    found: defaultdict[tuple[str, str], Spent] = defaultdict(Spent)
    o = outcomes.c
    for part in _parts(period, prices):
        lost = o.failed_at.is_not(None).label("lost")
        query = (
            sa.select(o.channel, o.country, o.billed_as, lost, sa.func.count(), sa.func.sum(o.segments))
            .where(o.sent_at >= part.since, o.sent_at < part.until, o.taken)
            .group_by(o.channel, o.country, o.billed_as, lost)
        )
        for channel, country, billed_as, failed, messages, segments in connection.execute(query):
            free = bool(prices.rates) and (billed_as == FREE or (failed and channel == _PAID_ON_DELIVERY))
            price = Decimal(0) if free else prices.find(channel, country, billed_as, part.since.date())
            units = segments if segments is not None else messages
            sum_ = Spent(segments=segments or 0)
            if price is None:
                sum_.unpriced = messages
            else:
                sum_.cost, sum_.priced = price * units, messages
            found[channel, country or ""] += sum_
    return dict(found)


def _parts(period: Period, prices: Prices) -> Iterator[Period]:
    """Cut a period where a rate begins."""
    since = period.since
    for day in prices.changes(period.since.astimezone(UTC).date(), period.until.astimezone(UTC).date()):
        begins = datetime.combine(day, time(), UTC)
        if since < begins < period.until:
            yield Period(since, begins)
            since = begins
    yield Period(since, period.until)
