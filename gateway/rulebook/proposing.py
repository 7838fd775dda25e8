"""A test for a rule that is yet to be written, out of a fault that a person reported and no rule saw.

What the device said before is what such a rule would have had to go by: it becomes the ``given`` of a case for
``gateway rules test``, to be finished by whoever writes the rule.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import yaml

from device_models.duration import format_duration
from device_models.event import EventKind, Value
from gateway.history import History
from gateway.replay import replay

LOOKED_BACK = timedelta(hours=6)
"""How long before the report what was said is taken."""
MOST_SAMPLES = 240
"""Of a case; more are gathered, the last of each value standing for its time."""
_NOT_WRITTEN = "the-rule-to-be-written"


@dataclass(frozen=True, slots=True)
class Missed:
    """A fault that was reported."""

    case_id: int
    title: str
    device_id: str
    profile: str
    reported_at: datetime


async def propose_test(history: History, missed: Missed) -> str:
    """Write the case as a YAML file; with nothing recorded its ``given`` is empty, and says so. Raises HistoryError."""
    since = missed.reported_at - LOOKED_BACK
    said: dict[timedelta, dict[str, Value]] = {}
    step = LOOKED_BACK / MOST_SAMPLES
    async for event in replay(history, missed.device_id, since, missed.reported_at):
        if event.kind is EventKind.STATUS:
            at = _in_seconds(step * ((event.observed_at - since) // step))
            said.setdefault(at, {}).update(event.values)
    case = {
        "name": f"Case {missed.case_id}: {missed.title}",
        "rule": _NOT_WRITTEN,
        "profile": missed.profile,
        "given": [{"at": format_duration(at), "values": values} for at, values in said.items()],
        "expect": {"firing": [format_duration(_in_seconds(LOOKED_BACK))]},
    }
    written = yaml.safe_dump({"tests": [case]}, allow_unicode=True, sort_keys=False, default_flow_style=None, width=120)
    return "".join(f"# {line}\n" for line in _remarks(missed, since, len(said))) + written


def _remarks(missed: Missed, since: datetime, samples: int) -> list[str]:
    before = format_duration(LOOKED_BACK)
    reported = f"{missed.reported_at:%Y-%m-%d %H:%M} UTC"
    found = f"What {missed.device_id} said in the {before} before it was reported at {reported}"
    return [
        f"A fault that no rule saw: case {missed.case_id}.",
        f"{found}, from {since:%H:%M} on." if samples else f"{found}: nothing was recorded.",
        "Name the rule that ought to have fired, and when it ought to have; then: gateway rules test FILE",
    ]


def _in_seconds(span: timedelta) -> timedelta:
    return timedelta(seconds=round(span.total_seconds()))
