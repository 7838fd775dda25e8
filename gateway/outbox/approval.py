"""What waits for a person's word: by mode, severity or the first use of a template; and for a second person's."""

import sqlalchemy as sa

from device_models.purpose import Severity
from gateway.outbox.wording import renderer_of
from gateway.store import dialect
from gateway.store.template_uses import template_uses
from gateway.transaction import Transaction

_ANSWERS = frozenset(
    {
        "address_added",
        "agent_reply",
        "answer_noted",
        "check",
        "date_booked",
        "date_cancelled",
        "help",
        "page_link",
        "start_confirmed",
        "stop_confirmed",
        "test",
        "welcome",
    }
)
"""What answers somebody, or proves an address: it comes at once or is of no use."""


def why_it_waits(tx: Transaction, template: str, severity: Severity, locale: str, mode: str) -> str | None:
    """Say why a message waits: ``mode`` | ``severity`` | ``first_use``; None where it need not."""
    if mode == "approve":
        return "mode"
    settings = tx.config.notifiers.approval
    if template in _ANSWERS:
        return None
    if severity in settings.severities or severity in settings.second_person:
        return "severity"
    return "first_use" if settings.first_use and not _was_used(tx, template, locale) else None


def needs_second(tx: Transaction, severity: Severity) -> bool:
    """Tell whether two people have to approve messages of a severity."""
    return severity in tx.config.notifiers.approval.second_person


def note_use(tx: Transaction, template: str, locale: str, by: str) -> None:
    """Remember that a person let this template go in this language, as it is now."""
    if template in _ANSWERS:
        return
    row = {
        "template": template,
        "version": renderer_of(tx.config, tx.registry.texts).version(template),
        "language": _language(locale),
        "approved_by": by,
        "at": tx.now,
    }
    dialect.insert_new(tx.connection, template_uses, row, unique=["template", "version", "language"])


def _was_used(tx: Transaction, template: str, locale: str) -> bool:
    u = template_uses.c
    query = sa.select(u.template).where(
        u.template == template,
        u.version == renderer_of(tx.config, tx.registry.texts).version(template),
        u.language == _language(locale),
    )
    return tx.connection.execute(query).first() is not None


def _language(locale: str) -> str:
    return locale.split("-")[0].lower()
