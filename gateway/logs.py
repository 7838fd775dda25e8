"""The gateway's own log: structured events on standard error."""

import logging
import sys

import structlog


def configure_logs(level: str, log_format: str) -> None:
    """Send structlog, and what libraries say through ``logging``, to standard error as JSON lines or text."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        # Its own default prints what each frame of a traceback holds: secrets, addresses, half a minute's worth.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    finish = [structlog.processors.format_exc_info, renderer] if log_format == "json" else [renderer]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    # Whoever read the log went away (a closed pipe): requests and messages go on, and a traceback would have no reader.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # These speak of each job, connection or migration at info; a person wants that only when looking for it.
    for name in ("apscheduler", "alembic", "aiohttp.access", "nats", "asyncio", "paho", "mail.log"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))
