"""Which rules an event wakes: the rules of one profile, made ready and indexed by what they look at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from device_models.event import Event, EventKind, Value
from device_models.profile import DeviceProfile
from device_models.reading import FieldReader
from rules.base import BaseRule
from rules.conditions.functions import Call, Window
from rules.evaluator import Clock, Evaluator, Wake
from rules.kinds.absent import AbsentEvaluator, AbsentRule
from rules.kinds.anomaly import AnomalyEvaluator, AnomalyRule
from rules.kinds.change import ChangeEvaluator, ChangeRule
from rules.kinds.condition import STALE_INTERVALS, ConditionRule
from rules.kinds.error_code import ErrorCodeEvaluator, ErrorCodeRule
from rules.kinds.fleet import FleetRule
from rules.kinds.forecast import ForecastEvaluator, ForecastRule
from rules.kinds.geofence import GeofenceRule
from rules.kinds.graded import condition_evaluator
from rules.kinds.guarding import GeofenceEvaluator
from rules.kinds.maintenance import MaintenanceEvaluator, MaintenanceRule
from rules.kinds.proximity import ProximityRule
from rules.kinds.sequence import SequenceEvaluator, SequenceRule
from rules.kinds.visiting import ProximityEvaluator
from rules.kinds.zones import ZonesEvaluator
from rules.override import Applied
from rules.spatial_index import ShopIndex

MAX_SHAPES = 1024
"""Shapes of events remembered per profile, so that which rules an event wakes is looked up and not worked out."""


@dataclass(frozen=True, slots=True)
class Woken:
    """What an event of one shape wakes."""

    evaluators: tuple[Evaluator, ...]
    hearing: tuple[Evaluator, ...]
    """Those that any event wakes while they want it."""
    variables: tuple[tuple[str, str], ...]
    """(field, CEL variable) of all their expressions."""
    calls: tuple[Call, ...]
    """What they call of our functions."""
    windows: tuple[Window, ...]
    """Those that look back on one of its fields, whatever rule they are for."""


class Plan:
    """The rules of one profile, for the devices to which the same overrides apply."""

    def __init__(
        self, rules: Iterable[Applied], profile: DeviceProfile, shops: ShopIndex | None, version: str = ""
    ) -> None:
        self.version = version
        """A state made under another one is reconciled before anything else."""
        self.off: dict[str, str] = {}
        """Why rules that would apply to the profile do not apply here, by id."""
        self.reader = FieldReader(profile)
        self.evaluators: dict[str, Evaluator] = {}
        for applied in rules:
            rule = applied.rule
            if isinstance(rule, FleetRule) or not applied.applies_to(profile.name):
                continue
            if rule is None:
                self.off[applied.id] = applied.why
                continue
            evaluator = self.evaluators[rule.id] = evaluator_for(rule, profile, shops)
            evaluator.override = applied.told
        every = tuple(self.evaluators.values())
        self.on_arrival = tuple(e for e in every if e.clock is Clock.ARRIVAL)
        """Those in arrival time, which look at presence alone."""
        self.on_sweep = tuple(e for e in every if Wake.SWEEP in e.wakes)
        self.variables = _variables(every)
        self.calls = _calls(every)
        self.windows = {call.window.key: call.window for call in self.calls if call.window is not None}
        """By key: all that is to be remembered of a device beside what rules remember themselves."""
        self.longest_gap_s = (STALE_INTERVALS * profile.reporting_interval).total_seconds()
        self._on_event = tuple(e for e in every if e.clock is Clock.EVENT)
        self._shapes: dict[tuple[EventKind, bool, tuple[str, ...]], Woken] = {}

    def woken(self, event: Event, values: Mapping[str, Value]) -> Woken:
        """Return what an event that brings these values wakes."""
        shape = (event.kind, event.position is not None, tuple(values))
        woken = self._shapes.get(shape)
        if woken is None:
            if len(self._shapes) >= MAX_SHAPES:
                self._shapes.clear()
            woken = self._shapes[shape] = self._wakes(event, values)
        return woken

    def _wakes(self, event: Event, values: Iterable[str]) -> Woken:
        names = set(values)
        names |= {f"{name.rpartition('.')[0]}.*" for name in names if name.rpartition(".")[2].isdigit()}
        evaluators = tuple(
            e
            for e in self._on_event
            if (Wake.VALUES in e.wakes and not names.isdisjoint(e.reads))
            or (Wake.FIX in e.wakes and event.position is not None)
        )
        hearing = tuple(e for e in self._on_event if Wake.HEARD in e.wakes and e not in evaluators)
        windows = tuple(window for window in self.windows.values() if window.field in names)
        return Woken(evaluators, hearing, _variables(evaluators), _calls(evaluators), windows)


def evaluator_for(rule: BaseRule, profile: DeviceProfile, shops: ShopIndex | None) -> Evaluator:
    """Make a rule ready for the devices of one profile."""
    match rule:
        case ConditionRule():
            return condition_evaluator(rule, profile)
        case AbsentRule():
            return AbsentEvaluator(rule, profile)
        case AnomalyRule():
            return AnomalyEvaluator(rule, profile)
        case ChangeRule():
            return ChangeEvaluator(rule, profile)
        case ErrorCodeRule():
            return ErrorCodeEvaluator(rule, profile)
        case ForecastRule():
            return ForecastEvaluator(rule, profile)
        case GeofenceRule():
            return ZonesEvaluator(rule, profile) if rule.zones else GeofenceEvaluator(rule, profile)
        case MaintenanceRule():
            return MaintenanceEvaluator(rule, profile)
        case SequenceRule():
            return SequenceEvaluator(rule, profile)
        case ProximityRule():
            return ProximityEvaluator(rule, profile, shops or ShopIndex(()))
        case _:
            raise TypeError(f"{type(rule).__name__} is no kind of rule that detection knows")


def _calls(evaluators: Iterable[Evaluator]) -> tuple[Call, ...]:
    calls = (call for evaluator in evaluators for expression in evaluator.expressions for call in expression.calls)
    return tuple({call.variable: call for call in calls}.values())


def _variables(evaluators: Iterable[Evaluator]) -> tuple[tuple[str, str], ...]:
    pairs: dict[tuple[str, str], Any] = {}
    for evaluator in evaluators:
        for expression in evaluator.expressions:
            pairs |= dict.fromkeys(expression.variables)
    return tuple(pairs)
