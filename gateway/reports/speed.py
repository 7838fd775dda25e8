"""How fast: from the fault to the case, to the customer, to its end; and whether answers kept their time."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from gateway.reports.case_facts import CaseFacts
from gateway.reports.report import Column, Figure, Report, Unit, median_s, quantile_s, share

_FAULTS = frozenset({"fault", "safety"})

Span = Callable[[CaseFacts], timedelta | None]
_STEPS: tuple[tuple[str, str, Span], ...] = (
    ("detect", "Fault to case", lambda case: case.detected_in),
    ("told", "Case to the customer hearing of it", lambda case: case.told_in),
    ("solved", "Case to its end", lambda case: case.solved_in),
)


def speed(now: Sequence[CaseFacts], before: Sequence[CaseFacts]) -> Report:
    """Say how long each step takes, for faults; a due service is known long before."""
    figures = [_middle(name, label, span, now, before) for name, label, span in _STEPS]
    kept = [case.answered_in_time for case in now if case.answered_in_time is not None]
    earlier = [case.answered_in_time for case in before if case.answered_in_time is not None]
    figures.append(
        Figure(
            "answered_in_time",
            "Answered in time",
            share(sum(kept), len(kept)),
            Unit.SHARE,
            len(kept),
            before=share(sum(earlier), len(earlier)),
            better="up",
        )
    )
    columns = (
        Column("step", "Step"),
        Column("severity", "Severity"),
        Column("cases", "Cases", Unit.COUNT),
        Column("p50_s", "Half within", Unit.SECONDS),
        Column("p90_s", "Nine of ten within", Unit.SECONDS),
    )
    rows = []
    for _, label, span in _STEPS:
        for severity in ("critical", "major", "minor", "info"):
            spans = _spans(span, [case for case in now if case.severity == severity])
            if spans:
                rows.append((label, severity, len(spans), median_s(spans), quantile_s(spans, 0.9)))
    return Report(
        "speed",
        "How fast were we?",
        "Faults and safety alone. A fault begins when its condition first held, by the device's clock; the customer"
        " hears of it when a provider takes the message. In time: before the answer was due.",
        tuple(figures),
        columns,
        tuple(rows),
    )


def _middle(name: str, label: str, span: Span, now: Sequence[CaseFacts], before: Sequence[CaseFacts]) -> Figure:
    spans = _spans(span, now)
    return Figure(
        name, label, median_s(spans), Unit.SECONDS, len(spans), before=median_s(_spans(span, before)), better="down"
    )


def _spans(span: Span, cases: Sequence[CaseFacts]) -> list[timedelta]:
    return [found for case in cases if case.purpose in _FAULTS and (found := span(case)) is not None]
