"""The demo's panel: break something in the physics, then follow it from topic to phone."""

from aiohttp import web

from gateway.web.access import fields
from gateway.web.deps import DEPS, SimulatorControl
from gateway.web.errors import FieldError
from gateway.web.pages.case import done
from gateway.web.pages.shell import show


async def show_demo(request: web.Request) -> web.StreamResponse:
    """GET /demo."""
    control = _control(request)
    return await show(request, "demo.html", "demo", options=control.options(), story=control.story())


async def show_story(request: web.Request) -> web.StreamResponse:
    """GET /demo/story: the timeline alone, for live updates."""
    return await show(request, "_story.html", "demo", story=_control(request).story())


async def break_something(request: web.Request) -> web.StreamResponse:
    """POST /demo/break: ``option`` on ``target``."""
    sent = await fields(request)
    try:
        await _control(request).act(str(sent.get("option", "")), str(sent.get("target", "")))
    except ValueError as error:
        raise FieldError("target", str(error)) from error
    return done(request, "/demo")


def _control(request: web.Request) -> SimulatorControl:
    control = request.app[DEPS].simulator
    if control is None:
        raise web.HTTPNotFound(text="This installation is no demo: nothing here can be broken on purpose.")
    return control
