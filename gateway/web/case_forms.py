"""What staff send about a case beyond answering it, as commands: part of the forms that console and API share."""

from collections.abc import Mapping
from datetime import datetime

from device_models.purpose import Severity
from gateway.commands import Command
from gateway.commands.cases import (
    Escalate,
    HandToField,
    LinkCases,
    MergeCase,
    OpenCase,
    RouteCase,
    Snooze,
    SplitCase,
    TickStep,
    UnmergeCase,
    WaitForCustomer,
)
from gateway.web import forms
from gateway.web.errors import FieldError
from gateway.web.forms import Builder, Sent, flag_of, optional_text, text_of

_DIGITS = 16


def number_of(sent: Sent, field: str) -> int:
    """Read the number of a case or an entry, ``17`` or ``#17``. Raises FieldError."""
    text = str(sent.get(field) or "").strip().removeprefix("#")
    if not text.isdecimal() or len(text) >= _DIGITS:
        raise FieldError(field, f"{field}: the number of a case, such as 17")
    return int(text)


def moment_of(sent: Sent, field: str) -> datetime | None:
    """Read a time with its zone; None where there is none. Raises FieldError."""
    text = optional_text(sent, field)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise FieldError(field, f"{field}: not a time such as 2026-11-23T10:00:00Z") from None
    if at.tzinfo is None:
        raise FieldError(field, f"{field}: has no time zone")
    return at


def open_case_of(sent: Sent, by: str) -> OpenCase:
    """Read a case to be opened by hand. Raises FieldError."""
    severity = optional_text(sent, "severity") or Severity.MAJOR.value
    if severity not in set(Severity):
        raise FieldError("severity", f"severity: one of {', '.join(Severity)}")
    return OpenCase(
        text_of(sent, "title", what="what it is about"),
        by,
        optional_text(sent, "device_id") or None,
        optional_text(sent, "customer_id") or None,
        Severity(severity),
        optional_text(sent, "text"),
        flag_of(sent, "missed"),
    )


def _snooze(case_id: int, by: str, sent: Sent) -> Command:
    return Snooze(case_id, moment_of(sent, "until"), by)


def _route(case_id: int, by: str, sent: Sent) -> Command:
    return RouteCase(case_id, text_of(sent, "team", what="which team"), by)


def _wait(case_id: int, by: str, sent: Sent) -> Command:
    return WaitForCustomer(case_id, by, flag_of(sent, "waiting", default=True))


def _merge(case_id: int, by: str, sent: Sent) -> Command:
    return MergeCase(case_id, number_of(sent, "into"), by)


def _unmerge(case_id: int, by: str, _sent: Sent) -> Command:
    return UnmergeCase(case_id, by)


def _split(case_id: int, by: str, sent: Sent) -> Command:
    return SplitCase(case_id, number_of(sent, "entry"), by)


def _link(case_id: int, by: str, sent: Sent) -> Command:
    return LinkCases(case_id, number_of(sent, "other"), by, linked=flag_of(sent, "linked", default=True))


def _escalate(case_id: int, by: str, sent: Sent) -> Command:
    reason, to = optional_text(sent, "reason") or None, optional_text(sent, "to") or None
    return Escalate(case_id, reason, by, to, undo=flag_of(sent, "undo"))


def _field(case_id: int, by: str, sent: Sent) -> Command:
    return HandToField(case_id, optional_text(sent, "task") or None, by)


def _step(case_id: int, by: str, sent: Sent) -> Command:
    return TickStep(case_id, text_of(sent, "step", what="which step"), by, done=flag_of(sent, "done", default=True))


CASE_COMMANDS: Mapping[str, Builder] = {
    **forms.CASE_COMMANDS,
    "snooze": _snooze,
    "wait": _wait,
    "route": _route,
    "merge": _merge,
    "unmerge": _unmerge,
    "split": _split,
    "link": _link,
    "escalate": _escalate,
    "field": _field,
    "step": _step,
}
"""All that may be done to a case, by the last word of the address."""
