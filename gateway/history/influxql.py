"""Reading InfluxDB 1.x, and what speaks its language, by InfluxQL over ``/query``."""

from collections.abc import Sequence
from typing import Any

import aiohttp

from gateway.history import HistoryUnavailable, storable
from gateway.history import thinning as th
from gateway.history.lines import DEVICE_TAG, MEASUREMENT, POSITION_FIELDS, POSITION_MEASUREMENT

Row = dict[str, Any]

_TIMEOUT = aiohttp.ClientTimeout(total=30)


class InfluxQL:
    """Asks one database. Times are microseconds since the epoch; stored field names are those of ``lines``."""

    def __init__(self, url: str, token: str | None, bucket: str) -> None:
        """Read ``bucket``, which is ``database`` or ``database/retention-policy`` as InfluxDB 1.8 and 2 map it.

        ``token`` is sent as a token, or as Basic authentication where it is 1.x's ``user:password``.
        """
        self._url = url.rstrip("/") + "/query"
        self._database, _, self._policy = bucket.partition("/")
        user, colon, password = (token or "").partition(":")
        header = aiohttp.encode_basic_auth(user, password) if colon else f"Token {token}"
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers={"Authorization": header} if token else {})

    async def counts(self, device_id: str, names: Sequence[str], since: int, until: int) -> dict[str, tuple[int, int]]:
        """Tell of each stored field that has samples how many, and the time of the last."""
        where = f"FROM {_name(MEASUREMENT)} WHERE {_within(device_id, since, until)}"
        statements = [f"SELECT {function}({_name(n)}) AS v {where}" for n in names for function in ("count", "last")]
        results = await self._query(statements)
        found = {}
        for name, counted, last in zip(names, results[::2], results[1::2], strict=True):
            if counted and last and counted[0]["v"]:
                found[name] = (int(counted[0]["v"]), int(last[0]["time"]))
        return found

    async def points(self, device_id: str, name: str, since: int, until: int) -> list[tuple[int, Any]]:
        """Read all samples of one field, ascending."""
        source = f"FROM {_name(MEASUREMENT)} WHERE {_within(device_id, since, until)}"
        (rows,) = await self._query([f"SELECT {_name(name)} AS v {source}"])
        return [(row["time"], row["v"]) for row in rows if row["v"] is not None]

    async def spans(self, device_id: str, name: str, since: int, until: int, count: int) -> tuple[list[th.Span], int]:
        """Read the lowest and highest sample of each of twice ``count`` spans: two samples each instead of four.

        ``top`` and ``bottom`` alone keep a point's own time when grouped by time, so first and last are these two,
        and a silence is known only where it is longer than two spans: the blur returned.
        """
        width = -(-(until - since) // (2 * count))
        source = f"FROM {_name(MEASUREMENT)} WHERE {_within(device_id, since, until)}"
        by = f"GROUP BY time({width}u, {since % width}u)"
        found: dict[int, list[th.Point]] = {}
        for rows in await self._query([f"SELECT {f}({_name(name)}, 1) AS v {source} {by}" for f in ("bottom", "top")]):
            for row in rows:
                if row["v"] is not None:
                    found.setdefault((row["time"] - since) // width, []).append((row["time"], row["v"]))
        return [th.Span(min(two), two[0], two[-1], max(two)) for _, two in sorted(found.items())], 2 * width

    async def last_before(self, device_id: str, name: str, until: int) -> tuple[int, Any] | None:
        """Read the last sample of one field before ``until``."""
        where = f"FROM {_name(MEASUREMENT)} WHERE {_of(device_id)} AND time < {until}u"
        (rows,) = await self._query([f"SELECT last({_name(name)}) AS v {where}"])
        return (rows[0]["time"], rows[0]["v"]) if rows else None

    async def fixes(self, device_id: str, since: int, until: int) -> list[Row]:
        """Read all fixes, ascending: ``time`` and the known of ``POSITION_FIELDS``."""
        columns = ", ".join(_name(field) for field in POSITION_FIELDS)
        source = f"FROM {_name(POSITION_MEASUREMENT)} WHERE {_within(device_id, since, until)}"
        (rows,) = await self._query([f"SELECT {columns} {source}"])
        return rows

    async def names(self, device_id: str) -> list[str]:
        """List the stored fields of which a device has samples."""
        source = f"FROM {_name(MEASUREMENT)} WHERE {_of(device_id)}"
        (rows,) = await self._query([f"SELECT last(*) {source}"])
        return [c.removeprefix("last_") for row in rows for c, v in row.items() if c != "time" and v is not None]

    async def erase(self, device_id: str) -> None:
        """Drop all series of a device."""
        both = f"{_name(MEASUREMENT)}, {_name(POSITION_MEASUREMENT)}"
        await self._query([f"DROP SERIES FROM {both} WHERE {_of(device_id)}"])

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _query(self, statements: Sequence[str]) -> list[list[Row]]:
        form = {"db": self._database, "epoch": "u", "q": "; ".join(statements)}
        if self._policy:
            form["rp"] = self._policy
        try:
            # As a form: an address would put device ids into the server's and proxies' access logs.
            async with self._session.post(self._url, data=form) as response:
                if response.status != 200:
                    raise HistoryUnavailable(f"history: the InfluxQL query was answered with {response.status}")
                answer = await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise HistoryUnavailable(f"history: InfluxDB cannot be read: {type(error).__name__}") from error
        errors = [result["error"] for result in answer["results"] if "error" in result]
        if errors:
            # InfluxDB 1.6 says only "not executed" of several statements to a database that is not there.
            reason = "is [history] bucket the name of a database?" if errors[0] == "not executed" else errors[0]
            raise HistoryUnavailable(f"history: InfluxDB refused a query: {reason}")
        return [_rows(result) for result in answer["results"]]


def _rows(result: dict[str, Any]) -> list[Row]:
    return [
        dict(zip(series["columns"], values, strict=True))
        for series in result.get("series", ())
        for values in series.get("values", ())
    ]


def _within(device_id: str, since: int, until: int) -> str:
    return f"{_of(device_id)} AND time >= {since}u AND time < {until}u"


def _of(device_id: str) -> str:
    escaped = storable(device_id).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"{_name(DEVICE_TAG)} = '{escaped}'"


def _name(name: str) -> str:
    escaped = storable(name).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
