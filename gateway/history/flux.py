"""Reading InfluxDB 2 by Flux, through influxdb-client."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.dialect import Dialect

from gateway.history import storable
from gateway.history import thinning as th
from gateway.history.lines import DEVICE_TAG, MEASUREMENT, POSITION_FIELDS, POSITION_MEASUREMENT

Row = dict[str, Any]

_DIALECT = Dialect(header=True, annotations=[], delimiter=",", comment_prefix="#", date_time_format="RFC3339")
# Nanoseconds since the epoch: exact, and no zone or fraction to parse.
_BRIEF = "map(fn: (r) => ({at: int(v: r._time), v: r._value}))"
# Texts and numbers in one answer would need a column of either type: of a last sample only its time is asked.
_COUNT = "map(fn: (r) => ({at: 0, v: r._value}))"
_WHEN = "map(fn: (r) => ({at: int(v: r._time), v: 0}))"


class Flux:
    """Asks one bucket. Times are microseconds since the epoch; stored field names are those of ``lines``.

    Errors are those of influxdb-client; the caller translates them.
    """

    def __init__(self, client: InfluxDBClientAsync, bucket: str) -> None:
        """Read ``bucket`` over a client that somebody else closes."""
        self._client = client
        self._bucket = bucket

    async def counts(self, device_id: str, names: Sequence[str], since: int, until: int) -> dict[str, tuple[int, int]]:
        """Tell of each stored field that has samples how many, and the time of the last."""
        steps = []
        for number, name in enumerate(names):
            one = self._field(device_id, name, since, until)
            steps.append(f'{one} |> count() |> {_COUNT} |> yield(name: "count{number}")')
            steps.append(f'{one} |> last() |> {_WHEN} |> yield(name: "last{number}")')
        rows = {row["result"]: row for row in await self._query("\n".join(steps))}
        return {
            name: (int(rows[f"count{number}"]["v"]), int(rows[f"last{number}"]["at"]) // 1000)
            for number, name in enumerate(names)
            if f"count{number}" in rows and f"last{number}" in rows
        }

    async def points(self, device_id: str, name: str, since: int, until: int) -> list[tuple[int, Any]]:
        """Read all samples of one field, ascending."""
        rows = await self._query(f"{self._field(device_id, name, since, until)} |> {_BRIEF}")
        return sorted((int(row["at"]) // 1000, _value(name, row["v"])) for row in rows)

    async def spans(self, device_id: str, name: str, since: int, until: int, count: int) -> tuple[list[th.Span], int]:
        """Read first, lowest, highest and last sample of each of ``count`` spans, without blur.

        Selectors on windows keep each point's own time.
        """
        width = -(-(until - since) // count)
        window = f"window(every: {width}us, offset: {since % width}us)"
        data = f"data = {self._field(device_id, name, since, until)} |> {window}"
        picks = [f'data |> {pick}() |> {_BRIEF} |> yield(name: "{pick}")' for pick in ("first", "min", "max", "last")]
        found: dict[int, dict[str, th.Point]] = {}
        for row in await self._query("\n".join([data, *picks])):
            at = int(row["at"]) // 1000
            found.setdefault((at - since) // width, {})[row["result"]] = (at, float(row["v"]))
        whole = [four for _, four in sorted(found.items()) if len(four) == 4]
        return [th.Span(four["first"], four["min"], four["max"], four["last"]) for four in whole], 0

    async def last_before(self, device_id: str, name: str, until: int) -> tuple[int, Any] | None:
        """Read the last sample of one field before ``until``."""
        rows = await self._query(f"{self._field(device_id, name, 0, until)} |> last() |> {_BRIEF}")
        return (int(rows[0]["at"]) // 1000, _value(name, rows[0]["v"])) if rows else None

    async def fixes(self, device_id: str, since: int, until: int) -> list[Row]:
        """Read all fixes, ascending: ``time`` and the known of ``POSITION_FIELDS``."""
        rows = await self._query(
            f"{self._device(POSITION_MEASUREMENT, device_id, since, until)}"
            ' |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'
            " |> map(fn: (r) => ({r with at: int(v: r._time)}))"
        )
        fixes: list[Row] = []
        for row in rows:
            known = {field: float(row[field]) for field in POSITION_FIELDS if row.get(field)}
            fixes.append({"time": int(row["at"]) // 1000, **known})
        return sorted(fixes, key=lambda fix: fix["time"])

    async def names(self, device_id: str) -> list[str]:
        """List the stored fields of which a device has samples."""
        rows = await self._query(
            f"{self._device(MEASUREMENT, device_id, 0, None)} |> last() |> map(fn: (r) => ({{at: 0, v: r._field}}))"
        )
        return [row["v"] for row in rows]

    async def erase(self, device_id: str) -> None:
        """Delete all points of a device."""
        for measurement in (MEASUREMENT, POSITION_MEASUREMENT):
            await self._client.delete_api().delete(
                th.EPOCH,
                datetime(2200, 1, 1, tzinfo=UTC),
                f"_measurement={_text(measurement)} AND {DEVICE_TAG}={_text(device_id)}",
                bucket=self._bucket,
            )

    async def close(self) -> None:
        """Do nothing: the client is somebody else's."""

    def _device(self, measurement: str, device_id: str, since: int, until: int | None) -> str:
        stop = f", stop: {_time(until)}" if until is not None else ""
        return (
            f"from(bucket: {_text(self._bucket)}) |> range(start: {_time(since)}{stop})"
            f" |> filter(fn: (r) => r._measurement == {_text(measurement)} and r.{DEVICE_TAG} == {_text(device_id)})"
        )

    def _field(self, device_id: str, name: str, since: int, until: int) -> str:
        device = self._device(MEASUREMENT, device_id, since, until)
        return f"{device} |> filter(fn: (r) => r._field == {_text(name)})"

    async def _query(self, flux: str) -> list[Row]:
        """Ask and return the rows of all tables; each has its ``result``, the name of its yield."""
        answer = await self._client.query_api().query_raw(flux, dialect=_DIALECT)
        rows: list[Row] = []
        header: list[str] = []
        # Tables with other columns follow after an empty line, with a header of their own (annotated CSV).
        for line in csv.reader(answer.splitlines()):
            if not line:
                header = []
            elif not header:
                header = line
            else:
                rows.append(dict(zip(header, line, strict=False)))
        return rows


def _value(name: str, text: str) -> Any:
    return text if name.endswith(":text") else float(text)


def _time(at_us: int) -> str:
    return th.from_us(at_us).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _text(text: str) -> str:
    escaped = storable(text).replace("\\", "\\\\").replace('"', '\\"').replace("${", "\\${").replace("\n", "\\n")
    return f'"{escaped}"'
