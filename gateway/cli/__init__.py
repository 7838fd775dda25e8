"""The command line: ``gateway``."""

import typer

from gateway.cli import (
    accounts,
    bench,
    config,
    customers,
    decode,
    demo,
    devices,
    doctor,
    history,
    hold,
    importing,
    init,
    offers,
    replies,
    rules,
    run,
    simulate,
    staff,
    templates,
    watch,
)

app = typer.Typer(
    name="gateway",
    help="Turns what connected products say over MQTT into help that arrives before the customer asks for it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # locals hold secrets and customers' addresses
)
app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.command("import")(importing.import_)
app.command("export")(customers.export)
app.command("erase")(customers.erase)
app.command("decode")(decode.decode)
app.command("simulate")(simulate.simulate)
app.command("hold")(hold.hold)
app.command("watch")(watch.watch)
app.command("bench")(bench.bench)
app.add_typer(rules.app, name="rules")
app.add_typer(history.app, name="history")
app.add_typer(accounts.app, name="users")
app.add_typer(devices.app, name="devices")
app.add_typer(replies.app, name="replies")
app.add_typer(offers.app, name="offers")
app.add_typer(templates.app, name="templates")
app.add_typer(config.app, name="config")
app.add_typer(staff.app, name="staff")


def main() -> None:
    """Run the command line."""
    app()
