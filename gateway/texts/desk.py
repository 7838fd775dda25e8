"""Where messages and articles are worded: what there is in each language, how it would read, what is wrong with it."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jinja2
from babel import Locale

from device_models.localized import in_language
from device_models.purpose import Purpose
from gateway.cases.self_help import articles_of
from gateway.config import Config
from gateway.outbox.channels import configured_channels
from gateway.outbox.wording import renderer_of
from gateway.people.registry import Registry
from gateway.texts.drafts import TextDraft
from gateway.texts.own import OwnTexts, check_text, read_words
from notifiers.message import Brand, Rendered
from notifiers.wording.article import Article, read_article
from notifiers.wording.catalogue import SOURCE_LANGUAGE
from notifiers.wording.render import TEMPLATES, Phrase, Renderer
from notifiers.wording.samples import SAMPLES
from notifiers.wording.template_check import Finding, check, preview
from rules.base import BaseRule
from rules.schema import RuleSet

Send = Callable[[str, str, Rendered], Awaitable[None]]
"""(channel, address, message): hand it over. Raises NotifierError, and LookupError where nothing serves the channel."""
_NAMES = re.compile(r"%\((\w+)\)[sd]")
_PERCENT = re.compile(r"%(?!\(\w+\)[sd]|%)")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a text stands in one language."""

    language: str
    missing: int
    """Phrases that fall back to English; of an article 1 where there is none."""
    own: bool
    """Whether the company's own words are in force, written in the console."""


@dataclass(frozen=True, slots=True)
class Line:
    """One message or article, in all languages."""

    name: str
    title: str
    about: str
    """The purpose of a message; the rules an article is for."""
    languages: Sequence[Standing]
    own: bool = False
    """Of a message: whether its template is the company's own."""


@dataclass(frozen=True, slots=True)
class Worded:
    """A phrase of a message in one language."""

    phrase: Phrase
    said: str | None
    """None: it falls back to English."""
    own: bool


