"""A message in the customer's language and the form of its channel, from facts and templates.

A message template (``templates/<name>.j2``) is plain text in blocks; nothing in it is markup. Each block is rendered
once, and a layout of the channel arranges the results: only ``mail.html.j2`` knows HTML, and it escapes all it is
given. Companies may put their own templates and translations before these.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jinja2
import jinja2.nodes
from jinja2.ext import extract_from_ast
from jinja2.sandbox import SandboxedEnvironment

from device_models.purpose import Purpose, Severity
from device_models.registry import Customer
from notifiers.message import Brand, Button, Direction, Links, Rendered
from notifiers.wording.bidi import isolate
from notifiers.wording.catalogue import SOURCE_LANGUAGE, load_catalogues
from notifiers.wording.facts import line
from notifiers.wording.links import only_ours
from notifiers.wording.segments import MOST, segments, thrifty
from notifiers.wording.view import View, Words, view

TEMPLATES: dict[str, Purpose | None] = {
    "address_added": None,
    "agent_reply": None,
    "answer_noted": Purpose.FAULT,
    "check": None,
    "date_booked": Purpose.MAINTENANCE,
    "date_cancelled": Purpose.MAINTENANCE,
    "digest": None,
    "fault_improving": Purpose.FAULT,
    "fault_opened": Purpose.FAULT,
    "fault_resolved": Purpose.FAULT,
    "fault_update": Purpose.FAULT,
    "help": None,
    "maintenance_confirmed": Purpose.MAINTENANCE,
    "maintenance_due": Purpose.MAINTENANCE,
    "offer": Purpose.OFFER,
    "page_link": None,
    "start_confirmed": None,
    "stop_confirmed": None,
    "survey": Purpose.FAULT,
    "test": None,
    "welcome": None,
}
"""Every message there is, with its purpose where the facts name none."""

OF_NO_PURPOSE = frozenset({"address_added", "check", "help", "start_confirmed", "stop_confirmed", "test", "welcome"})
"""What answers somebody or proves an address: nobody can stop it, and a STOP that follows it means another."""

_LAYOUTS = {"email": "layouts/mail.txt.j2", "sms": "layouts/sms.txt.j2"}
"""By channel; chat serves the rest."""
_GAP = re.compile(r"\n{3,}")

Tone = Literal["critical", "major", "minor", ""]


class UnknownTemplate(KeyError):
    """There is no message of that name."""


class BrokenTemplate(ValueError):
    """A text of the company's own cannot be rendered; what ships here always can."""


