"""Rules that are being written: kept as they are typed, by whom and when, until they go live or are dropped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from device_models.event import rfc3339
from gateway.commands import CommandRefused
from gateway.commands.drafts import (
    BeginDraft,
    DraftCommand,
    DropDraft,
    KeepBacktest,
    NoteBacktest,
    PutDraftLive,
    SaveDraft,
)
from gateway.rulebook.editing import look_at
from gateway.rulebook.versions import detector_of_ruleset, in_force
from gateway.store.rule_drafts import rule_drafts
from gateway.transaction import Transaction
from rules.detect import Detector
from rules.schema import RuleSet

OPEN, LIVE, DROPPED = "open", "live", "dropped"


@dataclass(frozen=True, slots=True)
class Draft:
    """One draft, as it was saved last."""

    id: int
    state: str
    text: str
    replaces: Sequence[str]
    began_as: str
    began_from: str
    version: int
    began_by: str
    began_at: datetime
    saved_by: str
    saved_at: datetime
    put_live_as: str | None
    backtest: Mapping[str, Any] | None
    trying: Mapping[str, Any] | None
    """What a backtest that goes on, or was cut off, was asked for: ``by``, ``at``, ``span`` or ``file``, ``zone``."""

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "id": self.id,
            "state": self.state,
            "replaces": list(self.replaces),
            "version": self.version,
            "began_by": self.began_by,
            "began_at": rfc3339(self.began_at),
            "began_from": self.began_from,
            "saved_by": self.saved_by,
            "saved_at": rfc3339(self.saved_at),
            "put_live_as": self.put_live_as,
        }


def run(tx: Transaction, running: RuleSet, command: DraftCommand) -> Any:
    """Run one command. Raises CommandRefused."""
    match command:
        case BeginDraft():
            return _begin(tx, running, command)
        case SaveDraft():
            return _save(tx, command)
        case DropDraft():
            return _drop(tx, command)
        case KeepBacktest():
            draft = _load(tx, command.draft_id)
            _update(tx, draft.id, backtest=dict(command.outcome), trying=None)
            return None
        case NoteBacktest():
            draft = _load(tx, command.draft_id)
            _update(tx, draft.id, trying=dict(command.trying) if command.trying is not None else None)
            return None


def detector_of_draft(tx: Transaction, running: RuleSet, command: PutDraftLive) -> Detector:
    """Compile the rules in force with a draft put among them, and note that it went live. Raises CommandRefused."""
    draft = _open(tx, command.draft_id)
    if draft.version != command.seen:
        raise CommandRefused(f"{draft.saved_by} changed this draft meanwhile; look at it again")
    live = in_force(tx, running)
    if live.version != command.in_force:
        raise CommandRefused("the rules in force changed meanwhile; look again at what going live would do")
    look = look_at(draft.text, draft.replaces, live, tx.profiles, thorough=False)
    if look.in_force is None:
        raise CommandRefused("\n".join(map(str, look.errors)))
    if not look.changes:
        raise CommandRefused("it says what is in force already")
    _update(tx, draft.id, state=LIVE, put_live_as=look.in_force.version)
    return detector_of_ruleset(tx, look.in_force)


def load_draft(connection: sa.Connection, draft_id: int) -> Draft | None:
    """Read one draft, whatever its state; None where there is none."""
    row = connection.execute(sa.select(rule_drafts).where(rule_drafts.c.id == draft_id)).mappings().first()
    return Draft(**row) if row is not None else None


def open_drafts(connection: sa.Connection) -> list[Draft]:
    """Read what is being written, the newest word first."""
    query = sa.select(rule_drafts).where(rule_drafts.c.state == OPEN).order_by(rule_drafts.c.saved_at.desc())
    return [Draft(**row) for row in connection.execute(query).mappings()]


def texts_gone_live(connection: sa.Connection, most: int = 100) -> list[tuple[str, str]]:
    """Return (text, name) of drafts that went live, the newest first."""
    query = sa.select(rule_drafts.c.text, rule_drafts.c.id).where(rule_drafts.c.state == LIVE)
    rows = connection.execute(query.order_by(rule_drafts.c.id.desc()).limit(most))
    return [(text, f"draft {draft_id}") for text, draft_id in rows]


def _begin(tx: Transaction, running: RuleSet, command: BeginDraft) -> dict[str, Any]:
    live = in_force(tx, running)
    known = {rule.id for rule in live.rules}
    if gone := sorted(set(command.replaces) - known):
        raise CommandRefused(f"there is no rule '{gone[0]}' in force")
    _refuse_second(tx, command.replaces)
    told = {"by": command.by, "at": tx.now}
    inserted = tx.connection.execute(
        sa.insert(rule_drafts).values(
            state=OPEN,
            text=command.text,
            replaces=list(command.replaces),
            began_as=command.began_as,
            began_from=live.version,
            version=1,
            **{f"{when}_{what}": value for when in ("began", "saved") for what, value in told.items()},
        )
    )
    draft_id = inserted.inserted_primary_key[0]  # type: ignore[index]
    tx.audit(command.by, "rules.draft", str(draft_id), replaces=list(command.replaces))
    tx.changed("draft", draft_id)
    return _saved(draft_id, 1, command.by, tx.now)


def _save(tx: Transaction, command: SaveDraft) -> dict[str, Any]:
    draft = _open(tx, command.draft_id)
    if command.text == draft.text:
        return _saved(draft.id, draft.version, draft.saved_by, draft.saved_at)
    if command.seen is not None and command.seen != draft.version:
        raise CommandRefused(f"{draft.saved_by} saved this draft after you began to write; nothing of theirs was lost")
    version = draft.version + 1
    _update(tx, draft.id, text=command.text, version=version, saved_by=command.by, saved_at=tx.now)
    tx.changed("draft", draft.id)
    return _saved(draft.id, version, command.by, tx.now)


def _drop(tx: Transaction, command: DropDraft) -> None:
    draft = _load(tx, command.draft_id)
    was, becomes = (DROPPED, OPEN) if command.back else (OPEN, DROPPED)
    if draft.state != was:
        raise CommandRefused(f"draft {draft.id} is {draft.state}")
    if command.back:
        _refuse_second(tx, draft.replaces)
    _update(tx, draft.id, state=becomes)
    tx.audit(command.by, f"rules.draft.{becomes}", str(draft.id))
    tx.changed("draft", draft.id)


def _refuse_second(tx: Transaction, replaces: Sequence[str]) -> None:
    for other in open_drafts(tx.connection):
        if both := sorted(set(replaces) & set(other.replaces)):
            raise CommandRefused(f"{other.began_by} has a draft of '{both[0]}' already: draft {other.id}")


def _load(tx: Transaction, draft_id: int) -> Draft:
    draft = load_draft(tx.connection, draft_id)
    if draft is None:
        raise CommandRefused(f"there is no draft {draft_id}")
    return draft


def _open(tx: Transaction, draft_id: int) -> Draft:
    draft = _load(tx, draft_id)
    if draft.state != OPEN:
        raise CommandRefused(f"draft {draft_id} {'went live' if draft.state == LIVE else 'was dropped'} already")
    return draft


def _update(tx: Transaction, draft_id: int, **values: Any) -> None:
    tx.connection.execute(sa.update(rule_drafts).where(rule_drafts.c.id == draft_id).values(**values))


def _saved(draft_id: int, version: int, by: str, at: datetime) -> dict[str, Any]:
    return {"id": draft_id, "version": version, "saved_by": by, "saved_at": rfc3339(at)}
