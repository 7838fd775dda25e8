"""The language of the page in the making: words, numbers and dates as whoever looks reads them.

A msgid is the English text; ``gateway/web/locale/<language>.po`` has the others. Which language it is belongs to the
request, as its time zone does, so it is kept beside it and not handed through every function that says something.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from itertools import count

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from markupsafe import Markup, escape

from device_models.sentences import Sentence
from gateway.web.spoken import filled
from notifiers.wording.catalogue import SOURCE_LANGUAGE, Catalogue

LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch", "ar": "العربية"}
"""Those of the console, by their own names."""
_RIGHT_TO_LEFT = frozenset({"ar"})
REFUSAL = "refusal"
MISTAKE = "mistake"
_SAID_BY_SCRIPT = re.compile(r'\bt\("([^"]+)"')
_FIGURE = re.compile(r"[+-]?\d(?:[\d.,]*\d)?%?")
_LATIN = re.compile("[A-Za-zÀ-ɏ]")
_NARROW = "\N{NARROW NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Voice:
    """How one language speaks."""

    language: str
    catalogue: Catalogue
    locale: Locale
    refusals: tuple[tuple[re.Pattern[str], str], ...] = ()
    """English sentences with which something is refused, as patterns, and how they are said; the longest first."""
    mistakes: Mapping[str, str] = field(default_factory=dict)
    """How what is wrong with a rule is said, by the template of its ``Sentence``."""

    @property
    def direction(self) -> str:
        """Which way it is written: ``ltr`` or ``rtl``."""
        return "rtl" if self.language in _RIGHT_TO_LEFT else "ltr"


@cache
def voice_of(language: str) -> Voice:
    """Return a language's voice; English for one there is none of."""
    if language not in LANGUAGES or language == SOURCE_LANGUAGE:
        return Voice(SOURCE_LANGUAGE, Catalogue(SOURCE_LANGUAGE), Locale("en", "GB"))
    content = files("gateway.web").joinpath("locale", f"{language}.po").read_bytes()
    catalog = read_po(io.BytesIO(content), locale=language, abort_invalid=True)
    refusing = sorted((m for m in catalog if m.context == REFUSAL), key=lambda m: -len(m.id))
    refusals = tuple((_pattern(str(m.id)), str(m.string)) for m in refusing)
    # Digits as they are on displays of devices everywhere, also in Arabic: "ar" alone has them in CLDR.
    mistakes = {str(m.id): str(m.string) for m in catalog if m.context == MISTAKE}
    return Voice(language, Catalogue(language, [catalog]), Locale(language), refusals, mistakes)


_voice: ContextVar[Voice | None] = ContextVar("voice", default=None)


def speak(language: str | None) -> None:
    """Let all that is said from here on, in this request, be said in ``language``."""
    _voice.set(voice_of(language or SOURCE_LANGUAGE))


@contextmanager
def speaking(language: str | None) -> Iterator[Voice]:
    """Say what is said within the block in ``language``, for somebody else than who looks."""
    token = _voice.set(voice_of(language or SOURCE_LANGUAGE))
    try:
        yield voice()
    finally:
        _voice.reset(token)


def voice() -> Voice:
    """Return the voice of this request; English outside of one."""
    return _voice.get() or voice_of(SOURCE_LANGUAGE)


def best_language(accepted: str, default: str = SOURCE_LANGUAGE) -> str:
    """Choose among ours by a browser's Accept-Language (RFC 9110 §12.5.4); ``default`` where none of them is ours."""
    weighed: list[tuple[float, int, str]] = []
    for order, part in enumerate(accepted[:400].split(",")):
        tag, _, weight = part.partition(";q=")
        try:
            weighed.append((-float(weight or 1), order, tag.strip().lower().split("-")[0]))
        except ValueError:
            continue
    wanted = [tag for weight, _, tag in sorted(weighed) if weight < 0 and tag in LANGUAGES]
    return wanted[0] if wanted else default


def _(msgid: str) -> str:
    """Say it."""
    return voice().catalogue.gettext(msgid)


def N_(msgid: str) -> str:  # noqa: N802 - what gettext's users call it
    """Mark what is said elsewhere."""
    return msgid


def _n(one: str, many: str, count: int) -> str:
    """Say it in the form that ``count`` takes in this language, with the number for ``{1}``."""
    return filled(voice().catalogue.ngettext(one, many, count), (count_text(count),))


def say(msgid: str, *arguments: object) -> str:
    """Say it with ``arguments`` for ``{1}``, ``{2}``, …; a translation may put them in another order."""
    return filled(_(msgid), tuple(map(_isolated, arguments)))


def refusal(sentence: str) -> str:
    """Say a sentence with which something was refused; what commands and handlers raise is English everywhere.

    The catalogue knows them by their words (``msgctxt "refusal"``); what stands where ``{1}`` does is put in as it is.
    A sentence that it does not know stays as it is.
    """
    for pattern, said in voice().refusals:
        if found := pattern.fullmatch(sentence):
            return filled(said, tuple(map(_isolated, found.groups())))
    return sentence


def mistake(said: str) -> str:
    """Say what is wrong with a rule, or what to think over of it: English everywhere until it is shown.

    The catalogue knows a ``Sentence`` by its template (``msgctxt "mistake"``); what a library said stays as it is.
    """
    template = voice().mistakes.get(said.template) if isinstance(said, Sentence) else None
    if template is None or not isinstance(said, Sentence):
        return str(said)
    values = (mistake(value) if isinstance(value, Sentence) else _isolated(value) for value in said.values)
    return filled(template, tuple(values))


