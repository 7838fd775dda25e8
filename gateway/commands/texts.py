"""Texts of messages and articles. See ``gateway.commands``."""

from dataclasses import dataclass
from typing import Literal

TextKind = Literal["template", "words", "article"]


@dataclass(frozen=True, slots=True)
class SaveText:
    """Put a text in force from now on; its result is the number of the version.

    Refused where it cannot be read, or is what is in force already.
    """

    kind: TextKind
    name: str
    """Of the template or article; empty for words."""
    language: str
    """Empty for a template, whose words are translated."""
    text: str | None
    """None: what the files, or the product, say."""
    by: str
    draft: int | None = None
    """The version of the draft that this is, or grew from: it is done with. None: a draft, if there is one, stays."""


@dataclass(frozen=True, slots=True)
class SaveTextDraft:
    """Keep what is being written of a text, where no customer reads it; its result is the draft's version.

    Refused where somebody else kept it after the version ``seen``.
    """

    kind: TextKind
    name: str
    language: str
    text: str
    by: str
    seen: int | None = None
    """None: whatever is there."""


@dataclass(frozen=True, slots=True)
class DropTextDraft:
    """Put a draft away for good."""

    kind: TextKind
    name: str
    language: str
    by: str


@dataclass(frozen=True, slots=True)
class NoteTestSend:
    """Write down that somebody sent a text to themselves; to whom is not kept."""

    template: str
    language: str
    channel: str
    by: str


TextCommand = SaveText | SaveTextDraft | DropTextDraft | NoteTestSend
