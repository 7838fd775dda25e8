"""All reports there are, by name, in the order in which a lead reads them."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import sqlalchemy as sa

from gateway.reports import case_facts
from gateway.reports.case_facts import CaseFacts
from gateway.reports.channels import channels
from gateway.reports.churn import churn
from gateway.reports.drivers import contacts_by_rule, drivers
from gateway.reports.offers import offers
from gateway.reports.precision import precision
from gateway.reports.proactive import proactive
from gateway.reports.report import Period, Report
from gateway.reports.satisfaction import comments, satisfaction
from gateway.reports.self_help import self_help
from gateway.reports.service_levels import service_levels
from gateway.reports.speed import speed
from gateway.reports.work import work
from gateway.settings.prices import Prices


class Sources:
    """What reports over one period are made from, each read once however many reports want it."""

    def __init__(self, connection: sa.Connection, period: Period, prices: Prices) -> None:
        self.connection = connection
        self.period = period
        self.prices = prices

    @cached_property
    def cases(self) -> Sequence[CaseFacts]:
        """The period's cases."""
        return case_facts.load(self.connection, self.period)

    @cached_property
    def cases_before(self) -> Sequence[CaseFacts]:
        """Those of the period before."""
        return case_facts.load(self.connection, self.period.before)


Make = Callable[[Sources], Report]


def _drivers(sources: Sources) -> Report:
    contacts = contacts_by_rule(sources.connection, sources.period)
    earlier = contacts_by_rule(sources.connection, sources.period.before)
    return drivers(sources.cases, sources.cases_before, contacts, earlier)


REPORTS: Mapping[str, Make] = {
    "proactive": lambda sources: proactive(sources.cases, sources.cases_before),
    "speed": lambda sources: speed(sources.cases, sources.cases_before),
    "service_levels": lambda sources: service_levels(sources.connection, sources.period),
    "drivers": _drivers,
    "precision": lambda sources: precision(sources.connection, sources.period),
    "self_help": lambda sources: self_help(sources.connection, sources.period),
    "satisfaction": lambda sources: satisfaction(sources.connection, sources.period),
    "comments": lambda sources: comments(sources.connection, sources.period),
    "churn": lambda sources: churn(sources.connection, sources.period),
    "channels": lambda sources: channels(sources.connection, sources.period, sources.prices),
    "offers": lambda sources: offers(sources.connection, sources.period),
    "work": lambda sources: work(sources.connection, sources.period),
}


def make_all(connection: sa.Connection, period: Period, prices: Prices) -> list[Report]:
    """Make every report."""
    sources = Sources(connection, period, prices)
    return [make(sources) for make in REPORTS.values()]


def make_one(connection: sa.Connection, period: Period, prices: Prices, name: str) -> Report:
    """Make one report; raises KeyError where there is none of that name."""
    return REPORTS[name](Sources(connection, period, prices))
