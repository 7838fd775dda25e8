"""``gateway init``: a folder to start from."""

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import stderr

_FILES = ("gateway.toml", "rules/my-rules.yaml", "customers.csv", "devices.csv")


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if it is not there.")] = Path(),
) -> None:
    """Write a commented gateway.toml, a first rule and two small tables to import. Overwrites nothing."""
    templates = resources.files("gateway.cli") / "starter"
    for name in _FILES:
        target = folder / name
        if target.exists():
            stderr.print(f"kept    {target}")
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((templates / name).read_text(encoding="utf-8"), encoding="utf-8")
        stderr.print(f"written {target}")
    stderr.print(
        "\nNext: [bold]gateway import customers customers.csv[/bold], then devices; then [bold]gateway run[/bold]."
    )
