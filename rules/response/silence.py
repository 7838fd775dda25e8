"""Silence: a person mutes some alerts for a time, once or at the same hours each week (a maintenance window).

From life: the kitchen is painted, so the freezers' doors stand open until two o'clock; each Sunday night the hotel's
cold rooms are washed out. Nobody is to be called for that, and a fault that outlasts it is to be heard of at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from device_models.purpose import Purpose
from device_models.registry import Device
from rules.response.withheld import Withheld
from rules.transition import Transition


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same hours on some days of each week, by the wall clock of a zone."""

    days: frozenset[int]
    """0 is Monday; the day on which the window begins."""
    begins: time
    ends: time
    """At or before ``begins``: on the next day."""
    zone: str
    """IANA name."""

    def until(self, at: datetime) -> datetime | None:
        """Return when the window that holds ``at`` ends, UTC; None outside of them."""
        zone = ZoneInfo(self.zone)
        today = at.astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if day.weekday() not in self.days:
                continue
            last = day + timedelta(days=1) if self.ends <= self.begins else day
            # In UTC, so that the night on which the clocks change is as long as it is.
            begins = datetime.combine(day, self.begins, zone).astimezone(UTC)
            ends = datetime.combine(last, self.ends, zone).astimezone(UTC)
            if begins <= at < ends:
                return ends
        return None


@dataclass(frozen=True, slots=True)
class Silence:
    """What is muted, by whom, why and until when. All that is given must match; None matches anything."""

    id: int
    author: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    """When it expires, also a weekly one: nobody remembers what was muted for ever."""
    device_id: str | None = None
    site: str | None = None
    profile: str | None = None
    customer_id: str | None = None
    rule: str | None = None
    weekly: Weekly | None = None
    safety: bool = False
    """Whether it mutes alerts about safety too."""
    ended_at: datetime | None = None
    """When somebody ended it early."""

    def matches(self, transition: Transition, device: Device | None) -> bool:
        """Tell whether it is about a transition's alert; ``device`` None: not registered (any more)."""
        if transition.purpose is Purpose.SAFETY and not self.safety:
            return False
        wanted = (
            (self.device_id, transition.device_id),
            (self.rule, transition.rule),
            (self.site, device.site if device else None),
            (self.profile, device.profile if device else None),
            (self.customer_id, device.customer_id if device else None),
        )
        return all(want is None or want == has for want, has in wanted)

    def until(self, at: datetime) -> datetime | None:
        """Return until when it mutes without a break, seen from ``at``; None where it does not mute then."""
        ends_at = self.ends_at if self.ended_at is None else min(self.ends_at, self.ended_at)
        if not self.starts_at <= at < ends_at:
            return None
        if self.weekly is None:
            return ends_at
        window = self.weekly.until(at)
        return None if window is None else min(window, ends_at)


def silence_of(silences: Iterable[Silence], transition: Transition, device: Device | None) -> Withheld | None:
    """Return what mutes a firing ``transition`` at ``transition.at``: of several the one that lasts longest."""
    found = [
        (until, silence.id, silence)
        for silence in silences
        if silence.matches(transition, device) and (until := silence.until(transition.at)) is not None
    ]
    if not found:
        return None
    until, _, silence = max(found, key=lambda entry: entry[:2])
    reason = {"silence": silence.id, "author": silence.author, "reason": silence.reason}
    return Withheld("silence", f"silence:{silence.id}", until, reason)
