"""``gateway run``: the service."""

import asyncio

from gateway.cli.options import ConfigOption, plain_errors, read_config


def run(config: ConfigOption = None) -> None:
    """Run the gateway: broker, pipeline, outbox, console. Ctrl-C ends it cleanly."""
    from gateway.clock import Clock
    from gateway.errors import StartRefused
    from gateway.logs import configure_logs
    from gateway.service import serve

    with plain_errors(StartRefused):
        settings = read_config(config)
        configure_logs(settings.log.level, settings.log.format)
        asyncio.run(serve(settings, Clock()))
