"""Recorded samples and tracks in CSV, and the labels that say when something was wrong."""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import TextIO

from device_models.profile import DeviceProfile
from device_models.registry import Record
from rules.detect import Detector
from rules.recordings.recorded import Columns, TrackColumns, parse_time, time_column_of, typical_interval
from rules.recordings.score import Windows
from rules.schema import RuleSet

_LOOK_AT = 1000
"""Rows from which the usual interval is taken."""
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")


class BadTableError(ValueError):
    """A CSV or label file that cannot be used; the message says what to change."""


class CsvFile:
    """One CSV file with a header."""

    def __init__(self, path: Path) -> None:
        """Read the header and the first rows; raises BadTableError where there are none."""
        self.path = path
        self.line = 1
        self._file: TextIO | None = None
        try:
            with self._open() as file:
                self._separator = _separator_of(file.readline())
            with self._open() as file:
                rows = self._read(file)
                self.header = next(rows, [])
                self.head = list(islice(rows, _LOOK_AT))
        except UnicodeDecodeError as error:
            raise self._no_utf8() from error
        if not self.head:
            raise BadTableError(f"{path}: has no rows below its header")

    @property
    def size_bytes(self) -> int:
        """How large the file is."""
        return self.path.stat().st_size

    @property
    def read_bytes(self) -> int:
        """How far ``rows`` has read, to within a buffer."""
        return self.size_bytes if self._file is None or self._file.closed else self._file.buffer.tell()

    def rows(self) -> Iterator[list[str]]:
        """Yield the rows below the header that are not empty; ``line`` is that of the last one yielded."""
        try:
            with self._open() as self._file:
                rows = csv.reader(self._file, delimiter=self._separator)
                next(rows, None)
                for row in rows:
                    if row:
                        self.line = rows.line_num
                        yield row if self._separator == "," else _with_points(row)
        except UnicodeDecodeError as error:
            raise self._no_utf8() from error

    def _read(self, file: TextIO) -> Iterator[list[str]]:
        rows = csv.reader(file, delimiter=self._separator)
        return iter(rows) if self._separator == "," else map(_with_points, rows)

    def _no_utf8(self) -> BadTableError:
        return BadTableError(f"{self.path}: is no UTF-8; save it in that encoding")

    def _open(self) -> TextIO:
        # A spreadsheet's byte order mark would otherwise be part of the first column's name.
        return self.path.open(encoding="utf-8-sig", newline="")


def _separator_of(header: str) -> str:
    """Tell what parts the columns: where people write 0,5 a spreadsheet parts them by a semicolon, or by a tab."""
    return "," if "," in header else next((mark for mark in ";\t" if mark in header), ",")


def _with_points(row: list[str]) -> list[str]:
    """Write numbers with a decimal point where the comma parts no columns."""
    return [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell for cell in row]


class Table(CsvFile):
    """Samples: a column of times, columns of values, perhaps a column of devices."""

    def __init__(self, path: Path, time_column: str | None, mapping: Mapping[str, str], zone: tzinfo) -> None:
        super().__init__(path)
        self._mapping = dict(mapping)
        self._zone = zone
        try:
            self.time_column = time_column or time_column_of(self.header, self.head[0])
            self.columns = Columns.of(self.header, self.time_column, self._mapping, zone)
        except ValueError as error:
            raise BadTableError(f"{path}:1: {error}") from error

    @property
    def interval(self) -> timedelta | None:
        """The usual time between its rows, of one device; rows that cannot be read are told about when it is run."""
        device, time = self.columns.device, self.columns.time
        times = []
        for row in self.head:
            if device is None or row[device : device + 1] == self.head[0][device : device + 1]:
                with suppress(ValueError, IndexError):
                    times.append(parse_time(row[time], self._zone))
        return typical_interval(times)

    def fitted(self, ruleset: RuleSet, profile: DeviceProfile, say: Callable[[str], None]) -> "Table":
        """Map the only column of values to the only field that the rules read, where nothing else was said; ``say``
        is told so."""
        detector = Detector(ruleset, {profile.name: profile})
        reads = {name for e in detector.evaluators(profile).values() if e.expressions for name in e.reads}
        unmapped = [self.header[index] for index, name in self.columns.values if name not in profile.fields]
        if len(self.columns.values) == 1 and len(unmapped) == 1 and len(reads) == 1 and not reads & set(unmapped):
            field = reads.pop()
            say(f"{self.path.name}: column '{unmapped[0]}' is taken for {field}; --map says otherwise")
            return Table(self.path, self.time_column, {**self._mapping, unmapped[0]: field}, self._zone)
        return self


class Track(CsvFile):
    """Fixes: ``device_id,time,lat,lon[,acc]``."""

    def __init__(self, path: Path, zone: tzinfo) -> None:
        super().__init__(path)
        try:
            self.columns = TrackColumns.of(self.header, zone)
        except ValueError as error:
            raise BadTableError(f"{path}:1: {error}") from error


def read_windows(path: Path, tables: Sequence[Table], zone: tzinfo) -> dict[str, Windows]:
    """Read the labels of each table, by the file's name, or by device where a column tells devices apart.

    NAB's ``{"windows": …}`` below a name is understood too. Raises BadTableError.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        found: dict[str, Windows] = {}
        for table in tables:
            if table.columns.device is not None:
                found |= {device: _windows(said, zone) for device, said in data.items()}
                continue
            name = next((n for n in data if n in (table.path.name, table.path.stem)), None)
            # NAB's labels name the folder too; its files are often kept under a prefix.
            name = name or next((n for n in data if n.rpartition("/")[2] == table.path.name), None)
            name = name or next((n for n in data if table.path.name.endswith(f"_{n}")), None)
            if name is None:
                raise BadTableError(f"{path}: has no labels for {table.path.name}")
            found[table.path.stem] = _windows(data[name], zone)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, BadTableError):
            raise
        raise BadTableError(f'{path}: is not of the form {{"FILE": [["start", "end"], …]}}: {error}') from error
    return found


def read_places(path: Path, kind: str) -> tuple[Record, ...]:
    """Read shops or offers as ``gateway import`` does; raises BadTableError with the first mistakes."""
    from gateway.people.importing import read_records

    result = read_records(path, "shops" if kind == "shops" else "offers")
    if result.errors:
        more = f" … and {len(result.errors) - 5} more" if len(result.errors) > 5 else ""
        raise BadTableError("\n".join(str(error) for error in result.errors[:5]) + more)
    return result.records


def _windows(said: object, zone: tzinfo) -> Windows:
    pairs = said["windows"] if isinstance(said, dict) else said
    if not isinstance(pairs, list):
        raise TypeError(f"{said!r} is no list of [start, end]")
    return [(parse_time(start, zone), parse_time(end, zone)) for start, end in pairs]