class TextDesk:
    """Reads and tries texts; saving is a command. What it does takes tens of milliseconds: call it in a thread."""

    def __init__(self, config: Config, registry: Registry, rules: Callable[[], RuleSet], send: Send | None) -> None:
        """``send`` hands a test over; None: nothing is sent from here."""
        self._config = config
        self._registry = registry
        self._rules = rules
        self.send = send
        self.brand = Brand(config.brand.name, config.brand.support_name, config.public_url)

    @property
    def channels(self) -> list[str]:
        """Channels by which a test can be sent to an address that one can type."""
        return [name for name in configured_channels(self._config.notifiers) if name in ("email", "sms", "whatsapp")]

    @property
    def languages(self) -> list[str]:
        """The languages there are catalogues for, English first."""
        return sorted(self._renderer().languages, key=lambda language: (language != SOURCE_LANGUAGE, language))

    def faults(self) -> list[tuple[str, str]]:
        """Rules about whose faults a message can be tried, as (id, title); the one tried by itself first."""
        rules = [rule for rule in self._rules().rules if rule.purpose in (Purpose.FAULT, Purpose.SAFETY) and rule.title]
        named = sorted((in_language(rule.title, "en") or rule.id, rule.id) for rule in rules)
        usual = self._rule("")
        first = usual.id if usual is not None else ""
        return sorted(((rule, title) for title, rule in named), key=lambda pair: pair[0] != first)

    def messages(self) -> list[Line]:
        """All messages, and how whole each is in each language."""
        renderer, own = self._renderer(), self._own
        lines = []
        for name, purpose in TEMPLATES.items():
            phrases = renderer.phrases(name)
            standings = [
                Standing(
                    language,
                    sum(renderer.said(phrase.msgid, language) is None for phrase in phrases),
                    any(phrase.msgid in own.words.get(language, {}) for phrase in phrases),
                )
                for language in self.languages
            ]
            about = purpose.value if isinstance(purpose, Purpose) else ""
            lines.append(Line(name, name, about, standings, name in own.templates))
        return lines

    def articles(self) -> list[Line]:
        """All articles, and the languages each is there in."""
        own = {(article.name, article.language) for article in self._own.articles}
        found: dict[str, dict[str, Article]] = {}
        for article in articles_of(self._config, self._own):
            found.setdefault(article.name, {})[article.language] = article
        titles = {rule.id: in_language(rule.title, "en") or rule.id for rule in self._rules().rules}
        lines = []
        for name, by_language in sorted(found.items()):
            first = by_language.get(SOURCE_LANGUAGE) or next(iter(by_language.values()))
            languages = sorted({*self.languages, *by_language}, key=lambda one: (one != SOURCE_LANGUAGE, one))
            standings = [Standing(one, int(one not in by_language), (name, one) in own) for one in languages]
            lines.append(Line(name, first.title, ", ".join(titles.get(r, r) for r in first.rules), standings))
        return lines

    def words(self, template: str, language: str, texts: OwnTexts | None = None) -> list[Worded]:
        """Return what a message says, phrase by phrase: now, or as ``texts`` would have it. Raises UnknownTemplate."""
        renderer = self._fresh(texts) if texts is not None else self._renderer()
        own = (texts or self._own).words.get(language, {})
        return [
            Worded(phrase, renderer.said(phrase.msgid, language), phrase.msgid in own)
            for phrase in renderer.phrases(template)
        ]

    def source(self, template: str) -> str:
        """Return a message's template. Raises UnknownTemplate."""
        return self._renderer().source(template)

    def article(self, name: str, language: str) -> str:
        """Return an article as it is written; where there is none in that language, the English one to begin with."""
        by_language = {a.language: a for a in articles_of(self._config, self._own) if a.name == name}
        found = by_language.get(language) or by_language.get(SOURCE_LANGUAGE) or next(iter(by_language.values()), None)
        return _written(found) if found is not None else ""

    def own_words(self, language: str) -> Mapping[str, str]:
        """The company's own translations of one language."""
        return self._own.words.get(language, {})

    def with_drafts(self, written: Iterable[TextDraft]) -> OwnTexts:
        """Return the texts as they would be with these drafts live; one that cannot be used stays as it is in force."""
        texts = self._own
        for draft in written:
            with suppress(*BROKEN):
                texts = self.with_text(draft.kind, draft.name, draft.language, draft.text, texts)
        return texts

    def with_text(
        self, kind: str, name: str, language: str, text: str | None, others: OwnTexts | None = None
    ) -> OwnTexts:
        """Return the texts as they would be with one of them said so, beside ``others`` or what is in force.

        Raises ValueError for one that cannot be used.
        """
        own = others or self._own
        if text is not None:
            check_text(kind, name, language, text)
        if kind == "template":
            kept = {n: s for n, s in own.templates.items() if n != name}
            return OwnTexts({**kept, **({name: text} if text is not None else {})}, own.words, own.articles)
        if kind == "words":
            words = read_words(text or "{}")
            self._check_words(words)
            return OwnTexts(own.templates, {**own.words, language: words}, own.articles)
        kept_articles = [a for a in own.articles if (a.name, a.language) != (name, language)]
        mine = [read_article(text, name, language, f"{name}/{language}.md")] if text is not None else []
        return OwnTexts(own.templates, own.words, [*mine, *kept_articles])

    def try_message(
        self, template: str, language: str, channel: str, texts: OwnTexts | None = None, rule_id: str = ""
    ) -> Rendered:
        """Render a message as a customer of ``language`` would read it, about the fault of ``rule_id``.

        Raises UnknownTemplate, BrokenTemplate.
        """
        texts = texts or self._own
        renderer = renderer_of(self._config, texts) if texts is self._own else self._fresh(texts)
        return preview(
            renderer, template, language, channel, self.brand, self._facts(template, language, texts, rule_id)
        )

    def findings(self, template: str, texts: OwnTexts, languages: Sequence[str] = ()) -> list[Finding]:
        """Say what is wrong with a message in all forms, and in all languages where none are named."""
        return check(self._fresh(texts), self.brand, languages, [template])

    @property
    def _own(self) -> OwnTexts:
        return self._registry.texts

    def _renderer(self) -> Renderer:
        return renderer_of(self._config, self._own)

    def _fresh(self, texts: OwnTexts) -> Renderer:
        """A renderer of texts that may never be in force: it is not to push out those that are."""
        return renderer_of(self._config).with_own(texts.templates, texts.words)

    def _facts(self, template: str, language: str, texts: OwnTexts, rule_id: str) -> Mapping[str, Any]:
        facts = SAMPLES.get(template, {})
        rule = self._rule(rule_id)
        if rule is None or facts.get("purpose") != Purpose.FAULT.value:
            return facts
        profile = next(iter(rule.profile), "")
        article = articles_of(self._config, texts).find(rule.id, "", profile, language, rule.advice or None)
        advice: Any = {article.language: "\n".join(article.steps)} if article is not None else dict(rule.advice)
        # The sample's own label is in no language; without one the message says "now".
        return {**facts, "labels": {}, "title": dict(rule.title), "advice": advice, "severity": rule.severity.value}

    def _rule(self, rule_id: str) -> BaseRule | None:
        rules = self._rules().rules
        wanted = next((rule for rule in rules if rule.id == rule_id), None)
        faults = [rule for rule in rules if rule.purpose in (Purpose.FAULT, Purpose.SAFETY) and rule.title]
        # The sample tells of a temperature, so a fault of one reads best.
        warm = next((rule for rule in faults if "temperature" in str(getattr(rule, "when", ""))), None)
        return wanted or warm or next(iter(faults), None)

    def _check_words(self, words: Mapping[str, str]) -> None:
        for msgid, said in words.items():
            unknown = sorted(set(_NAMES.findall(said)) - set(_NAMES.findall(msgid)))
            if unknown:
                there = ", ".join(f"%({name})s" for name in sorted(set(_NAMES.findall(msgid)))) or "none"
                raise ValueError(f"“{said}”: there is no %({unknown[0]})s in “{msgid}”; there is {there}")
            # Texts without values are not formatted, so a lone percent sign is only one beside values.
            if _NAMES.search(msgid) and _PERCENT.search(said):
                raise ValueError(f"“{said}”: write a percent sign as %%")


def direction_of(language: str) -> str:
    """``rtl`` for languages that are written from the right."""
    return "rtl" if Locale.parse(language.replace("-", "_")).text_direction == "rtl" else "ltr"


def _written(article: Article) -> str:
    import yaml

    front: dict[str, Any] = {"rules": list(article.rules)}
    if article.profiles:
        front["profiles"] = list(article.profiles)
    front["title"] = article.title
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, default_flow_style=None)
    return f"---\n{head}---\n\n{article.markdown}\n"


BROKEN = (jinja2.TemplateError, ValueError)
"""What a text may raise that cannot be rendered."""
