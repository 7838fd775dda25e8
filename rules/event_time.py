"""Whose clock says when, what is late by it, and what waits for what may still come before it.

One watermark per device and clock: a device with a wrong clock makes nobody else late, and a message that had to be
stamped on arrival does not make the device's own stamps late.
"""

from bisect import insort
from collections.abc import Callable
from datetime import datetime, timedelta

from device_models.event import Event, EventKind, TimeSource
from rules.state import DeviceState

DEVICE, DEVICE_FIX, ARRIVAL, ARRIVAL_FIX = "device", "device.fix", "arrival", "arrival.fix"
"""The clocks, as ``DeviceState.watermarks`` names them."""
CLOCKS_AGREE = timedelta(minutes=2)
"""By how much GPS may be ahead of the device's clock and still be taken for the same time."""
MAX_HELD = 1000
"""Events held back per device; beyond it the oldest are let go early, so that memory stays bounded."""


def clock_of(event: Event) -> str:
    """Name the clock of an event's stamp. Fixes are stamped by GPS, apart from what the device's own clock stamps."""
    if event.time_source is TimeSource.DEVICE:
        return DEVICE_FIX if event.kind is EventKind.LOCATION else DEVICE
    return ARRIVAL_FIX if event.kind is EventKind.LOCATION else ARRIVAL


def note_lag(draft: DeviceState, event: Event, lateness: timedelta) -> None:
    """Take note of how far the log's time is ahead of the device's stamps.

    What is stamped on arrival, or by GPS, says nothing about the clock of a device that stamps the rest itself.
    """
    if event.kind is EventKind.LOCATION and DEVICE in draft.watermarks:
        return
    if event.time_source is TimeSource.DEVICE:
        draft.wait = event.received_at - event.observed_at + lateness
    elif DEVICE not in draft.watermarks:
        draft.wait = lateness


def is_late(state: DeviceState, event: Event) -> bool:
    """Tell whether something later was taken in already by the same clock: then the event is history only."""
    watermark = state.watermarks.get(clock_of(event))
    return watermark is not None and event.observed_at < watermark


def rule_time(state: DeviceState, event: Event, lateness: timedelta) -> datetime:
    """Return the time at which an event acts on rules: the device's, and never backwards.

    What was stamped on arrival, such as a will, is brought into the time of a device that stamps the rest itself:
    otherwise a clock that is an hour slow would see its timers end an hour early. So is a fix that GPS stamped when
    such a clock is slow: at its own time it would be ahead of all that the device says for the next hour, and every
    duration would stand still until then.
    """
    at = event.observed_at
    if DEVICE in state.watermarks:
        if event.time_source is TimeSource.ARRIVAL:
            at -= state.wait
        elif event.kind is EventKind.LOCATION:
            by_its_clock = event.received_at - state.wait + lateness
            at = by_its_clock if at - by_its_clock > CLOCKS_AGREE else at
    return at if state.rule_time is None or at > state.rule_time else state.rule_time


def hold(draft: DeviceState, event: Event, lateness: timedelta, take: Callable[[Event], None]) -> None:
    """Keep an event back and take those that are older than the newest by ``lateness``; a tick takes the others."""
    held = list(draft.held)
    insort(held, event, key=_order)
    draft.held = tuple(held)
    if held[-1] is event:
        note_lag(draft, event, lateness)
    let_go(draft, held[-1].observed_at - lateness, take)
    while len(draft.held) > MAX_HELD:
        let_go(draft, draft.held[0].observed_at, take)


def let_go(draft: DeviceState, until: datetime, take: Callable[[Event], None]) -> None:
    """Take the held events observed at or before ``until``, in the order of their stamps."""
    while draft.held and draft.held[0].observed_at <= until:
        event = draft.held[0]
        draft.held = draft.held[1:]
        take(event)


def _order(event: Event) -> datetime:
    return event.observed_at
