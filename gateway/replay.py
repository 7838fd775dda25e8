"""The gateway's own history as recorded samples, for backtests and for explaining a moment that has passed."""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta

from device_models.event import Event, EventKind, TimeSource, Value
from gateway.config import Config
from gateway.history import History, SeriesKind
from gateway.history.opening import open_history

_PART = timedelta(days=1)
"""Read at a time, so that a year of samples does not stand in memory at once."""
_ALL = 2_000_000
"""More points than a device sends in a part: nothing is thinned out."""


async def open_recorded(config: Config) -> History:
    """Open the history that ``config`` names, to be read beside a running gateway. Raises HistoryError."""
    section = config.history
    return await open_history(
        config.data_dir,
        # Reading trims nothing.
        config.data_budget,
        url=section.url,
        token=section.token.get_secret_value() if section.token else None,
        org=section.org,
        bucket=section.bucket,
        query=section.query,
    )


async def replay(
    history: History, device_id: str, since: datetime, until: datetime, only: Collection[str] | None = None
) -> AsyncIterator[Event]:
    """Yield what a device said within [``since``, ``until``), in the order of its stamps; ``only`` these fields.

    What the history does not keep is not there: presence and error messages, units (values are in the profile's
    already), repetitions of a text. Everything counts as heard when it was observed.
    """
    fields = [name for name in await history.fields(device_id) if only is None or name in only]
    begin = since
    while begin < until:
        end = min(begin + _PART, until)
        said: defaultdict[datetime, dict[str, Value]] = defaultdict(dict)
        for field in fields:
            series = await history.series(device_id, field, begin, end, _ALL)
            for at, value in zip(series.times, series.values, strict=True):
                said[at][field] = bool(value) if series.kind is SeriesKind.BOOL else value
            for at, text in series.changes:
                # The text that held when the part began was said in an earlier one.
                if begin <= at < end:
                    said[at][field] = text
        recorded = await history.positions(device_id, begin, end, _ALL) if only is None else []
        fixes = {fix.observed_at: fix.position for fix in recorded}
        for at in sorted(said.keys() | fixes.keys()):
            if at in said:
                yield Event(device_id, EventKind.STATUS, at, at, TimeSource.DEVICE, "history", said[at])
            if at in fixes:
                yield Event(device_id, EventKind.LOCATION, at, at, TimeSource.DEVICE, "history", position=fixes[at])
        begin = end
