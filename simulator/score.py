"""How well the gateway did, against what really happened."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from simulator.truth import Fault

AFTERMATH = timedelta(hours=2)
"""A case that opens this long after the mend is still about the fault: what warmed up must cool down again."""
NOT_ALARMS = frozenset({"maintenance", "proximity", "geofence"})
"""Kinds of rule whose cases announce something instead of finding it."""
_NOT_WARNINGS = frozenset({"maintenance", "offer", "news"})
"""Purposes of messages that warn of nothing, where it is not known which case they belong to."""


@dataclass(frozen=True, slots=True)
class Score:
    """Six figures, in simulated seconds, and what was missed."""

    faults_injected: int
    faults_detected: int
    false_cases: int
    p50_detect_s: float | None
    """Median from the cause to its case; None where nothing was detected."""
    p50_lead_s: float | None
    """Median from the customer being told to the harm; negative: told too late. None where nobody was told."""
    told_before_harm: int
    missed: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Cause → devices or sites whose fault got no case."""

    def as_dict(self) -> dict[str, int | float | None]:
        """Return the six figures as ``demo --json`` prints them."""
        return {
            "faults_injected": self.faults_injected,
            "faults_detected": self.faults_detected,
            "false_cases": self.false_cases,
            "p50_detect_s": self.p50_detect_s,
            "p50_lead_s": self.p50_lead_s,
            "told_before_harm": self.told_before_harm,
        }


@dataclass(frozen=True, slots=True)
class _Alarm:
    case_id: object
    device_id: str
    opened_at: datetime
    told_at: datetime | None


def score(faults: Sequence[Fault], cases: Iterable[Mapping[str, Any]], messages: Iterable[Mapping[str, Any]]) -> Score:
    """Compare cases and messages with the faults of a ``TruthLog``.

    Args:
        faults: ``TruthLog.faults``.
        cases: ``device_id``, ``opened_at`` (event time), optionally ``id``, ``kind`` (the rule's) and ``told_at``;
            times are datetimes or RFC 3339 text. Due services and visits near shops are no alarms and left out.
        messages: ``device_id``, ``told_at`` (None: never handed over), optionally ``case_id`` and ``purpose``.

    A fault is detected by the first case on one of its devices between the cause and ``AFTERMATH`` after the mend; a
    case that no fault explains so is false. A customer counts as told from the first message about such a device.
    """
    alarms = [_alarm(case) for case in cases if case.get("device_id") and case.get("kind") not in NOT_ALARMS]
    alarming = {alarm.case_id for alarm in alarms if alarm.case_id is not None}
    told = [
        (str(message["device_id"]), at)
        for message in messages
        if message.get("device_id") and _warns(message, alarming)
        if (at := _time(message.get("told_at"))) is not None
    ]
    detect_s, lead_s, missed = [], [], dict[str, list[str]]()
    for fault in faults:
        own = [alarm for alarm in alarms if _explains(fault, alarm.device_id, alarm.opened_at)]
        if not own:
            missed.setdefault(str(fault.cause), []).append(fault.device_id)
            continue
        detect_s.append((min(alarm.opened_at for alarm in own) - fault.at).total_seconds())
        times = [at for device_id, at in told if _explains(fault, device_id, at)]
        times += [alarm.told_at for alarm in own if alarm.told_at is not None]
        harm_at = fault.harm_at or fault.unwarned_harm_at
        if times and harm_at is not None:
            lead_s.append((harm_at - min(times)).total_seconds())
    return Score(
        faults_injected=len(faults),
        faults_detected=len(detect_s),
        false_cases=sum(not any(_explains(f, alarm.device_id, alarm.opened_at) for f in faults) for alarm in alarms),
        p50_detect_s=median(detect_s) if detect_s else None,
        p50_lead_s=median(lead_s) if lead_s else None,
        told_before_harm=sum(lead > 0 for lead in lead_s),
        missed=missed,
    )


def _explains(fault: Fault, device_id: str, at: datetime) -> bool:
    if device_id != fault.device_id and device_id not in fault.devices:
        return False
    return fault.at <= at and (fault.mended_at is None or at <= fault.mended_at + AFTERMATH)


def _warns(message: Mapping[str, Any], alarming: Set[object]) -> bool:
    if message.get("case_id") is not None:
        return message["case_id"] in alarming
    return message.get("purpose") not in _NOT_WARNINGS


def _alarm(case: Mapping[str, Any]) -> _Alarm:
    opened_at = _time(case["opened_at"])
    if opened_at is None:
        raise ValueError("opened_at: is missing in a case")
    return _Alarm(case.get("id"), str(case["device_id"]), opened_at, _time(case.get("told_at")))


def _time(value: object) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value if isinstance(value, datetime) else None
