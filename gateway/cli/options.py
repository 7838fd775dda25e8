"""What several commands share: the configuration option, and errors as a sentence instead of a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from gateway.config import Config, load_config

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Configuration file; default: gateway.toml in this folder if there is one, else built-in defaults.",
        dir_okay=False,
        exists=True,
    ),
]

stderr = Console(stderr=True, highlight=False)


def read_config(path: Path | None) -> Config:
    """Load the configuration named, or ``gateway.toml`` beside where the command runs, or the defaults."""
    if path is None and Path("gateway.toml").is_file():
        path = Path("gateway.toml")
    return load_config(path)


@contextmanager
def plain_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Show exceptions of ``kinds`` as their message and leave with status 1."""
    try:
        yield
    except kinds as error:
        # Escaped: messages name settings as the file has them, and Rich would take [decoders.x] for a style.
        stderr.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
