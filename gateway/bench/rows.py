"""What was measured: rows for the table and for ``bench.json``."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    value: float
    unit: str
    ceiling: float | None = None
    """The same for the parts underneath alone, measured in the same run; None where there is nothing to compare with.
    For a rate the most that is possible, for a time or a cost the least."""
    aim: float | None = None
    """At least so much of a rate, at most so much of a time or a cost; None: reported, not aimed at."""

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.unit.endswith("/s")

    @property
    def ratio(self) -> float | None:
        """``value / ceiling``: below 1 for a rate, above 1 for a time or a cost."""
        return self.value / self.ceiling if self.ceiling else None

    @property
    def reached(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.aim is None:
            return None
        return self.value >= self.aim if self.is_rate else self.value <= self.aim

    def as_dict(self) -> dict[str, Any]:
        """Return the row of ``bench.json``."""
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "ceiling": _rounded(self.ceiling),
            "ratio": _rounded(self.ratio),
            "aim": self.aim,
            "reached": self.reached,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` (0 to 1) of ``values`` do not exceed (nearest rank).

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("nothing was measured")
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def write(rows: Sequence[Row], path: Path) -> None:
    """Write ``bench.json``."""
    path.write_text(json.dumps([row.as_dict() for row in rows], indent=1) + "\n", encoding="utf-8")


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the table."""
    table = Table(box=None, header_style="bold")
    for name in ("what", "value", "unit", "ceiling", "ratio", "aim", ""):
        words = name in ("what", "unit", "")
        table.add_column(name, justify="left" if words else "right", no_wrap=name != "what")
    for row in rows:
        aim = "" if row.aim is None else f"{'≥' if row.is_rate else '≤'} {row.aim:,.6g}"
        verdict = {None: "", True: "[green]reached[/green]", False: "[red]missed[/red]"}[row.reached]
        ceiling = "" if row.ceiling is None else _shown(row.ceiling)
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.name, _shown(row.value), row.unit, ceiling, ratio, aim, verdict)
    console.print(table)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
