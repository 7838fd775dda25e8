"""Cases beside rules: given these samples, pending at…, firing at…, resolved at…, as promtool does for alerts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from device_models.duration import Duration, format_duration
from device_models.event import Event, EventKind, Position, TimeSource, Value
from device_models.profile import DeviceProfile
from device_models.registry import Device, Latitude, Longitude, Shop, ZoneName
from device_models.sentences import sentence
from device_models.yaml_lines import Document, FileError, InvalidFileError
from rules.detect import Detector
from rules.evaluator import Fact
from rules.inputs import DeviceContext, Input, Serviced, Sweep
from rules.kinds.approach import NotCounted
from rules.kinds.fleet import FleetRule
from rules.schema import RuleSet
from rules.spatial_index import ShopIndex
from rules.state import DeviceState
from rules.transition import AlertState, Transition

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Time 0 of every case."""
MAX_SAMPLES = 100_000
"""Of one case, so that a slip of the pen in ``every`` does not run for an hour."""
_DEVICE = "device"


class GivenFix(BaseModel):
    """A position as a case writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latitude: Latitude
    longitude: Longitude
    accuracy_m: float | None = Field(default=None, ge=0)
    speed_m_s: float | None = Field(default=None, ge=0)

    def position(self) -> Position:
        """Return it as an event has it."""
        return Position(self.latitude, self.longitude, self.accuracy_m, speed_m_s=self.speed_m_s)


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
    fix: GivenFix | None = None
    """A location message with this position; ``values`` may come with it."""
    sweep: bool = False
    """A look at the service plans instead."""
    serviced: str | None = None
    """Somebody says that this service was done, instead."""

    @model_validator(mode="after")
    def _repeats_completely(self) -> Self:
        if (self.until is None) != (self.every is None):
            raise ValueError(sentence("until and every belong together"))
        if self.every is not None and self.every <= timedelta(0):
            raise ValueError(sentence("every must be longer than 0"))
        if self.until is not None and self.until < self.at:
            raise ValueError(sentence("until is before at"))
        if self.fix is not None and (self.online is not None or self.error is not None):
            raise ValueError(sentence("fix goes with values, not with online or error"))
        return self


class Case(BaseModel):
    """One case of one rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    rule: str
    profile: str | None = None
    """None: the rule's, which must name just one."""
    fault: str = ""
    """A code, a plan or a zone, for kinds with several alerts; for ``proximity`` the shop that was visited."""
    shops: tuple[Shop, ...] = ()
    """What a ``proximity`` rule looks in."""
    latitude: Latitude | None = None
    """Where the device is registered, for ``site_radius_m``."""
    longitude: Longitude | None = None
    given: tuple[Given, ...]
    expect: dict[AlertState, tuple[Duration, ...]]
    """The times at which the rule enters each state; a state left out is not looked at, an empty list means never."""
    timezone: ZoneName = "UTC"
    """Where the device stands, for ``hour_local()``; the case begins at midnight UTC, on a Thursday."""
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
        raise InvalidFileError([document.error(("tests",), sentence("must be a list of cases"))])
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
        return Outcome(case.name, line, (sentence("there is no rule '{1}'", case.rule),))
    if isinstance(rule, FleetRule):
        many = sentence("a fleet rule counts many devices; try it with gateway rules backtest")
        return Outcome(case.name, line, (many,))
    names = (case.profile,) if case.profile else rule.profile
    if len(names) != 1 or names[0] not in profiles:
        return Outcome(case.name, line, (sentence("profile: name one of {1}", ", ".join(sorted(profiles))),))
    profile = profiles[names[0]]
    items = sorted(_inputs(case), key=lambda pair: pair[0])
    if len(items) > MAX_SAMPLES:
        return Outcome(case.name, line, (sentence("given: makes more than {1} messages", MAX_SAMPLES),))
    named = [at for times in case.expect.values() for at in times] + [at for at, _ in items]
    until = case.until or max(named, default=timedelta(0)) + timedelta(minutes=1)
    # Whether an owner agreed is not what a case asks; without it no fix would be looked at.
    device = DeviceContext(
        Device(id=_DEVICE, profile=profile.name, latitude=case.latitude, longitude=case.longitude),
        profile,
        location_consent=True,
        zone=ZoneInfo(case.timezone),
    )
    detector = Detector(RuleSet.of([rule]), {profile.name: profile}, ShopIndex(case.shops))
    _, facts = detector.run(device, DeviceState(), (item for _, item in items), until=EPOCH + until)
    entered = [(state, fact.at - EPOCH) for fact in facts if (state := _entered(fact, case.fault)) is not None]
    failures = []
    for state, expected in case.expect.items():
        found = tuple(at for reached, at in entered if reached is state)
        if found != expected:
            failures.append(sentence("{1}: expected {2}, was {3}", state.value, _times(expected), _times(found)))
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
    position = given.fix.position() if given.fix else None
    if position is not None:
        kind = EventKind.LOCATION
    return Event(_DEVICE, kind, at, at, TimeSource.DEVICE, "test", values, position=position)


def _entered(fact: Fact, fault: str) -> AlertState | None:
    """Return the state that a fact is the beginning of; a visit that counts fires, and resolves when they left."""
    if isinstance(fact, Transition):
        return fact.state if fact.fault == fault else None
    if fact.shop_id != fault:
        return None
    if fact.withheld is None:
        return AlertState.FIRING
    return AlertState.RESOLVED if fact.withheld == NotCounted.LEFT else None


def _times(times: tuple[Any, ...]) -> str:
    return ", ".join(format_duration(at) for at in times) or sentence("never")