@dataclass(frozen=True, slots=True)
class Content:
    """A message's parts, as plain text; empty where the template leaves one out. Layouts arrange them."""

    language: str
    direction: Direction
    subject: str
    sentence: str
    """What is true, first."""
    message: list[str]
    """A person's own words, or what else must not be left out: paragraphs."""
    note: list[str]
    """What reassures; a short form goes without."""
    details: list[tuple[str, str]]
    """(label, value)."""
    steps: list[str]
    """What the customer can do, in order."""
    extra: str
    """What only short forms say in a sentence, since they show no details."""
    action: str
    """What the link to the page does."""
    repeat: str
    """That an earlier copy may have arrived."""
    answer: str
    """How to answer, where the answer matters."""
    buttons: tuple[Button, ...]
    """The same to tap, for channels that have them."""
    menu: str
    """What opens a list of them."""
    optional_answer: bool
    """Whether the answer may give way where there is no room; a service notice is answered or useless."""
    hint: str
    """That one may answer."""
    signature: str
    stop_reply: str
    stop_link: str
    why: str
    severity: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of a template that are translated."""

    msgid: str
    plural: bool
    """Whether it has forms by number; those are translated in a ``.po`` file."""
    where: str
    """The template or partial it stands in."""


class Renderer:
    """Templates and catalogues, read once."""

    def __init__(self, templates: Sequence[Path] = (), translations: Sequence[Path] = ()) -> None:
        """Put a company's own directories before what ships here.

        Args:
            templates: with files such as ``fault_opened.j2`` or ``layouts/mail.html.j2``.
            translations: with files such as ``de.po``.
        Raises ValueError for a catalogue that cannot be read.
        """
        self._catalogues = load_catalogues(translations)
        shipped = jinja2.PackageLoader("notifiers", "templates")
        own = jinja2.FileSystemLoader([str(path) for path in templates])
        self._environment = _environment(jinja2.ChoiceLoader([own, shipped]))

    def with_own(self, sources: Mapping[str, str], words: Mapping[str, Mapping[str, str]]) -> "Renderer":
        """Return one that says some of it otherwise.

        Args:
            sources: of templates, by name, such as ``fault_opened``.
            words: translations by msgid, by language.
        """
        made = copy(self)
        first = jinja2.DictLoader({f"{name}.j2": source for name, source in sources.items()})
        before = self._environment.loader
        made._environment = _environment(jinja2.ChoiceLoader([first, *([before] if before else [])]))
        catalogues = dict(self._catalogues)
        for language, said in words.items():
            base = catalogues.get(language) or catalogues[SOURCE_LANGUAGE]
            catalogues[language] = base.with_words(said)
        made._catalogues = catalogues
        return made

    @property
    def languages(self) -> frozenset[str]:
        """The languages there are catalogues for."""
        return frozenset(self._catalogues)

    def sources(self) -> list[tuple[str, str]]:
        """Return (name, source) of every template, the company's own in place of ours."""
        loader = self._environment.loader
        names = self._environment.list_templates(extensions=["j2"])
        return [(name, loader.get_source(self._environment, name)[0]) for name in names] if loader else []

    def source(self, template: str) -> str:
        """Return the source of a message. Raises UnknownTemplate."""
        if template not in TEMPLATES or (loader := self._environment.loader) is None:
            raise UnknownTemplate(template)
        return loader.get_source(self._environment, f"{template}.j2")[0]

    def phrases(self, template: str) -> list[Phrase]:
        """Return what of a message is translated, in the order of its lines, then that of the partials it uses.

        Raises UnknownTemplate, jinja2.TemplateSyntaxError.
        """
        if template not in TEMPLATES:
            raise UnknownTemplate(template)
        found: dict[str, Phrase] = {}
        names, read = [f"{template}.j2", "partials/footer.j2"], set[str]()
        loader = self._environment.loader
        while names and loader is not None:
            name = names.pop(0)
            if name in read:
                continue
            read.add(name)
            source = loader.get_source(self._environment, name)[0]
            tree = self._environment.parse(source)
            for _, function, said in extract_from_ast(tree):
                # A call with named values comes as a tuple, the msgid first.
                msgid = said[0] if isinstance(said, tuple) else said
                if msgid:
                    found.setdefault(msgid, Phrase(msgid, function == "ngettext", name))
            names += [
                node.template.value
                for node in tree.find_all(jinja2.nodes.Import)
                if isinstance(node.template, jinja2.nodes.Const)
            ]
        return list(found.values())

    def said(self, msgid: str, language: str) -> str | None:
        """Return a phrase in a language; None where it would fall back to English."""
        catalogue = self._catalogues.get(language)
        return catalogue.gettext(msgid) if catalogue is not None and catalogue.has(msgid) else None

    def parse(self, source: str) -> jinja2.nodes.Template:
        """Parse a source as a template. Raises jinja2.TemplateSyntaxError."""
        return self._environment.parse(source)

    def version(self, template: str) -> str:
        """Name a message as it is now: it changes with its template and with the layouts and partials it may use."""
        if template not in TEMPLATES:
            raise UnknownTemplate(template)
        used = [f"{name}\0{source}" for name, source in self.sources() if "/" in name or name == f"{template}.j2"]
        return hashlib.sha256("\0".join(used).encode()).hexdigest()[:12]

    def render(
        self,
        template: str,
        customer: Customer,
        facts: Mapping[str, Any],
        channel: str,
        brand: Brand,
        links: Links,
        now: datetime,
    ) -> Rendered:
        """Render one message.

        Args:
            template: one of ``TEMPLATES``.
            customer: whose language, country and zone it is for.
            facts: see ``notifiers.wording.facts.Facts``; whatever is absent or odd is left out of the text.
            channel: ``email`` gives text and HTML, ``sms`` the short form, any other paragraphs of text.
            brand: who speaks.
            links: those outside ``brand.public_url`` are left out and noted in ``missing``.
            now: aware; what "today" is.
        Raises:
            UnknownTemplate: there is none of that name.
            BrokenTemplate: a company's own template or translation fails; what ships here never raises it.
        """
        if template not in TEMPLATES:
            raise UnknownTemplate(template)
        language = self._language(customer.locale)
        words = Words(self._catalogues[language])
        if language not in (customer.locale, customer.locale.split("-")[0]):
            words.missing.append(f"catalogue:{customer.locale}")
        links, foreign = only_ours(links, brand.public_url)
        words.missing += [f"link:{name}" for name in foreign]
        purpose = _purpose(facts) or TEMPLATES[template]
        seen = view(facts, customer, purpose, words, now)
        # In Arabic a message that begins with a Latin name would be laid out from the left, were the name not isolated.
        named = replace(
            brand,
            name=isolate(line(brand.name), seen.direction),
            support_name=isolate(line(brand.support_name), seen.direction),
        )
        context = {"view": seen, "brand": named, "words": words}
        layout = context | {"links": links}
        with _running(template):
            content = self._content(template, seen, context)
            text = self._text(channel, content, layout)
            html = self._layout("layouts/mail.html.j2", content, layout) if channel == "email" else None
        return Rendered(
            subject=content.subject,
            text=text,
            html=html,
            language=language,
            direction=content.direction,
            missing=tuple(dict.fromkeys(words.missing)),
            segments=segments(text) if channel == "sms" else None,
            buttons=content.buttons,
            menu=content.menu,
        )

    def sentence(self, template: str, customer: Customer, facts: Mapping[str, Any], brand: Brand, now: datetime) -> str:
        """Say only what is the matter, in the customer's language, for a person to begin an answer with.

        Raises UnknownTemplate, BrokenTemplate.
        """
        if template not in TEMPLATES:
            raise UnknownTemplate(template)
        words = Words(self._catalogues[self._language(customer.locale)])
        seen = view(facts, customer, _purpose(facts) or TEMPLATES[template], words, now)
        with _running(template):
            return self._content(template, seen, {"view": seen, "brand": brand, "words": words}).sentence

    def _language(self, locale: str) -> str:
        """The catalogue for a locale: its own, its language's, English."""
        for tag in (locale, locale.split("-")[0]):
            if tag in self._catalogues:
                return tag
        return SOURCE_LANGUAGE

    def _content(self, template: str, seen: View, context: Mapping[str, Any]) -> Content:
        blocks = self._blocks(template, context)
        footer = self._blocks("partials/footer", context)

        def lines(name: str) -> list[str]:
            return [one for one in blocks.get(name, "").split("\n") if one.strip()]

        def text(name: str) -> str:
            return " ".join(blocks.get(name, "").split("\n")).strip()

        stops = "stop_line" not in blocks
        return Content(
            language=seen.language,
            direction=seen.direction,
            subject=text("subject"),
            sentence=text("sentence"),
            message=lines("message"),
            note=lines("note"),
            details=[(label, value) for label, _, value in (row.partition("\t") for row in lines("details"))],
            steps=lines("steps"),
            extra=text("extra"),
            action=text("action"),
            repeat=footer["repeat"],
            answer=text("answer"),
            optional_answer=template.startswith("fault_"),
            buttons=tuple(Button(id_, label) for id_, _, label in (row.partition("\t") for row in lines("buttons"))),
            menu=text("menu"),
            hint=text("hint"),
            signature=text("signature"),
            stop_reply=footer["stop_reply"] if stops else "",
            stop_link=footer["stop_link"] if stops else "",
            why=text("why") or footer["why"],
            severity=footer["severity"] if template == "fault_opened" else "",
            tone=_tone(seen),
        )

    def _blocks(self, name: str, context: Mapping[str, Any]) -> dict[str, str]:
        """Run a template from top to bottom, its imports first, and keep what each block says apart."""
        template = self._environment.get_template(f"{name}.j2")
        scope = template.new_context(dict(context))
        said: dict[str, str] = {}

        def kept(block: str, render: Callable[[jinja2.runtime.Context], Iterator[str]]) -> Callable[..., Iterator[str]]:
            def run(inner: jinja2.runtime.Context) -> Iterator[str]:
                said[block] = "".join(render(inner)).strip()
                return iter(())

            return run

        scope.blocks = {block: [kept(block, render)] for block, render in template.blocks.items()}
        for _ in template.root_render_func(scope):
            pass
        return said

    def _text(self, channel: str, content: Content, layout: Mapping[str, Any]) -> str:
        name = _LAYOUTS.get(channel, "layouts/chat.txt.j2")
        text = self._layout(name, content, layout)
        if channel != "sms":
            return text
        text = thrifty(text)
        if segments(text).count > MOST and content.steps:
            # The steps are on the page as well; what has happened, the link and STOP are not to be lost.
            text = thrifty(self._layout(name, replace(content, steps=[]), layout))
        if segments(text).count > MOST and content.optional_answer:
            text = thrifty(self._layout(name, replace(content, steps=[], answer=""), layout))
        return text

    def _layout(self, name: str, content: Content, layout: Mapping[str, Any]) -> str:
        text = self._environment.get_template(name).render({**layout, "content": content})
        return _GAP.sub("\n\n", text).strip()


