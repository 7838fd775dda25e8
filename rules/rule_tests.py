"""Cases beside rules: given these samples, pending at…, firing at…, resolved at…, as promtool does for alerts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from device_models.duration import Duration, format_duration
from device_models.event import Event, EventKind, TimeSource, Value
from device_models.profile import DeviceProfile
from device_models.registry import Device
from device_models.yaml_lines import Document, FileError, InvalidFileError
from rules.detect import Detector
from rules.inputs import DeviceContext, Input, Serviced, Sweep
from rules.schema import RuleSet
from rules.state import DeviceState
from rules.transition import AlertState, Transition

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Time 0 of every case."""
MAX_SAMPLES = 100_000
"""Of one case, so that a slip of the pen in ``every`` does not run for an hour."""
_DEVICE = "device"


class Given(BaseModel):
    """One message, or the same one again and again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: Duration
    """Since the beginning of the case."""
    until: Duration | None = None
    every: Duration | None = None
    """With ``until``: repeated from ``at`` to ``until``, both included."""
    values: dict[str, float | int | str | bool] = Field(default_factory=dict)
    """A status with these values; without any other key it may be empty: a sign of life."""
    online: bool | None = None
    """A presence message instead: ``false`` is the LWT."""
    error: str | int | None = None
    """An error message with this code instead."""
    sweep: bool = False
    """A look at the service plans instead."""
    serviced: str | None = None
    """Somebody says that this service was done, instead."""

    @model_validator(mode="after")
    def _repeats_completely(self) -> Self:
        if (self.until is None) != (self.every is None):
            raise ValueError("until and every belong together")
        if self.every is not None and self.every <= timedelta(0):
            raise ValueError("every must be longer than 0")
        if self.until is not None and self.until < self.at:
            raise ValueError("until is before at")
        return self


class Case(BaseModel):
    """One case of one rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    rule: str
    profile: str | None = None
    """None: the rule's, which must name just one."""
    fault: str = ""
    """A code or a plan, for kinds with several alerts."""
    given: tuple[Given, ...]
    expect: dict[AlertState, tuple[Duration, ...]]
    """The times at which the rule enters each state; a state left out is not looked at, an empty list means never."""
    until: Duration | None = None
    """How long the case runs; None: until a minute after the last time named in it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case."""

    name: str
    line: int
    failures: tuple[str, ...]
    """Sentences; empty: passed."""


def read_cases(document: Document) -> list[tuple[Case, int]]:
    """Return the cases under ``tests`` with their lines; raises InvalidFileError with every error found."""
    data = document.data if isinstance(document.data, dict) else {}
    items = data.get("tests") or []
    errors: list[FileError] = []
    cases: list[tuple[Case, int]] = []
    if not isinstance(items, list):
        raise InvalidFileError([document.error(("tests",), "must be a list of cases")])
    for index, item in enumerate(items):
        try:
            cases.append((Case.model_validate(item), document.mark(("tests", index))[0]))
        except ValidationError as error:
            errors.extend(document.errors_of(error, ("tests", index)))
    if errors:
        raise InvalidFileError(errors)
    return cases


def run_case(case: Case, line: int, ruleset: RuleSet, profiles: Mapping[str, DeviceProfile]) -> Outcome:
    """Run one case through the very engine; what cannot be run is a failure with its reason."""
    try:
        rule = ruleset[case.rule]
    except KeyError:
        return Outcome(case.name, line, (f"there is no rule '{case.rule}'",))
    names = (case.profile,) if case.profile else rule.profile
    if len(names) != 1 or names[0] not in profiles:
        return Outcome(case.name, line, (f"profile: name one of {', '.join(sorted(profiles))}",))
    profile = profiles[names[0]]
    items = sorted(_inputs(case), key=lambda pair: pair[0])
    if len(items) > MAX_SAMPLES:
        return Outcome(case.name, line, (f"given: makes more than {MAX_SAMPLES} messages",))
    named = [at for times in case.expect.values() for at in times] + [at for at, _ in items]
    until = case.until or max(named, default=timedelta(0)) + timedelta(minutes=1)
    device = DeviceContext(Device(id=_DEVICE, profile=profile.name), profile)
    detector = Detector(RuleSet.of([rule]), {profile.name: profile})
    _, facts = detector.run(device, DeviceState(), (item for _, item in items), until=EPOCH + until)
    entered = [
        (fact.state, fact.at - EPOCH) for fact in facts if isinstance(fact, Transition) and fact.fault == case.fault
    ]
    failures = []
    for state, expected in case.expect.items():
        found = tuple(at for reached, at in entered if reached is state)
        if found != expected:
            failures.append(f"{state.value}: expected {_times(expected)}, was {_times(found)}")
    return Outcome(case.name, line, tuple(failures))


def _inputs(case: Case) -> Iterator[tuple[timedelta, Input]]:
    count = 0
    for given in case.given:
        at = given.at
        while count <= MAX_SAMPLES:
            count += 1
            yield at, _input(given, EPOCH + at)
            if given.every is None or given.until is None or at + given.every > given.until:
                break
            at += given.every


def _input(given: Given, at: datetime) -> Input:
    if given.sweep:
        return Sweep(_DEVICE, at)
    if given.serviced is not None:
        return Serviced(_DEVICE, given.serviced, at)
    values: dict[str, Value] = dict(given.values)
    kind = EventKind.STATUS
    if given.online is not None:
        kind, values = EventKind.PRESENCE, {"online": given.online}
    elif given.error is not None:
        kind, values = EventKind.ERROR, {"code": given.error}
    return Event(_DEVICE, kind, at, at, TimeSource.DEVICE, "test", values)


def _times(times: tuple[Any, ...]) -> str:
    return ", ".join(format_duration(at) for at in times) or "never"
