"""The first figure of all: how often we spoke before the customer had to, and what that gained them."""

from collections.abc import Sequence
from datetime import timedelta

from gateway.reports.case_facts import CaseFacts
from gateway.reports.report import Cell, Column, Figure, Report, Unit, median_s, share

ENOUGH = 5
"""Fewer cases on one side than this make no median worth saying."""


def proactive(now: Sequence[CaseFacts], before: Sequence[CaseFacts]) -> Report:
    """Compare cases where we spoke first with those where the customer did."""
    figures = (
        Figure(
            "proactive_share",
            "Proactive share",
            _share(now),
            Unit.SHARE,
            len(_contacted(now)),
            before=_share(before),
            better="up",
            note="" if _contacted(now) else "nobody has spoken yet",
        ),
        _gained(now, before),
        Figure(
            "cases",
            "Cases",
            len(now),
            Unit.COUNT,
            len(now),
            before=len(before),
        ),
        Figure(
            "solved_by_themselves",
            "Recovered by themselves",
            share(sum(c.resolved_by == "telemetry" for c in now), len(now)),
            Unit.SHARE,
            len(now),
            before=share(sum(c.resolved_by == "telemetry" for c in before), len(before)),
        ),
    )
    columns = (
        Column("rule", "Rule"),
        Column("cases", "Cases", Unit.COUNT),
        Column("us_first", "We spoke first", Unit.COUNT),
        Column("customer_first", "The customer did", Unit.COUNT),
        Column("nobody", "Nobody yet", Unit.COUNT),
        Column("proactive_share", "Proactive", Unit.SHARE),
    )
    return Report(
        "proactive",
        "Did we speak first?",
        "Of the cases in which anybody has spoken, those in which a message of ours was taken by a provider before the"
        " customer wrote. Minutes gained: how much sooner after the fault began, in the middle, they hear of it from us"
        " than they write where they come first.",
        figures,
        columns,
        tuple(_rows(now)),
    )


def _contacted(cases: Sequence[CaseFacts]) -> list[CaseFacts]:
    return [case for case in cases if case.spoke_first is not None]


def _share(cases: Sequence[CaseFacts]) -> float | None:
    contacted = _contacted(cases)
    return share(sum(case.spoke_first == "us" for case in contacted), len(contacted))


def _gained(now: Sequence[CaseFacts], before: Sequence[CaseFacts]) -> Figure:
    ours, theirs = _lags(now)
    enough = min(len(ours), len(theirs)) >= ENOUGH
    return Figure(
        "gained",
        "Gained for the customer",
        _difference(ours, theirs) if enough else None,
        Unit.SECONDS,
        len(ours) + len(theirs),
        before=_difference(*_lags(before)) if min(map(len, _lags(before))) >= ENOUGH else None,
        better="up",
        note=""
        if enough
        else f"needs {ENOUGH} cases of each kind with a known beginning; there are {len(ours)} and {len(theirs)}",
    )


def _difference(ours: Sequence[timedelta], theirs: Sequence[timedelta]) -> float | None:
    told, wrote = median_s(ours), median_s(theirs)
    return None if told is None or wrote is None else wrote - told


def _lags(cases: Sequence[CaseFacts]) -> tuple[list[timedelta], list[timedelta]]:
    """How long after its beginning a fault was spoken of: where we were first, and where the customer was."""
    ours = [c.told_at - c.since for c in cases if c.spoke_first == "us" and c.told_at and c.since]
    theirs = [c.wrote_at - c.since for c in cases if c.spoke_first == "customer" and c.wrote_at and c.since]
    return ours, theirs


def _rows(cases: Sequence[CaseFacts]) -> list[tuple[Cell, ...]]:
    rules = sorted({case.rule for case in cases})
    rows: list[tuple[int, str, tuple[Cell, ...]]] = []
    for rule in rules:
        of_rule = [case for case in cases if case.rule == rule]
        ours = sum(case.spoke_first == "us" for case in of_rule)
        theirs = sum(case.spoke_first == "customer" for case in of_rule)
        nobody = len(of_rule) - ours - theirs
        rows.append((-len(of_rule), rule, (rule, len(of_rule), ours, theirs, nobody, share(ours, ours + theirs))))
    return [row for _, _, row in sorted(rows, key=lambda entry: entry[:2])]