@contextmanager
def _running(template: str) -> Iterator[None]:
    """Name whatever a template raises: it is a program of the company's own, and ours to run, not to trust."""
    try:
        yield
    except Exception as error:
        raise BrokenTemplate(f"{template}: {type(error).__name__}: {error}") from error


def _environment(loader: jinja2.BaseLoader) -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        extensions=["jinja2.ext.i18n"],
        keep_trailing_newline=False,
    )
    # One environment for all languages: the catalogue comes with the context of each render.
    environment.install_gettext_callables(  # type: ignore[attr-defined] # the i18n extension adds it
        _gettext, _ngettext, newstyle=True
    )
    return environment


def _purpose(facts: Mapping[str, Any]) -> Purpose | None:
    value = facts.get("purpose")
    return Purpose(value) if isinstance(value, str) and value in Purpose.__members__.values() else None


def _tone(seen: View) -> Tone:
    if seen.purpose == Purpose.SAFETY or seen.severity == Severity.CRITICAL:
        return "critical"
    if seen.severity == Severity.MAJOR:
        return "major"
    return "minor" if seen.severity == Severity.MINOR else ""


@cache
def _shipped() -> Renderer:
    return Renderer()


def render(
    template: str, customer: Customer, facts: Mapping[str, Any], channel: str, brand: Brand, links: Links, now: datetime
) -> Rendered:
    """Render with what ships here; see ``Renderer.render``."""
    return _shipped().render(template, customer, facts, channel, brand, links, now)


def render_sentence(template: str, customer: Customer, facts: Mapping[str, Any], brand: Brand, now: datetime) -> str:
    """Say what is the matter with what ships here; see ``Renderer.sentence``."""
    return _shipped().sentence(template, customer, facts, brand, now)


@jinja2.pass_context
def _gettext(context: jinja2.runtime.Context, msgid: str) -> str:
    words: Words = context["words"]
    return words.gettext(msgid)


@jinja2.pass_context
def _ngettext(context: jinja2.runtime.Context, singular: str, plural: str, count: int) -> str:
    words: Words = context["words"]
    return words.ngettext(singular, plural, count)
