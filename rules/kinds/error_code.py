"""The maker's error codes: the profile's catalogue says what each means, how bad it is and what the customer can do.

From life: a heat pump shows E5 on a display in the cellar that nobody looks at. The code reaches the gateway, and the
customer reads "Water pressure is low. Top up to 1.5 bar, then press reset" before the house is cold.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from device_models.duration import Duration
from device_models.event import EventKind, Value
from device_models.profile import DeviceProfile
from rules import alert as alerts
from rules.alert import Alert, Timing
from rules.base import BaseRule
from rules.evaluator import Evaluator, Fact, Fingerprint, Moment, RuleState, Wake
from rules.inputs import DeviceContext
from rules.kinds.condition import STALE_INTERVALS
from rules.transition import AlertState

NO_CODE = frozenset({"", "0", "-", "none", "ok", "no_error", "null", "false"})
"""What devices say when nothing is wrong; a catalogue that gives one of them a meaning is believed."""
REPEATS_WITHIN = timedelta(hours=24)
"""Default of ``clear_for`` for a code that came as an event of its own, which nothing ever takes back."""
CLEAR_INTERVALS = 2
"""Default of ``clear_for`` in reporting intervals for a code that statuses no longer carry: one may be partial."""
MAX_UNKNOWN = 50
"""Unknown codes remembered per device."""
EVENT_FIELD = "code"
"""Where an error event carries its code, whatever the profile's statuses call theirs."""

_SEPARATORS = re.compile(r"[\s,;|/]+")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,19}")
"""A bit field in a text: registers have at most 64 bits."""


def _written(code: object) -> object:
    """A code that YAML takes for a number is the code that it looks like."""
    return str(code) if type(code) is int else code


class ErrorCodeRule(BaseRule):
    """See ``docs/rules.md``, "error_code". Severity, purpose, title and advice are the catalogue's."""

    kind: Literal["error_code"] = "error_code"
    hold: Duration = Field(default=timedelta(0), alias="for")
    """How long a code must be reported."""
    clear_for: Duration | None = None
    """How long a code must be gone; None: at once when the device says that nothing is wrong, after two reporting
    intervals when its statuses no longer carry it, after 24 hours when it came as an event and was not repeated."""
    encoding: Literal["code", "bits"] = "code"
    """``bits``: a number, also in a text, is a bit field, and the catalogue's ``0`` is its lowest bit."""
    codes: tuple[Annotated[str, BeforeValidator(_written)], ...] = ()
    """Only these codes; empty: all of the catalogue."""


class _Report(NamedTuple):
    """What one event says about codes."""

    present: frozenset[str]
    complete: bool
    """Whether it lists all codes, so that the others are gone."""
    explicit: bool
    """Whether it says so itself, rather than by leaving the field out."""