def numbered(sentence: str) -> str:
    """Say a sentence that has figures in it: in the catalogue ``{1}``, ``{2}``, … stand where they do."""
    said = _(sentence)
    return said if said != sentence else filled(_(without_numbers(sentence)), tuple(_FIGURE.findall(sentence)))


def without_numbers(sentence: str) -> str:
    """Return the msgid of a sentence with figures in it."""
    order = count(1)
    return _FIGURE.sub(lambda _: f"{{{next(order)}}}", sentence)


def _pattern(msgid: str) -> re.Pattern[str]:
    parts = re.split(r"\{\d+\}", msgid)
    return re.compile("(.+?)".join(map(re.escape, parts)), re.DOTALL)


def markup(msgid: str, *arguments: object) -> Markup:
    """Say a run of a template's text, as markup; what is put in is escaped."""
    return Markup(filled(_(msgid), arguments, lambda value: str(escape(_isolated(value)))))  # noqa: S704 - msgids are ours


def _isolated(value: object) -> object:
    """Keep a name in Latin letters by itself in a sentence that runs right to left (UAX #9).

    Otherwise the number after it is taken for a part of it, and stands on its wrong side: ``Lea، 2``.
    """
    if voice().direction == "ltr" or not _LATIN.search(str(value)):
        return value
    if isinstance(value, Markup):
        return Markup("\N{FIRST STRONG ISOLATE}{}\N{POP DIRECTIONAL ISOLATE}").format(value)
    return f"\N{FIRST STRONG ISOLATE}{value}\N{POP DIRECTIONAL ISOLATE}"


def listed(parts: Iterable[str]) -> str:
    """Join with this language's comma."""
    return ("\N{ARABIC COMMA} " if voice().language == "ar" else ", ").join(parts)


def number_text(value: float, decimals: int = 1) -> str:
    """Write a number with a real minus sign: −1 234.5 in English, −1.234,5 in German."""
    if voice().language == SOURCE_LANGUAGE:
        # z: what rounds to nothing has no sign.
        return f"{value:z,.{decimals}f}".replace(",", _NARROW).replace("-", "\N{MINUS SIGN}")
    shape = "#,##0" + ("." + "0" * decimals if decimals else "")
    return format_decimal(round(value, decimals) + 0.0, format=shape, locale=voice().locale).replace(
        "-", "\N{MINUS SIGN}"
    )


def count_text(number: int) -> str:
    """Write a count with its thousands apart."""
    return number_text(number, 0)


def money_text(amount: float, currency: str) -> str:
    """Write an amount with its currency's code: 12.40 EUR; what is a fraction of a tenth as finely as it is known."""
    return f"{number_text(amount, 4 if 0 < abs(amount) < 0.1 else 2)}\N{NO-BREAK SPACE}{currency}"


def day_text(at: datetime, *, year: bool = False) -> str:
    """Write a day: 23 Nov, 23. Nov."""
    if voice().language == SOURCE_LANGUAGE:
        return f"{at:%-d %b %Y}" if year else f"{at:%-d %b}"
    return (
        format_date(at.date(), "d. MMM y" if year else "d. MMM", voice().locale)
        if voice().language == "de"
        else (format_skeleton("yMMMd" if year else "MMMd", at, locale=voice().locale))
    )


def country_name(code: str) -> str:
    """Name a country (ISO 3166-1 alpha-2); a code that is none stays as it is."""
    return str(voice().locale.territories.get(code, code))


def decimal_point() -> str:
    """Return what stands before a number's decimals in this language."""
    return "," if voice().language == "de" else "."


def span_text(span: timedelta) -> str:
    """Write a duration as one or two units: 45 s, 22 min, 3 h 5 min, 2 d 4 h, 12 d."""
    seconds = max(0, int(span.total_seconds()))
    nb = "\N{NO-BREAK SPACE}"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400

    def part(number: int, unit: str) -> str:
        return f"{number}{nb}{unit}"

    if seconds < 60:
        return part(seconds, _("s"))
    if minutes < 60:
        return part(minutes, _("min"))
    if hours < 24:
        rest = minutes - hours * 60
        return part(hours, _("h")) + (f" {part(rest, _('min'))}" if rest and hours < 10 else "")
    rest = hours - days * 24
    return part(days, _("d")) + (f" {part(rest, _('h'))}" if rest and days < 7 else "")


def short_span(span: timedelta) -> str:
    """Write a duration as one unit for a narrow column: now, 45s, 22m, 3h, 12d."""
    seconds = max(0, int(span.total_seconds()))
    # English sets these letters close; elsewhere they are words cut short.
    gap = "" if voice().language == SOURCE_LANGUAGE else "\N{NO-BREAK SPACE}"
    if seconds < 10:
        return _("now")
    for size, letter in ((86400, _("d")), (3600, _("h")), (60, _("m"))):
        if seconds >= size:
            return f"{seconds // size}{gap}{letter}"
    return f"{seconds}{gap}{_('s')}"


@cache
def script_words() -> tuple[str, ...]:
    """Return what the console's scripts say, as ``t("…")`` has it in them."""
    folder = files("gateway.web").joinpath("static")
    sources = (path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name.endswith(".js"))
    return tuple(sorted({msgid for source in sources for msgid in _SAID_BY_SCRIPT.findall(source)}))


def for_scripts() -> dict[str, str]:
    """Return the scripts' words in this language; empty in English, which they have already."""
    return {} if voice().language == SOURCE_LANGUAGE else {msgid: _(msgid) for msgid in script_words()}
