"""``gateway hold``: the switch that stops all that goes out."""

from typing import Annotated

import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config


def hold(
    release: Annotated[bool, typer.Option("--release", help="Let messages go again, what was kept included.")] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="With --release: drop what was kept instead of sending it.")
    ] = False,
    config: ConfigOption = None,
) -> None:
    """Stop all messages to customers at once; they are kept. ``--release`` lets them go."""
    from gateway.commands import CommandRefused, Hold
    from gateway.control import submit_command
    from gateway.errors import StartRefused

    with plain_errors(StartRefused, CommandRefused):
        kept = submit_command(read_config(config), Hold(on=not release, by="command line", discard=discard))
    if not release:
        typer.echo(f"Held: nothing goes out. {kept} messages wait.")
    else:
        typer.echo(f"Released. {kept} messages were {'discarded' if discard else 'let go'}.")
