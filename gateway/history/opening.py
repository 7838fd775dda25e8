"""Opening the history that the configuration names."""

from pathlib import Path
from typing import Literal

from gateway.history import History
from gateway.history.embedded import EmbeddedHistory


async def open_history(
    data_dir: Path,
    budget_bytes: int,
    *,
    url: str | None = None,
    token: str | None = None,
    org: str = "",
    bucket: str = "devices",
    query: Literal["flux", "influxql"] = "flux",
) -> History:
    """Open InfluxDB at ``url``, or without one the embedded file in ``data_dir``.

    Raises HistoryError where the file was made by a later version, HistoryUnavailable where the disk refuses.
    """
    if url is None:
        return await EmbeddedHistory.open(data_dir / "history.sqlite", budget_bytes)
    # Its client takes a good part of the time that any command takes to start, and is needed by few.
    from gateway.history.influxdb import InfluxHistory

    progress = data_dir / "history-progress.sqlite"
    return InfluxHistory(url, token=token, org=org, bucket=bucket, progress_path=progress, query=query)
