"""The history in InfluxDB: written through influxdb-client, read by Flux (2.x) or InfluxQL (1.x)."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Protocol

import aiohttp
import structlog
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.write_precision import WritePrecision

from device_models.event import Position
from gateway.history import Fix, HistoryUnavailable, Sample, Series, SeriesKind
from gateway.history import thinning as th
from gateway.history.flux import Flux
from gateway.history.influxql import InfluxQL
from gateway.history.lines import POSITION_FIELDS, field_of, lines, stored_name
from gateway.history.progress import Progress

log = structlog.get_logger()

MAX_RAW = 20_000
"""Up to so many samples are read as they are and thinned out here; of more the server picks."""
_LINES_A_REQUEST = 5_000
_TIMEOUT_MS = 30_000
_WRONG_LINE = (400, 413, 422)
"""The request itself was refused: sent again it would be again."""
_HINTS = {
    401: "history: InfluxDB refused the token; see [history] token",
    403: "history: InfluxDB's token may not do this; it needs to read, write and delete in the bucket",
    404: "history: InfluxDB knows no such bucket or organisation, or is older than 1.8; see [history] bucket and org",
}


class _Reader(Protocol):
    async def counts(
        self, device_id: str, names: Sequence[str], since: int, until: int
    ) -> dict[str, tuple[int, int]]: ...
    async def points(self, device_id: str, name: str, since: int, until: int) -> list[tuple[int, Any]]: ...
    async def spans(
        self, device_id: str, name: str, since: int, until: int, count: int
    ) -> tuple[list[th.Span], int]: ...
    async def last_before(self, device_id: str, name: str, until: int) -> tuple[int, Any] | None: ...
    async def fixes(self, device_id: str, since: int, until: int) -> list[dict[str, Any]]: ...
    async def names(self, device_id: str) -> list[str]: ...
    async def erase(self, device_id: str) -> None: ...
    async def close(self) -> None: ...


class InfluxHistory:
    """A ``History`` on an InfluxDB server. Make it inside a running event loop."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        org: str = "",
        bucket: str,
        progress_path: Path,
        query: Literal["flux", "influxql"] = "flux",
    ) -> None:
        """Connect lazily to ``url``.

        ``token`` may be 1.x's ``user:password``, ``bucket`` its ``database/retention-policy``. ``progress_path`` is
        a small file of ours. Raises HistoryUnavailable where that file cannot be opened.
        """
        self._client = InfluxDBClientAsync(url, token=token or "", org=org, timeout=_TIMEOUT_MS, enable_gzip=True)
        self._bucket = bucket
        self._progress = Progress(progress_path, f"{url} {org} {bucket}")
        self._reader: _Reader = Flux(self._client, bucket) if query == "flux" else InfluxQL(url, token, bucket)
        self.refused = 0
        """Lines that the server refused for what they say (a field's type, a retention policy), since the start."""

    async def write(self, samples: Sequence[Sample], *, sequence: int | None = None) -> None:
        """Write samples, and only after the server's answer note ``sequence``.

        A line that the server refuses for what it says is counted and logged, since it would be refused for ever;
        anything else raises HistoryUnavailable, and the caller writes the whole batch again.
        """
        written = lines(samples)
        for begin in range(0, len(written), _LINES_A_REQUEST):
            await self._post(written[begin : begin + _LINES_A_REQUEST])
        units = ((s.device_id, field, unit) for s in samples for field, unit in s.units.items() if unit)
        await self._progress.note(units, sequence)

    async def series(
        self,
        device_id: str,
        field: str,
        since: datetime,
        until: datetime,
        max_points: int,
        *,
        interval: timedelta | None = None,
    ) -> Series:
        """Read and thin out one field; see ``History.series``."""
        count = th.span_count(max_points)
        since_us, until_us = th.to_us(since), th.to_us(until)
        names = {kind: stored_name(field, kind) for kind in SeriesKind}
        usual_us = interval // th.MICROSECOND if interval is not None else None
        text = names[SeriesKind.TEXT]
        thinned = th.Thinned()
        changes: tuple[tuple[datetime, str], ...] = ()
        with _translated():
            counts = await self._reader.counts(device_id, tuple(names.values()), since_us, until_us)
            last_heard = {kind: counts[name][1] for kind, name in names.items() if name in counts}
            # With nothing within the span, a text that was said before it still holds.
            kind = max(last_heard, key=lambda known: last_heard[known]) if last_heard else SeriesKind.TEXT
            if kind is SeriesKind.TEXT:
                before = await self._reader.last_before(device_id, text, since_us)
                within = await self._reader.points(device_id, text, since_us, until_us) if last_heard else []
                changes = th.changes([*([before] if before else []), *within])[-max_points:]
            elif counts[names[kind]][0] <= max(MAX_RAW, max_points):
                points = await self._reader.points(device_id, names[kind], since_us, until_us)
                thinned = th.thin(points, since_us, until_us, max_points, usual_us)
            else:
                spans, blur_us = await self._reader.spans(device_id, names[kind], since_us, until_us, count)
                thinned = th.from_spans(spans, counts[names[kind]][0], usual_us, blur_us)
        return thinned.series(
            device_id=device_id,
            field=field,
            since=since,
            until=until,
            kind=kind if last_heard or changes else SeriesKind.NUMBER,
            unit=self._progress.unit(device_id, field),
            changes=changes,
        )

    async def positions(self, device_id: str, since: datetime, until: datetime, max_points: int) -> list[Fix]:
        """Read all fixes of the span and thin them out here."""
        since_us, until_us = th.to_us(since), th.to_us(until)
        with _translated():
            rows = await self._reader.fixes(device_id, since_us, until_us)
        kept = th.evenly([row["time"] for row in rows], since_us, until_us, max_points)
        return [
            Fix(th.from_us(rows[n]["time"]), Position(*(rows[n].get(field) for field in POSITION_FIELDS)))  # type: ignore[arg-type]
            for n in kept
        ]

    async def fields(self, device_id: str) -> list[str]:
        """List the fields that have samples, sorted."""
        with _translated():
            return sorted({field_of(name) for name in await self._reader.names(device_id)})

    async def last_sequence(self) -> int:
        """Tell how far the log was recorded at this server and bucket; 0 at first."""
        return self._progress.sequence

    async def erase(self, device_id: str) -> None:
        """Delete all points of a device on the server."""
        with _translated():
            await self._reader.erase(device_id)
        await self._progress.forget(device_id)

    async def size_bytes(self) -> int | None:
        """Return None: the server's disk is the server's, and so is its retention."""
        return None

    async def close(self) -> None:
        """Close the connections."""
        await self._reader.close()
        await self._client.close()
        await self._progress.close()

    async def _post(self, written: Sequence[str]) -> None:
        try:
            with _translated():
                await self._client.write_api().write(
                    self._bucket,
                    record="\n".join(written),
                    write_precision=WritePrecision.US,  # type: ignore[arg-type]  # a str constant
                )
        except _RefusedError as refusal:
            if refusal.partial is not None:
                self._count_refused(refusal.partial, refusal.status)
            elif len(written) == 1:
                self._count_refused(1, refusal.status)
            else:
                # One wrong line may have cost all of them: halve until it stands alone.
                middle = len(written) // 2
                await self._post(written[:middle])
                await self._post(written[middle:])

    def _count_refused(self, count: int, status: int) -> None:
        self.refused += count
        log.warning("history.lines_refused", lines=count, status=status, refused_since_start=self.refused)


class _RefusedError(Exception):
    """The server will not take these lines, now or later."""

    def __init__(self, status: int, partial: int | None) -> None:
        """``partial``: how many lines were dropped while the others were written; None where none was."""
        super().__init__(status)
        self.status = status
        self.partial = partial


@contextmanager
def _translated() -> Iterator[None]:
    """Turn influxdb-client's and aiohttp's errors into ours, without the server's words: they quote the lines."""
    try:
        yield
    except InfluxDBError as error:
        status = getattr(error, "status", None) or getattr(error.response, "status", None)
        if status in _WRONG_LINE:
            dropped = re.search(r"partial write:.*dropped=(\d+)", str(error.message))
            raise _RefusedError(status, int(dropped[1]) if dropped else None) from None
        raise HistoryUnavailable(_HINTS.get(status or 0, f"history: InfluxDB answered with {status}")) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise HistoryUnavailable(f"history: InfluxDB cannot be reached: {type(error).__name__}") from error
