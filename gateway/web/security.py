"""What every answer carries so that a browser defends the page: CSP and its companions."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web

from gateway.web.deps import WebDeps


def content_security_policy(tiles_url: str | None) -> str:
    """Write the policy: our own files only, no inline script or style, and the map's tiles where configured."""
    tiles = ""
    if tiles_url:
        parts = urlsplit(tiles_url)
        # Leaflet spreads requests over {s}.host; a wildcard names them all.
        tiles = f" {parts.scheme}://{parts.netloc.replace('{s}', '*')}"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' data:{tiles}",
            "connect-src 'self'",
            "font-src 'self'",
            "manifest-src 'self'",
            "worker-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def security_headers(deps: WebDeps) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Make the signal handler that puts the headers on every answer: pages, streams, files and errors."""
    headers = {
        "Content-Security-Policy": content_security_policy(deps.tiles_url),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        # A customer's link is a key: it must not travel in a Referer.
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    }
    if is_https(deps):
        headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def put(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        static = request.path.startswith("/static/")
        # Files are revalidated by their date, so an upgrade shows at once; pages hold personal data and are not kept.
        response.headers.setdefault("Cache-Control", "no-cache" if static else "no-store")

    return put


def is_https(deps: WebDeps) -> bool:
    """Tell whether people reach us over TLS, ours or a proxy's."""
    return deps.public_url.startswith("https://")