class ErrorCodeEvaluator(Evaluator):
    """Evaluates an ``ErrorCodeRule`` for one profile."""

    wakes = frozenset({Wake.VALUES, Wake.HEARD})

    def __init__(self, rule: ErrorCodeRule, profile: DeviceProfile) -> None:
        self._rule = rule
        self._stale_after = STALE_INTERVALS * profile.reporting_interval
        field = profile.error_field
        super().__init__(
            rule,
            profile,
            Fingerprint.of(rule, (rule.encoding, field), (rule.hold, rule.clear_for, self._stale_after)),
            reads=frozenset({field, f"{field}.*", EVENT_FIELD}),
        )

    def wants_heard(self, state: RuleState | None) -> bool:
        """While a code from a status is open, a status without the field matters too; so does a device's first."""
        return state is None or any(
            alert.is_open and alert.facts.get("source") == "status" for alert in state.alerts.values()
        )

    def step(self, moment: Moment, state: RuleState | None) -> tuple[RuleState | None, Sequence[Fact]]:
        """Advance one alert for each code that is reported or was."""
        report = self._report(moment)
        if report is None:
            return state, ()
        known = {code for code in report.present if code in self.profile.errors and self._wanted(code)}
        before = state.alerts if state else {}
        after = dict(before)
        facts: list[Fact] = []
        source = "event" if moment.event and moment.event.kind is EventKind.ERROR else "status"
        arriving = moment.arriving and state is None and (source == "status" or self._first_word(moment))
        for code in sorted(known | (set(before) if report.complete else set())):
            alert = before.get(code)
            if alert is None and code not in known:
                continue
            timing = self._timing(alert.facts.get("source", source) if alert else source, report.explicit)
            advanced, changes = alerts.sample(
                alert, code in known, code not in known, moment.at, timing, arriving=arriving
            )
            if code in known:
                advanced = self._described(advanced, code, source, moment.at)
            after[code] = advanced
            facts += self._facts(moment, code, alert, advanced, changes)
        # A resolved alert is told and over: the next report of the code begins a new one.
        after = {code: alert for code, alert in after.items() if alert.is_open}
        unknown = report.present - set(self.profile.errors)
        memory = _counted(state.memory if state else {}, unknown)
        return self._state(after, memory, report.explicit), facts

    def release(self, moment: Moment, state: RuleState) -> tuple[RuleState, Sequence[Fact]]:
        """Complete ``for`` and ``clear_for`` of each code."""
        after: dict[str, Alert] = {}
        facts: list[Fact] = []
        for code, alert in state.alerts.items():
            advanced, changes = alerts.release(alert, moment.at, self._timing(alert.facts["source"], False))
            facts += self._facts(moment, code, alert, advanced, changes)
            if advanced.is_open:
                after[code] = advanced
        return self._state(after, state.memory, False), facts

    def next_due(self, state: RuleState) -> datetime | None:
        """The earliest timer of its codes."""
        dues = [alerts.due_at(a, self._timing(a.facts["source"], False)) for a in state.alerts.values()]
        return min((due for due in dues if due is not None), default=None)

    def explain(self, context: DeviceContext, state: RuleState | None, at: datetime) -> dict[str, Any]:
        """The codes that are open, and those that the catalogue does not know."""
        return {
            "field": self.profile.error_field,
            "codes": sorted(state.alerts) if state else [],
            "unknown_codes": dict(state.memory.get("unknown", {})) if state else {},
        }

    def _report(self, moment: Moment) -> _Report | None:
        event = moment.event
        if event is None or event.kind is EventKind.PRESENCE:
            return None
        if event.kind is EventKind.ERROR:
            present = self._codes([moment.values.get(EVENT_FIELD, moment.values.get(self.profile.error_field, ""))])
            # An error event speaks of its own code; only "no error" speaks of all.
            return _Report(present, complete=not present, explicit=not present)
        field = self.profile.error_field
        said = [v for name, v in moment.values.items() if name == field or _is_item(name, field)]
        if said:
            return _Report(self._codes(said), complete=True, explicit=True)
        return _Report(frozenset(), complete=True, explicit=False) if event.kind is EventKind.STATUS else None

    def _codes(self, said: Iterable[Value]) -> frozenset[str]:
        found: set[str] = set()
        for value in said:
            field = _bit_field(value) if self._rule.encoding == "bits" else None
            if field is not None:
                found.update(str(bit) for bit in range(field.bit_length()) if field >> bit & 1)
                continue
            text = _text(value)
            parts = [text] if text in self.profile.errors else _SEPARATORS.split(text)
            found.update(p for p in parts if p in self.profile.errors or p.lower() not in NO_CODE)
        return frozenset(found)

    def _wanted(self, code: str) -> bool:
        return not self._rule.codes or code in self._rule.codes

    def _first_word(self, moment: Moment) -> bool:
        """An error event is news, save when it is the very first thing a device says."""
        event = moment.event
        return event is not None and event.received_at == moment.first_seen_at

    def _timing(self, source: str, explicit: bool) -> Timing:
        clear_for = self._rule.clear_for
        if source == "event":
            clear_for = REPEATS_WITHIN if clear_for is None else clear_for
            return Timing(self._rule.hold, timedelta(0) if explicit else clear_for, max(clear_for, self._stale_after))
        if clear_for is None:
            clear_for = timedelta(0) if explicit else CLEAR_INTERVALS * self.profile.reporting_interval
        return Timing(self._rule.hold, clear_for, self._stale_after)

    def _described(self, alert: Alert, code: str, source: str, at: datetime) -> Alert:
        meaning = self.profile.errors[code]
        facts = {
            "source": source,
            "severity": meaning.severity.value,
            "purpose": meaning.purpose.value,
            "title": dict(meaning.title),
            "advice": dict(meaning.advice),
        }
        firing_event = source == "event" and alert.state is AlertState.FIRING
        return replace(alert, facts=facts, clear_since=at if firing_event else alert.clear_since)

    def _facts(
        self, moment: Moment, code: str, before: Alert | None, after: Alert, changes: list[alerts.Change]
    ) -> list[Fact]:
        episode = before if before is not None and before.is_open else after
        return [
            self.transition(
                moment,
                change.state,
                episode,
                fault=code,
                at=change.at,
                code=code,
                field=self.profile.error_field,
                reason=change.reason,
                values={self.profile.error_field: code},
            )
            for change in changes
        ]

    def _state(self, open_alerts: dict[str, Alert], memory: Mapping[str, Any], explicit: bool) -> RuleState:
        state = RuleState(self.fingerprint, open_alerts, memory)
        return replace(state, due_at=self.next_due(state)) if open_alerts else state


def _bit_field(value: Value) -> int | None:
    """Read a number, also one that is written out: ``9``, ``"9"``, ``"0x09"``; None for what is a code."""
    if isinstance(value, str):
        text = value.strip()
        return int(text, 16 if text[:2] in ("0x", "0X") else 10) if _NUMBER.fullmatch(text) else None
    return None if isinstance(value, bool) else int(value)


def _text(value: Value) -> str:
    """Codes are compared as text; 17.0 is the code 17."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _is_item(name: str, field: str) -> bool:
    return name.startswith(f"{field}.") and name[len(field) + 1 :].isdigit()


def _counted(memory: Mapping[str, Any], unknown: frozenset[str]) -> Mapping[str, Any]:
    if not unknown:
        return memory
    counts = dict(memory.get("unknown", {}))
    for code in sorted(unknown):
        if code in counts or len(counts) < MAX_UNKNOWN:
            counts[code] = counts.get(code, 0) + 1
    return {**memory, "unknown": counts}
