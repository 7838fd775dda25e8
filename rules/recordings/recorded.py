"""Recorded samples: the rows of a table become times and values of devices."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

from device_models.event import Event, EventKind, Position, TimeSource, Value

EARLIEST_EPOCH_S = 946_684_800.0
"""1 January 2000: a smaller number is a measured value and no time."""
_MILLISECONDS_FROM = 1e11
DEVICE_COLUMNS = ("device_id", "device")
"""The column that tells devices apart has one of these names."""
_NO_VALUE = frozenset({"", "nan", "null", "none", "n/a", "na"})
_TRACK_COLUMNS: Mapping[str, Sequence[str]] = {
    "device": ("device_id", "device"),
    "time": ("time", "observed_at", "timestamp", "time_utc"),
    "latitude": ("lat", "latitude"),
    "longitude": ("lon", "lng", "longitude"),
    "accuracy": ("acc", "accuracy_m", "accuracy"),
}


def parse_time(text: str, zone: tzinfo = UTC) -> datetime:
    """Read RFC 3339, ISO 8601 or epoch seconds or milliseconds; ``zone`` is for times that name none.

    Raises ValueError for anything else.
    """
    # The usual forms first: asking a number of them would cost as much as all the rest of the row.
    if len(text) == 19 and zone is UTC:
        try:
            # Without a zone, to the second.
            return datetime.fromisoformat(text + "Z")
        except ValueError:
            pass
    if text[4:5] == "-":
        try:
            at = datetime.fromisoformat(text)
            if at.tzinfo is None and zone is UTC:
                # Reading it again with its zone takes a sixth of the time of datetime.replace.
                return datetime.fromisoformat(text + "Z")
            return _utc(at, zone)
        except ValueError:
            pass
    try:
        number = float(text)
    except ValueError:
        try:
            return _utc(datetime.fromisoformat(text.strip()), zone)
        except ValueError as error:
            raise ValueError(f"'{text}' is no time") from error
    if not math.isfinite(number) or number < EARLIEST_EPOCH_S:
        raise ValueError(f"'{text}' is no time")
    return datetime.fromtimestamp(number / 1000 if number >= _MILLISECONDS_FROM else number, UTC)


def parse_value(text: str) -> Value | None:
    """Read a cell: a finite number, true or false, or a text; None for one that says nothing."""
    try:
        number = float(text)
    except ValueError:
        word = text.strip()
        if word.lower() in _NO_VALUE:
            return None
        return word.lower() == "true" if word.lower() in ("true", "false") else word
    return number if math.isfinite(number) else None


def time_column_of(header: Sequence[str], row: Sequence[str]) -> str:
    """Return the first column whose value parses as a time; raises ValueError where there is none."""
    for name, text in zip(header, row, strict=False):
        try:
            parse_time(text)
        except (ValueError, OverflowError, OSError):
            continue
        return name
    raise ValueError(f"none of the columns {', '.join(header)} holds a time; name it with --time-column")


@dataclass(frozen=True, slots=True)
class Columns:
    """How the rows of one table become samples."""

    time: int
    values: tuple[tuple[int, str], ...]
    """(index, field) of each."""
    device: int | None = None
    """None: all rows are of one device."""
    zone: tzinfo = UTC

    @classmethod
    def of(cls, header: Sequence[str], time_column: str, mapping: Mapping[str, str], zone: tzinfo = UTC) -> "Columns":
        """Assign columns: ``mapping`` gives a column's field, others keep their names. Raises ValueError."""
        for name in (time_column, *mapping):
            if name not in header:
                raise ValueError(f"there is no column '{name}'; there are {', '.join(header)}")
        device = next((header.index(name) for name in DEVICE_COLUMNS if name in header and name not in mapping), None)
        values = tuple(
            (index, mapping.get(name, name))
            for index, name in enumerate(header)
            if name != time_column and index != device
        )
        return cls(header.index(time_column), values, device, zone)

    def sample(self, row: Sequence[str], device_id: str) -> tuple[str, datetime, dict[str, Value]]:
        """Read (device, time, values) of one row; raises ValueError where its time cannot be read or it is short."""
        try:
            at = parse_time(row[self.time], self.zone)
            values: dict[str, Value] = {}
            for index, name in self.values:
                try:
                    number = float(text := row[index])
                except ValueError:
                    if (value := parse_value(text)) is not None:
                        values[name] = value
                    continue
                # What is neither below nor above is no number, which says nothing.
                if -math.inf < number < math.inf:
                    values[name] = number
            return (device_id if self.device is None else row[self.device]), at, values
        except IndexError as error:
            raise ValueError(f"has {len(row)} columns, fewer than the header") from error


@dataclass(frozen=True, slots=True)
class TrackColumns:
    """How the rows of a track become fixes: ``device_id,time,lat,lon[,acc]`` in any order, other columns unread."""

    time: int
    latitude: int
    longitude: int
    accuracy: int | None
    device: int | None
    zone: tzinfo = UTC

    @classmethod
    def of(cls, header: Sequence[str], zone: tzinfo = UTC) -> "TrackColumns":
        """Find the columns; raises ValueError with what is missing."""
        lower = [name.strip().lower() for name in header]
        found = {
            what: next((lower.index(name) for name in names if name in lower), None)
            for what, names in _TRACK_COLUMNS.items()
        }
        time, latitude, longitude = found["time"], found["latitude"], found["longitude"]
        if time is None or latitude is None or longitude is None:
            raise ValueError(f"a track has the columns device_id,time,lat,lon[,acc]; here are {', '.join(header)}")
        return cls(time, latitude, longitude, found["accuracy"], found["device"], zone)

    def fix(self, row: Sequence[str], device_id: str) -> Event:
        """Make the location event of one row; raises ValueError where it is short or no position."""
        try:
            at = parse_time(row[self.time], self.zone)
            said = row[self.accuracy].strip() if self.accuracy is not None else ""
            accuracy = float(said) if said else None
            position = Position(float(row[self.latitude]), float(row[self.longitude]), accuracy)
            device_id = device_id if self.device is None else row[self.device]
        except IndexError as error:
            raise ValueError(f"has {len(row)} columns, fewer than the header") from error
        return Event(device_id, EventKind.LOCATION, at, at, TimeSource.DEVICE, "csv", position=position)


def typical_interval(times: Iterable[datetime]) -> timedelta | None:
    """Return the median time between samples, None for fewer than two."""
    gaps = sorted(later - earlier for earlier, later in pairwise(times) if later > earlier)
    return gaps[len(gaps) // 2] if gaps else None


def _utc(at: datetime, zone: tzinfo) -> datetime:
    known = at.tzinfo
    if known is UTC:
        return at
    if known is None:
        at = at.replace(tzinfo=zone)
        if zone is UTC:
            return at
    return at.astimezone(UTC)
