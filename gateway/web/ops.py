"""What machines ask: is it alive, is it ready, how is it doing; and the log of requests."""

import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram
from prometheus_client.exposition import choose_encoder
from sqlalchemy.exc import SQLAlchemyError

from gateway.web.access import read
from gateway.web.deps import DEPS, WebDeps
from gateway.web.queries import people

REQUESTS = web.AppKey("requests", Counter)
SECONDS = web.AppKey("seconds", Histogram)

NEEDED = ("broker", "pipeline")
"""Parts without which nothing works. A dead letter or a wrong rule file is a person's task, not a reason to restart."""

log = structlog.get_logger()


def add_metrics(app: web.Application, deps: WebDeps) -> None:
    """Register the web's own metrics."""
    app[REQUESTS] = Counter(
        "gateway_web_requests", "Answered HTTP requests.", ("route", "method", "status"), registry=deps.metrics
    )
    app[SECONDS] = Histogram(
        "gateway_web_request_seconds", "Time to answer an HTTP request.", ("route",), registry=deps.metrics
    )


@web.middleware
async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count and log each request by its route: a path may hold a customer's link, a query what somebody searched."""
    began = time.perf_counter()
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    status = 500
    try:
        response = await handler(request)
        status = response.status
    except web.HTTPException as answer:
        status = answer.status
        raise
    finally:
        took_s = time.perf_counter() - began
        request.app[REQUESTS].labels(route, request.method, str(status)).inc()
        # An event stream lasts for as long as somebody looks; its time would drown all others.
        if not route.endswith("/live"):
            request.app[SECONDS].labels(route).observe(took_s)
        log.info("web.answered", route=route, method=request.method, status=status, took_ms=round(took_s * 1000, 1))
    return response


async def healthz(_request: web.Request) -> web.StreamResponse:
    """GET /healthz: the process answers."""
    return web.json_response({"ok": True})


async def readyz(request: web.Request) -> web.StreamResponse:
    """GET /readyz: the store can be read, broker and pipeline are well; 503 names what is not."""
    parts = request.app[DEPS].status()
    failing = [name for name in NEEDED if parts.get(name, {}).get("ok") is False]
    try:
        await read(request, people.fact, "hold")
    except SQLAlchemyError:
        failing.append("store")
    return web.json_response({"ok": not failing, "failing": failing}, status=503 if failing else 200)


async def metrics(request: web.Request) -> web.StreamResponse:
    """GET /metrics: Prometheus' text format."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    body = encode(request.app[DEPS].metrics)
    return web.Response(body=body, headers={"Content-Type": content_type})
