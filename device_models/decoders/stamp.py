"""A device's own stamp: which forms it takes, and when it is not believed."""

from datetime import UTC, datetime, timedelta
from typing import Any

from device_models.decoders.payload import kind_of, shown
from device_models.decoders.protocol import DecodeContext
from device_models.event import Message, TimeSource

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""A clock that was never set starts at 1970 (Unix), 1980 (GPS) or 2000 (some real-time clocks)."""
_MILLISECONDS_FROM = 100_000_000_000
"""Epoch seconds reach this in the year 5138, epoch milliseconds in March 1973."""

Observed = tuple[datetime, TimeSource, str | None]
"""When it was observed (aware UTC), by whose clock, and a note where the device's stamp was not used."""


def observe(stamp: Any, message: Message, context: DecodeContext, field: str = "ts") -> Observed:
    """Decide when a message's content was observed.

    ``stamp`` is RFC 3339 (a missing zone is the context's; of an hour that passes twice, the one nearest the arrival),
    or epoch seconds or milliseconds as number or digits; None where the device sent none. The arrival time is used,
    with a note that names ``field``, for a stamp that is none of these, lies before the year 2000 or more than
    ``context.future_bound`` after the arrival.
    """
    arrival = message.received_at
    if stamp is None:
        return arrival, TimeSource.ARRIVAL, None
    at = _read(stamp, arrival, context)
    if isinstance(at, str):
        return arrival, TimeSource.ARRIVAL, f"{field}: {at}; the arrival time is used"
    if at - arrival > context.future_bound:
        ahead = timedelta(seconds=round((at - arrival).total_seconds()))
        reason = f"{at:%Y-%m-%dT%H:%M:%SZ} is {ahead} after its arrival"
    elif at < EARLIEST:
        reason = f"{at:%Y-%m-%dT%H:%M:%SZ} is before the year 2000, a clock that was not set"
    else:
        return at, TimeSource.DEVICE, None
    return arrival, TimeSource.ARRIVAL, f"{field}: {reason}; the arrival time is used"


def _read(stamp: Any, arrival: datetime, context: DecodeContext) -> datetime | str:
    """Return the aware UTC time, or why there is none."""
    kind = type(stamp)
    if kind is int or kind is float:
        return _from_epoch(stamp)
    if kind is not str:
        return f"is {kind_of(stamp)}, not a time"
    # A date alone is no instant, and fromisoformat would take it as midnight.
    if len(stamp) >= 16 and stamp[10] in "Tt ":
        return _from_text(stamp, arrival, context)
    try:
        return _from_epoch(float(stamp))
    except ValueError:
        return f"{shown(stamp)} is no time; send RFC 3339 or epoch seconds or milliseconds"


def _from_epoch(epoch: float) -> datetime | str:
    try:
        return datetime.fromtimestamp(epoch / 1000 if abs(epoch) >= _MILLISECONDS_FROM else epoch, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{epoch:.3g} is no epoch time"


def _from_text(text: str, arrival: datetime, context: DecodeContext) -> datetime | str:
    try:
        # RFC 3339 §5.6 allows t and z in lower case, fromisoformat does not.
        at = datetime.fromisoformat(text.upper() if text[-1] == "z" else text)
    except ValueError:
        return f"{shown(text)} is no RFC 3339 time"
    if at.tzinfo is UTC:
        return at
    if at.tzinfo is None:
        if context.timezone is None:
            return "has no time zone and none is configured"
        at = at.replace(tzinfo=context.timezone)
    try:
        earlier, later = at.astimezone(UTC), at.replace(fold=1).astimezone(UTC)
    except OverflowError:
        return f"{shown(text)} is no time that a calendar holds"
    # When clocks are turned back an hour passes twice. Taken for the first every time, the second would be late, and
    # its device unheard for an hour; so it is the last that can have been when the message arrived.
    return later if at.fold == 0 and earlier < later <= arrival + context.future_bound else earlier
