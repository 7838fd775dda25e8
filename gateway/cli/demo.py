"""``gateway demo``: see the whole product in a minute."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.options import plain_errors, stderr


def demo(
    for_s: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop after so many real seconds; default: Ctrl-C.")
    ] = None,
    port: Annotated[
        int, typer.Option(help="The console's port on this machine; 0 picks a free one.", min=0, max=65535)
    ] = 8080,
    speed: Annotated[float, typer.Option(help="Simulated seconds per real second.", min=0.1, max=1000)] = 120.0,
    seed: Annotated[int, typer.Option(help="Another seed, other faults.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one line of JSON: what happened, and the score.")
    ] = False,
    truth: Annotated[Path | None, typer.Option(help="Write what really happened there, JSON lines.")] = None,
    no_rules: Annotated[bool, typer.Option("--no-rules", help="Run without rules: nothing must happen.")] = False,
) -> None:
    """Show everything on this machine: a simulated city over real MQTT, the console, the customers' phones."""
    from gateway.demo.run import Addresses, Demo, Figures, run_demo
    from gateway.errors import StartRefused
    from gateway.logs import configure_logs

    configure_logs("error", "text")

    def told(where: Addresses) -> None:
        stderr.print(
            f"\n  Console   [bold]{where.console}[/bold]\n"
            f"            log in as [bold]{where.user}[/bold] with [bold]{where.password}[/bold]\n"
            f"  Phones    [bold]{where.phones}[/bold]\n"
            f"  MQTT      {where.mqtt}   (mosquitto_sub -p {where.mqtt.rpartition(':')[2]} -t '#' -v)\n"
            f"\n  Simulated time runs {speed:g} times as fast. Ctrl-C ends it.\n"
        )

    def show(figures: Figures) -> None:
        line = (
            f"  {figures.now.astimezone():%a %H:%M} · {figures.events} events · {figures.cases_opened} cases, "
            f"{figures.cases_resolved} resolved · {figures.messages_delivered} messages on phones · "
            f"{figures.offers_sent} offers · {figures.rejected} rejected"
        )
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[2K{line}")
            sys.stderr.flush()

    with plain_errors(StartRefused, OSError):
        result = asyncio.run(run_demo(Demo(port, speed, seed, truth, rules=not no_rules), for_s, told, show))
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    if as_json:
        typer.echo(json.dumps(result))
    else:
        stderr.print(
            f"  {result['cases_opened']} cases, {result['messages_delivered']} messages, "
            f"{result['offers_sent']} offers; {result['faults_detected']} of {result['faults_injected']} faults found, "
            f"{result['false_cases']} false cases."
        )
