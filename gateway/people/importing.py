"""Reading devices, customers, shops and offers from CSV, JSON, JSON lines and GeoJSON files.

Each mistake is named with file, line, column and field, and no bad row keeps the others from being looked at.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from pydantic import ValidationError

from device_models.registry import Customer, Device, Offer, Record, Shop
from device_models.yaml_lines import FileError
from gateway.people.csv_cells import Cell, CsvSyntaxError, rows_of
from gateway.people.geojson import GEOMETRY, Mistake, features_of
from gateway.people.json_places import item_offsets, line_and_column, place_of
from rules.places.opening import check_opening_hours

Kind = Literal["devices", "customers", "shops", "offers"]
Format = Literal["csv", "json", "jsonl", "geojson"]
MODELS: Mapping[Kind, type[Record]] = {"devices": Device, "customers": Customer, "shops": Shop, "offers": Offer}
_FORMATS: Mapping[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".geojson": "geojson",
}

_MEANT = {
    "id": "is no id: at most 200 characters, not beginning with a space, /, + or #",
    "country": "is no ISO 3166-1 alpha-2 code, such as DE",
    "email": "is no e-mail address",
}


class RecordSink(Protocol):
    """What imported records go into."""

    def upsert(self, kind: Kind, records: Sequence[Record]) -> tuple[int, int]:
        """Write all of them by id, or none, never deleting; return how many were new and how many were there."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What a file holds."""

    records: tuple[Record, ...]
    """Those without a mistake, in the file's order."""
    errors: tuple[FileError, ...]
    ignored: tuple[str, ...] = ()
    """Columns that a mapping left out."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One record as the file has it, and how to find its parts in the file again."""

    values: dict[str, Any]
    """By the file's own column names; JSON's nested names also as ``location.lat``."""
    cells: Mapping[str, Cell]
    """CSV: by column name."""
    start: int = 0
    """JSON: offset of the record in the text."""
    paths: Mapping[str, tuple[str | int, ...]] = dataclass_field(default_factory=dict)
    """JSON: where below the record a column's value stands, if not under the column's own name."""


def read_records(
    path: Path,
    kind: Kind,
    mapping: Mapping[str, str] | None = None,
    file_format: Format | None = None,
    encoding: str = "utf-8-sig",
) -> ImportResult:
    """Read a file.

    Args:
        path: the file; its suffix tells the format unless ``file_format`` does.
        kind: what its records are.
        mapping: field by the file's column (nested JSON: ``location.lat``); an empty field drops the column. With a
            mapping, columns that are neither mapped nor fields are ignored; without one they are mistakes.
        file_format: ``csv`` (also with semicolons or tabs), ``json`` (an array, or one object), ``jsonl`` or
            ``geojson`` (points).
        encoding: as Python calls it; UTF-8 with or without a byte order mark unless the company's is another.
    Raises OSError where the file cannot be read, ValueError for a format that cannot be told or no known encoding.
    """
    file_format = file_format or _FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise ValueError(f"{path}: the suffix tells no format; say --format csv, json, jsonl or geojson")
    try:
        text = path.read_bytes().decode(encoding)
    except LookupError as error:
        raise ValueError(f"'{encoding}' is no encoding known here, such as cp1252") from error
    except UnicodeDecodeError as error:
        wanted = "UTF-8" if encoding == "utf-8-sig" else encoding
        message = f"is not {wanted} (byte {error.start + 1}); save it as UTF-8, or name its --encoding"
        return ImportResult((), (FileError(str(path), error.object.count(b"\n", 0, error.start) + 1, 1, "", message),))
    return _Reader(str(path), text, kind, dict(mapping or {})).read(file_format)


