"""What ``rules.authoring.suggestion`` learns from: verdicts in the store, and what was recorded around their cases."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from device_models.profile import DeviceProfile
from device_models.registry import Device
from gateway.history import History
from gateway.replay import replay
from gateway.store import schema
from gateway.store.verdicts import verdicts
from gateway.web.wording import moment
from rules.authoring.precision import Verdict
from rules.recordings.judged import Episode, Recording, Sample
from rules.transition import AlertState

BEFORE = timedelta(days=1)
"""Recorded time read before each case: a longer ``for`` or another limit may fire earlier."""
AFTER = timedelta(hours=1)
MOST_SAMPLES = 1_000_000
"""Read for one rule; the newest cases first."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What there is to learn from, for one rule."""

    episodes: Sequence[Episode]
    """Those that something was recorded of."""
    recording: Recording
    unrecorded: int
    """Judged cases of which the history keeps nothing (any more)."""


def episodes_of(connection: sa.Connection, rule: str, since: datetime, now: datetime) -> list[Episode]:
    """Read the judged cases of a rule, also those there would have been in shadow, the newest first."""
    v, c, t = verdicts, schema.cases, schema.transitions
    judged = (
        sa.select(v.c.device_id, v.c.verdict, v.c.fired_at, c.c.resolved_at, c.c.explanation, t.c.explanation)
        .select_from(v.outerjoin(c, c.c.id == v.c.case_id).outerjoin(t, t.c.id == v.c.transition_id))
        .where(v.c.rule == rule, v.c.fired_at >= since, v.c.verdict != Verdict.DUPLICATE.value)
        .order_by(v.c.fired_at.desc())
    )
    found = []
    for device_id, verdict, fired_at, closed_at, of_case, of_transition in connection.execute(judged).all():
        explanation = of_case or of_transition or {}
        begins = moment(explanation["since"]) if explanation.get("since") else None
        # When the device was over it; somebody may have closed the case at another time.
        over = sa.select(sa.func.min(t.c.at, type_=t.c.at.type)).where(
            t.c.device_id == device_id,
            t.c.rule == rule,
            t.c.at >= fired_at,
            t.c.state == AlertState.RESOLVED.value,
        )
        ends = connection.execute(over).scalar() or closed_at or now
        found.append(Episode(device_id, verdict == Verdict.REAL.value, min(begins or fired_at, fired_at), ends))
    return found


async def read_lesson(
    history: History,
    episodes: Sequence[Episode],
    reads: Collection[str],
    devices: Mapping[str, Device],
    profiles: Mapping[str, DeviceProfile],
) -> Lesson:
    """Read what devices said around ``episodes``, of the fields in ``reads``. Raises HistoryError."""
    wanted: defaultdict[str, list[Episode]] = defaultdict(list)
    for episode in episodes:
        wanted[episode.device_id].append(episode)
    samples: dict[str, list[Sample]] = {}
    kept: list[Episode] = []
    size = 0
    for device_id, of_device in wanted.items():
        if size >= MOST_SAMPLES:
            break
        said: list[Sample] = []
        for begins, ends in _spans(of_device):
            said.extend([(e.observed_at, e.values) async for e in replay(history, device_id, begins, ends, reads)])
        samples[device_id] = said
        size += len(said)
        kept += [e for e in of_device if any(e.begins <= at <= e.ends for at, _ in said)]
    order = {id(episode): index for index, episode in enumerate(episodes)}
    kept.sort(key=lambda episode: order[id(episode)])
    return Lesson(kept, Recording(samples, devices, profiles), len(episodes) - len(kept))


def _spans(episodes: Sequence[Episode]) -> list[tuple[datetime, datetime]]:
    """Join what overlaps, so that no sample is read twice."""
    spans: list[tuple[datetime, datetime]] = []
    for begins, ends in sorted((e.begins - BEFORE, e.ends + AFTER) for e in episodes):
        if spans and begins <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], ends))
        else:
            spans.append((begins, ends))
    return spans
