"""``gateway bench``: a real gateway under load on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import plain_errors, stderr


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="A few seconds: that it works, not how fast it is.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="gateway, steps, devices, places or backtest; any number of times.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the rows go as JSON.", dir_okay=False)] = Path("bench.json"),
) -> None:
    """Measure this machine: events a second, time to the commit and to the mail, and what the parts alone could do."""
    import asyncio
    import os
    import platform
    import sys

    from rich.console import Console

    from gateway.bench import rows
    from gateway.bench.measure import PARTS, run
    from gateway.bench.size import FULL, QUICK
    from gateway.errors import StartRefused

    def tell(what: str) -> None:
        stderr.print(f"[dim]{what} …[/dim]")

    if unknown := set(only or ()) - PARTS.keys():
        raise typer.BadParameter(f"{min(unknown)} is none of {', '.join(PARTS)}", param_hint="--only")
    with plain_errors(StartRefused, RuntimeError, TimeoutError):
        measured = asyncio.run(run(QUICK if quick else FULL, tell, only or ()))
    rows.write(measured, out)
    # In a file or a pipe each row stays one line: nobody's window is to be fitted.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    rows.show(measured, console)
    console.print(f"Written to {out}.")