class _Reader:
    """Reads one file, collecting records and mistakes."""

    def __init__(self, name: str, text: str, kind: Kind, mapping: dict[str, str]) -> None:
        self._name = name
        self._text = text
        self._model = MODELS[kind]
        self._mapping = mapping
        self._errors: list[FileError] = []
        self._ignored: dict[str, None] = {}
        self._text_fields = {name for name, info in self._model.model_fields.items() if _takes_text(info.annotation)}

    def read(self, file_format: Format) -> ImportResult:
        records: dict[str, tuple[Record, _Row]] = {}
        unknown = [name for name in self._mapping.values() if name and name not in self._model.model_fields]
        for name in unknown:
            self._wrong(1, 1, name, f"is no field; the fields are {', '.join(self._model.model_fields)}")
        if not unknown:
            for row in self._rows_csv() if file_format == "csv" else self._rows_json(file_format):
                record = self._record(row)
                if record is not None:
                    self._keep(record, row, records)
        kept = tuple(record for record, _ in records.values())
        errors = sorted(self._errors, key=lambda error: (error.line, error.column))
        return ImportResult(kept, tuple(errors), tuple(self._ignored))

    def _keep(self, record: Record, row: _Row, records: dict[str, tuple[Record, _Row]]) -> None:
        identity = str(record.model_dump(include={"id"})["id"])
        if identity in records:
            line, _ = self._place(records[identity][1], "id")
            self._wrong(*self._place(row, "id"), "id", f"'{identity}' stands already in line {line}")
        else:
            records[identity] = record, row

    def _record(self, row: _Row) -> Record | None:
        fields: dict[str, Any] = {}
        for column, value in row.values.items():
            field = self._mapping.get(column, column)
            if not field or field not in self._model.model_fields:
                self._pass_over(column, row)
                continue
            # Other people's ids are often numbers in JSON; here they are text.
            if type(value) in (int, float) and field in self._text_fields:
                value = str(value)
            fields[field] = value
        try:
            record = self._model.model_validate(fields)
            if (
                isinstance(record, Shop)
                and record.opening_hours
                and (wrong := check_opening_hours(record.opening_hours))
            ):
                self._wrong(*self._place(row, "opening_hours"), "opening_hours", wrong)
                return None
            return record
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                loc = detail["loc"]
                place = self._place(row, str(loc[0]) if loc else "", loc[1:])
                self._wrong(*place, ".".join(map(str, loc)), _sentence(detail))
            return None

    def _pass_over(self, column: str, row: _Row) -> None:
        """Leave out a column that is no field: as asked, else as a mistake that is said once and not for each row."""
        if column not in self._ignored:
            self._ignored[column] = None
            if not self._mapping:
                self._wrong(*self._place(row, column), column, self._no_field(column))

    def _place(self, row: _Row, field: str, below: tuple[str | int, ...] = ()) -> tuple[int, int]:
        """Find a field's value in the file, or where its record begins."""
        column = next((c for c in row.values if self._mapping.get(c, c) == field), None)
        if row.cells:
            cell = row.cells.get(column) if column is not None else None
            cell = cell or next(iter(row.cells.values()))
            return cell.line, cell.column
        path = row.paths.get(column, (column,)) if column is not None else ()
        return line_and_column(self._text, place_of(self._text, (*path, *below), row.start))

    def _rows_csv(self) -> Iterator[_Row]:
        header: list[str] = []
        try:
            for cells in rows_of(self._text):
                if not header:
                    header = [cell.text.strip() for cell in cells]
                    if not self._check_header(cells):
                        return
                elif len(cells) != len(header):
                    message = f"has {len(cells)} cells where the header has {len(header)}"
                    self._wrong(cells[0].line, cells[0].column, "", message)
                else:
                    by_name = dict(zip(header, cells, strict=True))
                    yield _Row({name: cell.text for name, cell in by_name.items()}, by_name)
        except CsvSyntaxError as error:
            self._wrong(error.line, error.column, "", str(error))
        if not header:
            self._wrong(1, 1, "", "is empty; the first line names the columns")

    def _check_header(self, cells: list[Cell]) -> bool:
        """Say once, at the header, what would otherwise be wrong with every row; False if no row can be right."""
        names = [cell.text.strip() for cell in cells]
        for index, (cell, name) in enumerate(zip(cells, names, strict=True)):
            if name in names[:index]:
                self._wrong(cell.line, cell.column, name, "names a second column so")
            elif not self._mapping and name not in self._model.model_fields:
                self._ignored[name] = None
                self._wrong(cell.line, cell.column, name, self._no_field(name))
        for column in self._mapping:
            if column not in names:
                self._wrong(cells[0].line, cells[0].column, column, "is mapped, but the file has no such column")
        given = {self._mapping.get(name, name) for name in names}
        missing = [name for name, info in self._model.model_fields.items() if info.is_required() and name not in given]
        for name in missing:
            self._wrong(cells[0].line, cells[0].column, name, "is required, and no column gives it")
        return not missing

    def _no_field(self, name: str) -> str:
        fields = ", ".join(self._model.model_fields)
        return f"is no field here; map it with --map {name}=FIELD or drop it with --map {name}= (fields: {fields})"

    def _rows_json(self, file_format: Format) -> Iterator[_Row]:
        if file_format == "jsonl":
            yield from self._rows_jsonl()
            return
        data, ok = self._parse(self._text, 0)
        if not ok:
            return
        is_geojson = isinstance(data, dict) and data.get("type") in ("FeatureCollection", "Feature")
        if file_format == "geojson" or is_geojson:
            yield from self._rows_geojson(data)
        elif isinstance(data, list):
            for item, start in zip(data, item_offsets(self._text), strict=True):
                yield from self._row_json(item, start)
        else:
            yield from self._row_json(data, 0)

    def _rows_geojson(self, data: Any) -> Iterator[_Row]:
        collected = isinstance(data, dict) and "features" in data
        starts = item_offsets(self._text, place_of(self._text, ("features",))) if collected else [0]
        for index, outcome in features_of(data):
            if isinstance(outcome, Mistake):
                start = starts[index] if index < len(starts) else 0
                place = line_and_column(self._text, place_of(self._text, outcome.path, start))
                self._wrong(*place, ".".join(map(str, outcome.path)), outcome.message)
            else:
                paths = {name: GEOMETRY.get(name, ("properties", name)) for name in outcome}
                yield _Row(outcome, {}, starts[index], paths)

    def _rows_jsonl(self) -> Iterator[_Row]:
        start = 0
        # Not splitlines: JSON text may hold U+2028 and its like, which are no ends of lines here.
        for line in self._text.split("\n"):
            if line.strip():
                data, ok = self._parse(line, start)
                if ok:
                    yield from self._row_json(data, start)
            start += len(line) + 1

    def _row_json(self, item: Any, start: int) -> Iterator[_Row]:
        if not isinstance(item, dict):
            self._wrong(*line_and_column(self._text, place_of(self._text, (), start)), "", "is no object")
            return
        values, paths = dict(item), {}
        for column in self._mapping:
            parts = tuple(column.split("."))
            found, value = _dig(item, parts)
            if column not in item and found:
                values.pop(parts[0], None)
                values[column], paths[column] = value, parts
        yield _Row(values, {}, start, paths)

    def _parse(self, text: str, start: int) -> tuple[Any, bool]:
        try:
            return json.loads(text, parse_constant=_refuse_constant), True
        except json.JSONDecodeError as error:
            line, column = line_and_column(self._text, start + error.pos)
            self._wrong(line, column, "", f"is no JSON: {error.msg}")
        except (ValueError, RecursionError) as error:
            self._wrong(*line_and_column(self._text, start), "", f"is no JSON: {error}")
        return None, False

    def _wrong(self, line: int, column: int, field: str, message: str) -> None:
        self._errors.append(FileError(self._name, line, column, field, message))


def _dig(data: Any, parts: tuple[str, ...]) -> tuple[bool, Any]:
    for part in parts:
        if not isinstance(data, dict) or part not in data:
            return False, None
        data = data[part]
    return True, data


def _takes_text(annotation: Any) -> bool:
    """Tell whether a field is text at heart (also optional or annotated text), not a number."""
    inner = get_args(annotation)
    return annotation is str or any(_takes_text(part) for part in inner if part is not type(None))


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _sentence(detail: Any) -> str:
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] in ("string_pattern_mismatch", "string_too_short") and detail["loc"][0] in _MEANT:
        return _MEANT[detail["loc"][0]]
    return str(detail["msg"]).removeprefix("Value error, ")
