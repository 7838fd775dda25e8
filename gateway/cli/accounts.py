"""``gateway users``: who may log in to the console."""

import secrets
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config
from gateway.web.auth import SHORTEST_PASSWORD, Role, hash_password

if TYPE_CHECKING:
    from gateway.commands.accounts import AccountCommand
    from gateway.config import Config

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
    if not name.strip() or not name.isprintable():
        raise typer.BadParameter("write a name of printable characters", param_hint="'name'")
    if password is None and sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    elif password is None:
        password = made = secrets.token_urlsafe(12)
    if len(password) < SHORTEST_PASSWORD:
        raise typer.BadParameter(f"use at least {SHORTEST_PASSWORD} characters", param_hint="'--password'")
    with plain_errors(StartRefused, CommandRefused):
        settings = read_config(config)
        submit_command(settings, SaveUser(name, hash_password(password), role.value, by="command line"))
    typer.echo(f"{name} may log in as {role.value}." + (f" Password: {made}" if made else ""))


@app.command("invite")
def invite(
    name: Annotated[str, typer.Argument(help="Login name.")],
    role: Annotated[
        Role, typer.Option(help="viewer reads, agent works cases, lead writes rules, admin runs it.")
    ] = Role.AGENT,
    config: ConfigOption = None,
) -> None:
    """Print a link by which a new user sets their own password, once, within three days."""
    _print_link(config, name, role, timedelta(days=3), forget_second_factor=False)


@app.command("reset")
def reset(
    name: Annotated[str, typer.Argument(help="Login name.")],
    lost_phone: Annotated[bool, typer.Option("--lost-phone", help="Forget their authenticator too.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print a link by which a user sets a new password, once, within a day."""
    _print_link(config, name, None, timedelta(days=1), forget_second_factor=lost_phone)


@app.command("shut-out")
def shut_out(
    name: Annotated[str, typer.Argument(help="Login name.")],
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
    config: ConfigOption = None,
) -> None:
    """End a user's sessions and let them in no more; what they did stays in their name."""
    from gateway.commands.accounts import SetDisabled

    _submit(config, SetDisabled(name, not undo, by="command line"))
    typer.echo(f"{name} {'may log in again' if undo else 'is shut out'}.")


@app.command("hand-to-provider")
def hand_to_provider(
    name: Annotated[str, typer.Argument(help="Login name, as the identity provider has it.")],
    config: ConfigOption = None,
) -> None:
    """Forget a user's password: who has their name at the identity provider (web.oidc) is them from now on."""
    from gateway.commands.accounts import HandToProvider

    _submit(config, HandToProvider(name, by="command line"))
    typer.echo(f"{name} logs in at the identity provider alone.")


def _print_link(
    config: Path | None, name: str, role: Role | None, life: timedelta, *, forget_second_factor: bool
) -> None:
    from gateway.clock import Clock
    from gateway.commands.accounts import OpenAccountLink
    from gateway.web.auth import new_token, token_hash

    token, expires_at = new_token(), Clock().now() + life
    command = OpenAccountLink(token_hash(token), name, role, expires_at, "command line", forget_second_factor)
    settings = _submit(config, command)
    typer.echo(f"{settings.public_url}/join/{token}")
    typer.echo(f"Send it to {name}; it works once, until {expires_at:%Y-%m-%d %H:%M} UTC.", err=True)


def _submit(config: Path | None, command: "AccountCommand") -> "Config":
    from gateway.commands import CommandRefused
    from gateway.control import submit_command
    from gateway.errors import StartRefused

    with plain_errors(StartRefused, CommandRefused):
        settings = read_config(config)
        submit_command(settings, command)
    return settings
