"""Self-help articles: Markdown files, one a language, for the faults they help with.

``<directory>/<name>/<language>.md`` begins with front matter: ``rules`` (ids, or fault keys such as an error code),
``profiles`` (none: all) and ``title``. The items of its first numbered list are the steps, in order; the rest is read
on the page. A company's own directory goes before what ships here: the same name and language replaces ours.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

_LARGEST = 200_000
_SAFE_LINK = re.compile(r"https?:|mailto:|tel:|#")


class _Front(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[str, ...] = Field(min_length=1)
    profiles: tuple[str, ...] = ()
    title: str = Field(min_length=1)
    causes: dict[int, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Article:
    """One article in one language."""

    name: str
    language: str
    title: str
    rules: tuple[str, ...]
    """Ids of rules, or of faults, it helps with."""
    profiles: tuple[str, ...]
    """Empty: all."""
    steps: tuple[str, ...]
    """Plain text, in order."""
    markdown: str
    causes: Mapping[int, str] = field(default_factory=dict)
    """By a step's index: the cause in its rule's list that it looks for. Other steps keep their places."""
    shipped: bool = False
    """Whether it came with the product: then a rule's own advice goes before it."""

    @property
    def html(self) -> str:
        """The whole article as HTML: markup of its author's is shown as text, links lead to the web, mail or phone."""
        return str(_renderer().render(self.markdown))

    def in_order(self, found: Mapping[str, int]) -> list[int]:
        """Return the steps' indexes in the order to try them, given how often each cause was ``found``: those that look
        for a cause by how often it was that, among themselves; of equals as written."""
        looking = iter(sorted(sorted(self.causes), key=lambda index: -found.get(self.causes[index], 0)))
        return [next(looking) if index in self.causes else index for index in range(len(self.steps))]

    def fits(self, rule: str, fault: str, profile: str) -> bool:
        """Tell whether it is about this fault of a device of this profile."""
        return (rule in self.rules or fault in self.rules) and (not self.profiles or profile in self.profiles)


class Articles:
    """All articles there are."""

    def __init__(self, articles: Sequence[Article]) -> None:
        """``articles``: earlier ones win."""
        self._by_name: dict[str, dict[str, Article]] = {}
        for article in articles:
            self._by_name.setdefault(article.name, {}).setdefault(article.language, article)

    def __iter__(self) -> Any:
        return (article for languages in self._by_name.values() for article in languages.values())

    def find(self, rule: str, fault: str, profile: str, locale: str, advice: object = None) -> Article | None:
        """Return the article for a fault in a customer's language, else in English; None where there is none.

        One that names the fault goes before one that names the rule: an error code has its own.

        Args:
            rule: Its id.
            fault: What it found.
            profile: Of the device.
            locale: The customer's.
            advice: What the rule (or its catalogue) says itself, by language. Where that is its author's own, an
                article that ships here is not offered instead of it.
        """
        tags = (locale, locale.split("-")[0].lower(), "en")
        for wanted in (fault, rule):
            for languages in self._by_name.values():
                article = next((languages[tag] for tag in tags if tag in languages), None)
                if article is None or wanted not in article.rules or not article.fits(rule, fault, profile):
                    continue
                if not article.shipped or _says_the_same(article, advice):
                    return article
        return None


def _says_the_same(article: Article, advice: object) -> bool:
    """Tell whether a rule's advice is that from which the article grew, or there is none."""
    texts = list(advice.values()) if isinstance(advice, Mapping) else [advice]
    said = [" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()]
    return not said or any(" ".join(article.steps[0].split()) in text for text in said)


def read_article(text: str, name: str, language: str, filename: str) -> Article:
    """Read one file. Raises ValueError naming the file and what is wrong with it."""
    parts = text[:_LARGEST].replace("\r\n", "\n").split("---\n", 2)
    head, front, body = [*parts, "", ""][:3]
    if head.strip() or not body:
        raise ValueError(f"{filename}:1: does not begin with front matter between two lines of ---")
    try:
        read = _Front.model_validate(yaml.safe_load(front))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{filename}:{mark.line + 2 if mark else 1}: the front matter is no YAML") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "front matter"
        raise ValueError(f"{filename}:1: {where}: {first['msg']}") from error
    steps = _steps(body)
    if not steps:
        raise ValueError(f"{filename}: has no steps; write them as a numbered list")
    if unknown := [number for number in read.causes if not 1 <= number <= len(steps)]:
        raise ValueError(f"{filename}:1: causes: there is no step {unknown[0]}; it has {len(steps)}")
    causes = {number - 1: cause for number, cause in read.causes.items()}
    return Article(name, language, read.title, read.rules, read.profiles, steps, body.strip(), causes)


def load_articles(directories: Sequence[Path] = (), *, shipped: bool = True) -> Articles:
    """Read a company's own directories, then what ships here, which is about the rules that ship here.

    Raises ValueError for a file that is wrong.
    """
    own = [article for directory in directories for article in _read_all(directory)]
    return Articles([*own, *(_shipped() if shipped else ())])


@cache
def _shipped() -> tuple[Article, ...]:
    return tuple(replace(one, shipped=True) for one in _read_all(files("notifiers").joinpath("articles")))


def _read_all(directory: Traversable) -> list[Article]:
    found = []
    for folder in sorted(directory.iterdir(), key=lambda one: one.name):
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir(), key=lambda one: one.name):
            if file.name.endswith(".md"):
                text = file.read_text(encoding="utf-8")
                found.append(
                    read_article(text, folder.name, file.name.removesuffix(".md"), f"{folder.name}/{file.name}")
                )
    return found


@cache
def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False, "linkify": False}).disable("image")
    renderer.validateLink = lambda url: bool(_SAFE_LINK.match(url.strip().lower()))  # type: ignore[method-assign]
    return renderer


def _steps(markdown: str) -> tuple[str, ...]:
    steps: list[str] = []
    inside = 0
    for token in _renderer().parse(markdown):
        if token.type == "ordered_list_open":
            inside += 1
        elif token.type == "ordered_list_close":
            inside -= 1
            if inside == 0:
                break
        elif token.type == "inline" and inside == 1:
            steps.append("".join(child.content or " " for child in token.children or ()).strip())
    return tuple(step for step in steps if step)
