"""``gateway offers redeem``: what a till reports of codes and purchases."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr

app = typer.Typer(help="Offers near shops.", no_args_is_help=True)
_PART = 500


@app.callback()
def offers() -> None:
    """Offers near shops."""


@app.command("redeem")
def redeem(
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns code, offer_id, customer_id, receipt, amount, shop_id, at.",
            exists=True,
            dir_okay=False,
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the file.")] = False,
    config: ConfigOption = None,
) -> None:
    """Take in a till's redeemed codes and purchases; each counts once, so a file may be read again."""
    from gateway.commands import CommandRefused
    from gateway.commands.offers import RedeemOffers
    from gateway.control import submit_command
    from gateway.errors import StartRefused
    from gateway.offers.till_file import read_till_file

    with plain_errors(OSError):
        rows, errors = read_till_file(file)
    for error in errors[:50]:
        typer.echo(str(error), err=True)
    if errors:
        stderr.print(f"Nothing was taken in: {len(errors)} mistake{'' if len(errors) == 1 else 's'}.")
        raise typer.Exit(1)
    if dry_run:
        typer.echo(f"{len(rows)} purchases are right; nothing was taken in.")
        return
    counts: Counter[str] = Counter()
    with plain_errors(StartRefused, CommandRefused):
        settings = read_config(config)
        for start in range(0, len(rows), _PART):
            part = rows[start : start + _PART]
            answers = submit_command(settings, RedeemOffers([row for _, row in part], by="command line"))
            for (line, _), answer in zip(part, answers, strict=True):
                counts[answer["result"]] += 1
                if answer["result"] not in ("redeemed", "already"):
                    typer.echo(f"{file}:{line}: {answer['sentence']}", err=True)
    refused = counts.total() - counts["redeemed"] - counts["already"]
    typer.echo(f"Redeemed: {counts['redeemed']} new, {counts['already']} known before, {refused} refused.")
    if refused:
        raise typer.Exit(1)
