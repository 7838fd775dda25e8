"""The web application: console, customer's page, API, webhooks and health, put together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

from aiohttp import web
from xstatic.pkg import leaflet

from gateway.web.access import guarded
from gateway.web.auth import LoginThrottle
from gateway.web.customer.claim import CLAIM_THROTTLE, CLAIM_WINDOW, CLAIMS_ALLOWED
from gateway.web.deps import DEPS, WebDeps
from gateway.web.errors import refusals
from gateway.web.listening import listen
from gateway.web.oidc import BACK, Provider
from gateway.web.one_reading import OneReading
from gateway.web.ops import add_metrics, watch
from gateway.web.pages.forgotten import (
    ASKS_ALLOWED,
    ASKS_THROTTLE,
    FORGOTTEN_WINDOW,
    MAILS_ALLOWED,
    MAILS_THROTTLE,
)
from gateway.web.pages.login import SEALER, THROTTLE
from gateway.web.pages.provider import FLOW_SEALER, PROVIDER
from gateway.web.pages.queue import READING
from gateway.web.preconditions import Conditional
from gateway.web.presence import PRESENCE, Presence
from gateway.web.render import ENVIRONMENT, create_environment
from gateway.web.routes import ROUTES
from gateway.web.second_factor import Sealer
from gateway.web.security import security_headers
from gateway.web.sse import HUB, Hub, close_hub, run_hub
from gateway.web.staff_mail import run_staff_mail
from notifiers.attachment import LARGEST_SENT

__all__ = ["WebDeps", "create_app"]

LARGEST_BODY = LARGEST_SENT + 2**20
"""The files of one message; an import of a few thousand records is smaller."""
GUESSING_WINDOW = timedelta(minutes=15)


def create_app(deps: WebDeps) -> web.Application:
    """Put the web together; whoever calls runs it (``web.AppRunner``) and stops it."""
    app = web.Application(middlewares=[watch, listen, refusals], client_max_size=LARGEST_BODY)
    deps = replace(deps, commands=Conditional(deps.commands))
    app[DEPS] = deps
    app[ENVIRONMENT] = create_environment(deps)
    app[HUB] = Hub(deps.live)
    app[READING] = OneReading()
    app[PRESENCE] = Presence(lambda: datetime.now(UTC))
    app[THROTTLE] = LoginThrottle(deps.clock.now, GUESSING_WINDOW * deps.clock.speed)
    app[SEALER] = Sealer(deps.secret)
    app[FLOW_SEALER] = Sealer(deps.secret, "provider")
    if deps.oidc is not None:
        app[PROVIDER] = Provider(deps.oidc, deps.public_url + BACK)
    window = FORGOTTEN_WINDOW * deps.clock.speed
    app[MAILS_THROTTLE] = LoginThrottle(deps.clock.now, window, MAILS_ALLOWED)
    app[ASKS_THROTTLE] = LoginThrottle(deps.clock.now, window, ASKS_ALLOWED)
    app[CLAIM_THROTTLE] = LoginThrottle(deps.clock.now, CLAIM_WINDOW * deps.clock.speed, CLAIMS_ALLOWED)
    add_metrics(app, deps)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, guarded(route))
    app.router.add_static("/static/leaflet", Path(leaflet.BASE_DIR))
    app.router.add_static("/static", Path(str(files("gateway.web") / "static")))
    app.on_response_prepare.append(security_headers(deps))
    app.cleanup_ctx.append(run_hub)
    app.on_cleanup.append(end_backtests)
    app.cleanup_ctx.append(run_staff_mail)
    app.on_shutdown.append(close_hub)
    return app


async def end_backtests(app: web.Application) -> None:
    """Let no backtest outlive the gateway."""
    desk = app[DEPS].rule_desk
    if desk is not None:
        await desk.close()
