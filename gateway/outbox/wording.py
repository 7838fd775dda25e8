"""Messages in the company's own templates where it has some, and a report of what had to fall back."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from gateway.config import Config
from gateway.store import schema
from gateway.texts.own import NOTHING, OwnTexts
from gateway.transaction import Transaction
from notifiers.wording.render import BrokenTemplate, Renderer, render, render_sentence

log = structlog.get_logger()

FALL_BACKS = "fall_backs"
"""Key of ``meta``: how often each text fell back, by what was missing."""
_MOST_KEPT = 200


@lru_cache(maxsize=4)
def _renderer(templates: tuple[Path, ...], translations: tuple[Path, ...]) -> Renderer:
    return Renderer(templates, translations)


@lru_cache(maxsize=4)
def _with_own(templates: tuple[Path, ...], translations: tuple[Path, ...], texts: OwnTexts) -> Renderer:
    return _renderer(templates, translations).with_own(texts.templates, texts.words)


def renderer_of(config: Config, texts: OwnTexts = NOTHING) -> Renderer:
    """Return the company's renderer. Raises ValueError for a catalogue that cannot be read."""
    section = config.notifiers
    if not texts.templates and not texts.words:
        return _renderer(section.templates, section.translations)
    return _with_own(section.templates, section.translations, texts)


def word(tx: Transaction, template: str, *given: Any) -> Any:
    """Render a message; one of the company's own templates that fails gives way to what ships here, and is reported.

    ``given``: as ``Renderer.render`` takes it after the template.
    """
    try:
        rendered = renderer_of(tx.config, tx.registry.texts).render(template, *given)
    except BrokenTemplate as error:
        _report(tx, template, error)
        return render(template, *given)
    _count(tx, rendered.missing)
    return rendered


def word_sentence(tx: Transaction, template: str, *given: Any) -> str:
    """Say what is the matter, as ``word`` does; ``given``: as ``Renderer.sentence`` takes it after the template."""
    try:
        return renderer_of(tx.config, tx.registry.texts).sentence(template, *given)
    except BrokenTemplate as error:
        _report(tx, template, error)
        return render_sentence(template, *given)


def _report(tx: Transaction, template: str, error: BrokenTemplate) -> None:
    # Its words may hold what it was given, which is about a customer.
    log.error("template.broken", template=template, error=type(error.__cause__).__name__)
    _count(tx, (f"template:{template}",))


def fall_backs(connection: sa.Connection) -> dict[str, int]:
    """Read how often each text fell back."""
    query = sa.select(schema.meta.c.value).where(schema.meta.c.key == FALL_BACKS)
    return dict(connection.execute(query).scalar() or {})


def _count(tx: Transaction, missing: tuple[str, ...]) -> None:
    if not missing:
        return
    counts: dict[str, int] = dict(tx.get_meta(FALL_BACKS, {}))
    for what in missing:
        if what in counts or len(counts) < _MOST_KEPT:
            counts[what] = counts.get(what, 0) + 1
    tx.set_meta(FALL_BACKS, counts)
