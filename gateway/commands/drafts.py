"""Rules that are being written. See ``gateway.commands``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BeginDraft:
    """Keep a text that is to stand in place of rules in force. Its result is as ``SaveDraft``'s.

    Refused where one of those rules has a draft already.
    """

    text: str
    replaces: tuple[str, ...]
    """The ids of those rules; empty: it adds some."""
    began_as: str
    """What they said when it was begun."""
    by: str


@dataclass(frozen=True, slots=True)
class SaveDraft:
    """Keep what was written; the result is ``{"id", "version", "saved_by", "saved_at"}``.

    Refused where somebody saved it after the version that was ``seen``.
    """

    draft_id: int
    text: str
    seen: int | None
    """None: whatever was saved meanwhile."""
    by: str


@dataclass(frozen=True, slots=True)
class DropDraft:
    """Put a draft away; ``back`` takes it up again."""

    draft_id: int
    by: str
    back: bool = False


@dataclass(frozen=True, slots=True)
class NoteBacktest:
    """Write down what a backtest that begins was asked for, JSON-ready; None: it has ended."""

    draft_id: int
    trying: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class KeepBacktest:
    """Keep what came of a draft on recorded data, JSON-ready."""

    draft_id: int
    outcome: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PutDraftLive:
    """Put a draft live, as it was seen, over the rules that were seen in force. The result is as ``PutFilesLive``'s."""

    draft_id: int
    seen: int
    in_force: str
    """The version over which its migration was shown."""
    by: str


DraftCommand = BeginDraft | SaveDraft | DropDraft | NoteBacktest | KeepBacktest
"""What touches a draft alone."""
