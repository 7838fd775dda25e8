"""``gateway users``: who may log in to the console."""

import secrets
import sys
from typing import Annotated

import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config
from gateway.web.auth import Role, hash_password

app = typer.Typer(help="Who may log in to the console.", no_args_is_help=True)


@app.callback()
def users() -> None:
    """Who may log in to the console."""


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Login name.")],
    role: Annotated[
        Role, typer.Option(help="viewer reads, agent works cases, lead writes rules, admin runs it.")
    ] = Role.AGENT,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="GATEWAY_NEW_PASSWORD", help="Default: asked for, or made and printed where nobody can be asked."
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Create a user, or set the password and role of one."""
    from gateway.commands import CommandRefused, SaveUser
    from gateway.control import submit_command
    from gateway.errors import StartRefused

    made = None
    if password is None and sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    elif password is None:
        password = made = secrets.token_urlsafe(12)
    with plain_errors(StartRefused, CommandRefused):
        settings = read_config(config)
        submit_command(settings, SaveUser(name, hash_password(password), role.value, by="command line"))
    typer.echo(f"{name} may log in as {role.value}." + (f" Password: {made}" if made else ""))
