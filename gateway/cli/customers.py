"""``gateway export`` and ``gateway erase``: all that is held about one customer, and its end."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config
from gateway.errors import StartRefused

if TYPE_CHECKING:
    from gateway.config import Config

What = Annotated[str, typer.Argument(metavar="customer", help="Always: customer.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")]


def export(
    what: What,
    customer_id: Id,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="FILE.json or FILE.zip (with history as CSV); default: JSON here."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write all that is held about a customer: every row, and the samples and fixes of their devices."""
    from gateway.history import HistoryError
    from gateway.people.export import NoSuchCustomer, as_json, as_zip

    _is_customer(what)
    settings = read_config(config)
    with plain_errors(StartRefused, NoSuchCustomer, HistoryError, OSError):
        exported = asyncio.run(_gather(settings, customer_id))
        if out is None:
            print(as_json(exported), end="")
        elif out.suffix.lower() == ".zip":
            out.write_bytes(as_zip(exported))
        else:
            out.write_text(as_json(exported), encoding="utf-8")
    if out is not None:
        typer.echo(f"Wrote {out}. It is personal data: hand it to the customer, and keep no copy.", err=True)


def erase(
    what: What,
    customer_id: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Forget a customer for good: rows that are about them go or lose whom they were about."""
    from gateway.commands import CommandRefused
    from gateway.commands.people import EraseCustomer
    from gateway.control import submit_command

    _is_customer(what)
    if not yes:
        typer.confirm(f"Erase customer {customer_id}? This cannot be undone.", abort=True)
    with plain_errors(StartRefused, CommandRefused):
        done = submit_command(read_config(config), EraseCustomer(customer_id, "command line"))
    rows = sum(done["rows"].values())
    typer.echo(
        f"Erased: {rows} rows; {len(done['devices'])} devices belong to nobody. What stays is {done['pseudonym']}."
    )


async def _gather(settings: "Config", customer_id: str) -> dict[str, Any]:
    from gateway.clock import Clock
    from gateway.history.opening import open_history
    from gateway.people.export import gather, gather_history, view_of_past
    from gateway.store.store import Store

    section, store = settings.history, Store(settings.store_url)
    try:
        with store.read() as connection:
            exported, spans = gather(connection, customer_id), view_of_past(connection, customer_id)
    finally:
        store.close()
    history = await open_history(
        settings.data_dir,
        settings.data_budget,
        url=section.url,
        token=section.token.get_secret_value() if section.token else None,
        org=section.org,
        bucket=section.bucket,
        query=section.query,
    )
    try:
        return {**exported, "history": await gather_history(history, spans, Clock().now())}
    finally:
        await history.close()


def _is_customer(what: str) -> None:
    if what != "customer":
        raise typer.BadParameter(f"'{what}' cannot be exported or erased; say: customer ID", param_hint="customer")
