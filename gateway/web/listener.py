"""The web's listener: loopback by default; any other address only with TLS."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from gateway.config import Web
from gateway.errors import StartRefused
from gateway.loopback import is_loopback


@asynccontextmanager
async def web_listener(app: web.Application, settings: Web) -> AsyncIterator[str]:
    """Serve ``app`` while the block runs and yield its URL.

    Raises StartRefused for an address that strangers reach without TLS, one in use, or a certificate that is no good.
    """
    host, _, port = settings.listen.rpartition(":")
    host = host.strip("[]")
    context = _tls(settings)
    if context is None and not settings.behind_tls_proxy and not is_loopback(host):
        raise StartRefused(
            f"web.listen: {settings.listen} can be reached from other machines, and passwords would travel in clear; "
            "set web.tls_cert and web.tls_key, or listen on 127.0.0.1 behind a reverse proxy "
            "(or set web.behind_tls_proxy where that runs on another machine)"
        )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, int(port), ssl_context=context).start()
        except OSError as error:
            raise StartRefused(f"web.listen: cannot listen on {settings.listen}: {error.strerror}") from error
        bound = runner.addresses[0]
        shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        yield f"{'https' if context else 'http'}://{shown}:{bound[1]}"
    finally:
        await runner.cleanup()


def _tls(settings: Web) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise StartRefused(f"web.tls_cert: {settings.tls_cert} with {settings.tls_key}: {error}") from error
    return context
