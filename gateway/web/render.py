"""Jinja2 for all pages: one environment, and the filters that turn stored facts into what people read."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web
from babel import Locale, UnknownLocaleError
from jinja2 import Environment, PackageLoader, StrictUndefined

from device_models.duration import parse_duration
from device_models.event import Value
from device_models.profile import DeviceProfile
from gateway.web import wording
from gateway.web.deps import DEPS, WebDeps
from gateway.web.language import (
    LANGUAGES,
    N_,
    _,
    _n,
    count_text,
    day_text,
    for_scripts,
    markup,
    mistake,
    money_text,
    numbered,
    say,
    voice,
)
from gateway.web.message_text import without_links, words_to_edit
from gateway.web.spoken import Spoken
from notifiers.reasons import channel_name

ENVIRONMENT = web.AppKey("jinja", Environment)

_PURPOSES = {
    "safety": N_("Safety"),
    "fault": N_("Fault"),
    "maintenance": N_("Maintenance"),
    "offer": N_("Offer"),
    "news": N_("News"),
}


def _language_name(locale: str | None) -> str:
    """Name a BCP 47 locale's language in the viewer's; what is no locale is shown as it is."""
    try:
        return Locale.parse((locale or "").split("-")[0]).get_language_name(voice().language) or locale or ""
    except (UnknownLocaleError, ValueError):
        return locale or ""


def create_environment(deps: WebDeps) -> Environment:
    """Make the environment; an undefined name in a template is an error, never an empty space."""
    environment = Environment(
        loader=PackageLoader("gateway.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=[Spoken],
    )

    def profile_of(name: str | None) -> DeviceProfile | None:
        return deps.profiles.get(name or "")

    def sentence(case: Any, now: datetime, latest: Mapping[str, Value] | None = None) -> str:
        if not case.open:
            return wording.past_sentence(case.explanation, case.rule, case.resolved_at or now)
        return wording.staff_sentence(case.explanation, case.rule, profile_of(case.profile), now, latest)

    environment.filters |= {
        "mistake": mistake,
        "since": lambda at, now: _since(now - at),
        "ago": lambda at, now: wording.span_text(now - at),
        "short_ago": lambda at, now: wording.short_span(now - at),
        "until": lambda at, now: wording.span_text(at - now),
        "later": lambda at, hours: at + timedelta(hours=hours),
        "span": wording.span_text,
        "reach": wording.reach_text,
        "in_units": lambda written: wording.span_text(parse_duration(written)),
        "audited": wording.audited_text,
        "seconds": _seconds,
        "clock_in": _clock_in,
        "day": lambda day: day_text(datetime(day.year, day.month, day.day, tzinfo=UTC), year=True),
        "stamp": _stamp,
        "iso": lambda at: at.isoformat().replace("+00:00", "Z"),
        "title": lambda case: wording.staff_title(case.explanation, case.rule),
        "sla": wording.sla_text,
        "alerted": lambda entry: wording.alerted_text(entry.kind, entry.author, entry.body),
        "routed": lambda entry: wording.routed_text(entry.author, entry.body),
        "sentence": sentence,
        "channel": lambda name: _(channel_name(name)) if name else _("not chosen yet"),
        "purpose": lambda name: _(_PURPOSES.get(name, str(name))),
        "language": _language_name,
        "moment": wording.moment,
        "said": lambda value: value if isinstance(value, str) else orjson.dumps(value).decode(),
        "hex": lambda data: data[:64].hex(" "),
        "printable": _printable,
        "masked": without_links,
        "editable": lambda text: words_to_edit(text, deps.brand),
        "bytes": bytes_text,
        "count": count_text,
        "money": money_text,
        "in_mine": wording.text_in,
        "named": lambda word: _(str(word)),
        "numbered": numbered,
    }
    environment.globals |= {
        "_": _,
        "_n": _n,
        "_t": markup,
        "voice": voice,
        "languages": LANGUAGES,
        "for_scripts": for_scripts,
    }
    environment.globals |= {"brand": deps.brand, "simulated": deps.simulator is not None, "mode": deps.mode}
    return environment


def html(request: web.Request, template: str, context: Mapping[str, Any], status: int = 200) -> web.Response:
    """Render a template to a page."""
    return web.Response(
        text=text_of(request, template, context), content_type="text/html", charset="utf-8", status=status
    )


def text_of(request: web.Request, template: str, context: Mapping[str, Any]) -> str:
    """Render a template to text."""
    return request.app[ENVIRONMENT].get_template(template).render(now=request.app[DEPS].clock.now(), **context)


def bytes_text(size: float) -> str:
    """A size as people read it: 3.1 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _since(span: timedelta) -> str:
    """How long ago: just now, 22 min ago."""
    return _("just now") if span < timedelta(seconds=10) else say("{1} ago", wording.span_text(span))


def _seconds(seconds: float) -> str:
    """A span that may be negative: 22 min, −4 min."""
    return ("\N{MINUS SIGN}" if seconds < 0 else "") + wording.span_text(timedelta(seconds=abs(seconds)))


def _clock_in(at: datetime, zone: str | None) -> str:
    """The wall clock somewhere: 14:20."""
    return f"{at.astimezone(wording.zone_of(zone)):%H:%M}"


def _stamp(at: datetime, zone: str | None = None) -> str:
    """Date and time: 23 Nov 14:20."""
    there = at.astimezone(wording.zone_of(zone))
    return f"{day_text(there)} {there:%H:%M}".replace(" ", "\N{NO-BREAK SPACE}", 1)


def _printable(data: bytes) -> str:
    """The first bytes as text; what cannot be read shows as a dot."""
    text = data[:160].decode("utf-8", errors="replace")
    return "".join(c if c.isprintable() else "·" for c in text)
