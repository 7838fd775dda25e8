"""``gateway run``: the service."""

import asyncio
from typing import Annotated

import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config


def run(
    config: ConfigOption = None,
    advance_log: Annotated[
        bool,
        typer.Option(
            "--advance-log",
            help="After restoring an older log: let it go on behind what the store has committed; drops what it holds.",
        ),
    ] = False,
) -> None:
    """Run the gateway: broker, pipeline, outbox, console. Ctrl-C ends it cleanly."""
    from gateway.clock import Clock
    from gateway.errors import StartRefused
    from gateway.logs import configure_logs
    from gateway.service import serve

    with plain_errors(StartRefused):
        settings = read_config(config)
        configure_logs(settings.log.level, settings.log.format)
        asyncio.run(serve(settings, Clock(), advance_log=advance_log))
