"""What people and programs send becomes commands; the console's forms and the API share every line of it."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

from gateway.commands import (
    Acknowledge,
    AddNote,
    Approve,
    Assign,
    Command,
    Discard,
    GiveVerdict,
    Reopen,
    Reply,
    Resend,
    Resolve,
    ServiceAnswered,
    Unresolve,
)
from gateway.web.errors import FieldError

LONGEST_TEXT = 4000
Sent = Mapping[str, Any]


def text_of(sent: Sent, field: str, *, what: str) -> str:
    """Return a text that must be there. Raises FieldError."""
    text = optional_text(sent, field)
    if not text:
        raise FieldError(field, f"Write {what} first.")
    return text


def optional_text(sent: Sent, field: str) -> str:
    """Return a text, empty where there is none. Raises FieldError where it is too long or no text."""
    value = sent.get(field) or ""
    if not isinstance(value, str):
        raise FieldError(field, f"{field} is no text.")
    text = value.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_TEXT:
        raise FieldError(field, f"{len(text)} characters; {LONGEST_TEXT} is the most that can be sent.")
    return text


def renamed(sent: Sent) -> tuple[str, str | None]:
    """Return a thing's name from now on, and the one until now where ``new_name`` changes it. Raises FieldError."""
    name, new = text_of(sent, "name", what="a name"), optional_text(sent, "new_name")
    return (new, name) if new and new != name else (name, None)


def words_of(sent: Sent, field: str, *, commas: bool = False) -> list[str]:
    """Return a list: JSON's own, or words with spaces or commas between (``commas``: alone). Raises FieldError."""
    value = sent.get(field)
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return value
    text = optional_text(sent, field)
    return [word.strip() for word in text.split(",") if word.strip()] if commas else text.replace(",", " ").split()


def whole_number(sent: Sent, field: str, default: int, most: int) -> int:
    """Return a whole number from 1 to ``most``. Raises FieldError."""
    text = str(sent.get(field) or default).strip()
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise FieldError(field, f"{field}: a whole number from 1 to {most}")
    return int(text)


def flag_of(sent: Sent, field: str, default: bool = False) -> bool:
    """Read a checkbox or a JSON truth value."""
    value = sent.get(field, default)
    return value if isinstance(value, bool) else str(value).lower() in {"1", "true", "yes", "on"}


def _acknowledge(case_id: int, by: str, _sent: Sent) -> Command:
    return Acknowledge(case_id, by)


def _assign(case_id: int, by: str, sent: Sent) -> Command:
    return Assign(case_id, optional_text(sent, "assignee") or None, by)


def _note(case_id: int, by: str, sent: Sent) -> Command:
    return AddNote(case_id, text_of(sent, "text", what="the note"), by)


def _reply(case_id: int, by: str, sent: Sent) -> Command:
    translation = optional_text(sent, "translation") or None
    seen = str(sent.get("seen") or "")
    known = int(seen) if seen.isdecimal() and len(seen) < 18 else None
    text = text_of(sent, "text", what="the answer")
    return Reply(case_id, text, by, translation, known, flag_of(sent, "waits"))


def _resolve(case_id: int, by: str, sent: Sent) -> Command:
    # A form leaves an unticked box out, so its absence means no there, and the command's default elsewhere.
    tell = flag_of(sent, "tell_customer", default="_form" not in sent)
    # One button may say both: what it was, and what mended it.
    chosen, _, mended = optional_text(sent, "found").partition("|")
    cause, fix = optional_text(sent, "cause") or chosen, optional_text(sent, "fix") or mended
    return Resolve(case_id, by, optional_text(sent, "resolution"), tell, cause, fix)


def _verdict(case_id: int, by: str, sent: Sent) -> Command:
    verdict = verdict_of(sent)
    doubles = str(sent.get("duplicate_of") or "").removeprefix("#")
    if doubles and not (doubles.isdecimal() and len(doubles) < 16):
        raise FieldError("duplicate_of", "duplicate_of: the number of a case, such as 17")
    return GiveVerdict(case_id, verdict, by, int(doubles) if doubles else None)


def verdict_of(sent: Sent) -> Literal["real", "false_alarm", "duplicate"] | None:
    """Read a verdict; None, to take it back, where there is none. Raises FieldError."""
    said = sent.get("verdict") or None
    if said in (None, "real", "false_alarm", "duplicate"):
        return cast("Literal['real', 'false_alarm', 'duplicate'] | None", said)
    raise FieldError("verdict", "verdict: real, false_alarm or duplicate; nothing takes it back")


def _unresolve(case_id: int, by: str, _sent: Sent) -> Command:
    return Unresolve(case_id, by)


def _reopen(case_id: int, by: str, _sent: Sent) -> Command:
    return Reopen(case_id, by)


def _service(case_id: int, by: str, sent: Sent) -> Command:
    answer = sent.get("answer")
    if answer not in ("done", "later"):
        raise FieldError("answer", "Say done or later.")
    return ServiceAnswered(case_id, answer, by)


def _approve(notification_id: int, by: str, sent: Sent) -> Command:
    text = optional_text(sent, "text")
    # The editor shows the template's text; sent back as it was, it is no wording of the agent's own.
    unchanged = text == optional_text(sent, "original")
    return Approve(notification_id, by, None if unchanged or not text else text)


def _discard(notification_id: int, by: str, sent: Sent) -> Command:
    return Discard(notification_id, by, optional_text(sent, "reason"))


def _resend(notification_id: int, by: str, sent: Sent) -> Command:
    return Resend(notification_id, by, optional_text(sent, "address") or None)


Builder = Callable[[int, str, Sent], Command]
"""(case or notification id, who, what they sent) → the command. Raises FieldError."""

CASE_COMMANDS: Mapping[str, Builder] = {
    "acknowledge": _acknowledge,
    "assign": _assign,
    "note": _note,
    "reply": _reply,
    "resolve": _resolve,
    "unresolve": _unresolve,
    "reopen": _reopen,
    "verdict": _verdict,
    "service": _service,
}
MESSAGE_COMMANDS: Mapping[str, Builder] = {"approve": _approve, "discard": _discard, "resend": _resend}
