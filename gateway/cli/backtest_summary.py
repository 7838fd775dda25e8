"""The summary of a backtest as a terminal shows it: one rule set, or two side by side; and how far it is."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from gateway.backtest.trial import Trial
from gateway.cli.options import stderr

_NAME_WIDTH = 28


class Bars:
    """A bar for each part of a backtest."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def begin(self, name: str, total: float) -> Callable[[float], None]:
        """Add a bar."""
        task = self._progress.add_task(name, total=total)
        return lambda done: self._progress.update(task, completed=done)


@contextmanager
def bars() -> Iterator[Bars]:
    """Show bars on a terminal, and none elsewhere."""
    shown = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*shown, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        yield Bars(progress)


def side_by_side(told: Mapping[str, str], trials: Sequence[Trial], names: Sequence[str]) -> Iterator[str]:
    """Write the summary of one trial, or of two in columns."""
    reports = [trial.report() for trial in trials]
    for name, said in told.items():
        yield f"{name:>{_NAME_WIDTH}}  {said}"
    if len(reports) == 1:
        for name, value in reports[0].items():
            yield f"{name:>{_NAME_WIDTH}}  {json.dumps(value, ensure_ascii=False)}"
        return
    rows = [("", *names)]
    for name in dict.fromkeys(name for report in reports for name in report):
        columns = [_flattened(name, report.get(name)) for report in reports]
        inner = sorted({key for column in columns for key in column}, key=_in_order)
        rows += [(key, *(_cell(column.get(key)) for column in columns)) for key in inner]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        yield f"{row[0]:>{max(widths[0], _NAME_WIDTH)}}  " + "  ".join(cells)


def _flattened(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {name: value}
    return {key: said for inner, more in value.items() for key, said in _flattened(f"{name} {inner}", more).items()}


def _in_order(key: str) -> tuple[object, ...]:
    """Hours by number, everything else by name."""
    return tuple((0, int(word), "") if word.isdecimal() else (1, 0, word) for word in key.split())


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
