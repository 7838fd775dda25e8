"""Settings of how, when and how often customers are contacted: sections of ``[notifiers]``."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from device_models.duration import Duration, parse_duration
from device_models.purpose import Purpose, Severity
from device_models.registry import check_quiet_hours
from gateway.settings.section import Section


class Learning(Section):
    """Learning which channel each customer answers on."""

    enabled: bool = True
    holdout: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Share of the customers for whom nothing is learned, so that the gain can be measured."""
    half_life: Annotated[Duration, Field(gt=parse_duration("0s"))] = parse_duration("180d")
    """After this time an outcome counts half."""
    answer_within: Annotated[Duration, Field(gt=parse_duration("0s"))] = parse_duration("3d")
    """An answer, a receipt or the end of the fault counts for a message within this time."""


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than 0; write it like 1d")
    return value


class Cap(Section):
    """At most so many messages to one customer within a time that slides."""

    at_most: Annotated[int, Field(ge=0)]
    within: Annotated[Duration, AfterValidator(_positive)]


def _per(at_most: int, within: str) -> tuple[Cap, ...]:
    return (Cap(at_most=at_most, within=parse_duration(within)),)


class Caps(Section):
    """How often one customer is written to; what goes beyond waits for room. Safety notices and replies never do."""

    purposes: dict[Purpose, tuple[Cap, ...]] = Field(
        default_factory=lambda: {
            Purpose.FAULT: _per(12, "1d"),
            Purpose.MAINTENANCE: _per(3, "7d"),
            Purpose.OFFER: _per(2, "1d"),
            Purpose.NEWS: _per(1, "7d"),
        }
    )
    """By purpose; one that is not named is bounded by ``total`` alone."""
    total: tuple[Cap, ...] = _per(15, "1d")
    """Of all purposes together, but safety."""


class QuietHours(Section):
    """When customers are left alone."""

    default: Annotated[str, AfterValidator(check_quiet_hours)] | None = None
    """For those who named no hours: ``22:00-07:00`` in their own zone."""
    holidays: tuple[Purpose, ...] = (Purpose.MAINTENANCE, Purpose.NEWS)
    """Purposes that wait on public holidays of the customer's country."""


def _each_once(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) < len(value):
        raise ValueError("names a question twice")
    return value


class Survey(Section):
    """Asking customers by message how the help was, once their fault is over."""

    enabled: bool = False
    after: Duration = parse_duration("2h")
    """So long after a case resolved; one that opens again meanwhile is not asked about."""
    at_most_every: Annotated[Duration, AfterValidator(_positive)] = parse_duration("30d")
    """A customer is asked once in this time, whatever happens to their products."""
    severities: tuple[Severity, ...] = (Severity.CRITICAL, Severity.MAJOR, Severity.MINOR)
    """Of the cases that are asked about."""
    then: Annotated[tuple[Literal["effort", "helped", "better"], ...], AfterValidator(_each_once)] = ("better",)
    """What else is asked once they rated, one by one: how easy it was, what helped, what we could do better."""


class Offers(Section):
    """Offers near shops."""

    holdout: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of the customers who are made no offers, so that what offers gain can be measured."""
    forget_visits_after: Annotated[Duration, AfterValidator(_positive)] = parse_duration("90d")
    """After this time a visit says no longer where and by which device; one without an offer is gone."""
