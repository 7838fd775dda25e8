"""What really happened: faults with their causes, harms, mends, look-alikes and journeys, as JSON lines."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from device_models.event import rfc3339


@dataclass
class Fault:
    """One cause at work."""

    id: str
    cause: str
    at: datetime
    device_id: str
    """The device; for a mains cut the site."""
    devices: tuple[str, ...]
    """All devices it touches."""
    customer_id: str | None
    by: str
    """``scenario`` or ``panel``."""
    shows: bool
    """Whether any measured value is affected."""
    harm: str | None = None
    unwarned_harm_at: datetime | None = None
    """When the harm comes if nobody is told and nobody helps; None where there is none within three days."""
    harm_at: datetime | None = None
    """When it really came."""
    mended_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fault with times in RFC 3339, as the panel shows it."""
        return {key: _plain(value) for key, value in vars(self).items()}


@dataclass
class TruthLog:
    """The record of a run, kept in memory and, with a path, in a file that can be followed while it grows.

    Each line is an object with ``event`` and ``at``: ``fault``, ``harm``, ``mended``, ``told``, ``look_alike``,
    ``service_due``, ``journey`` or ``shop_pass``; ``docs/simulator.md`` lists their fields.
    """

    path: Path | None = None
    faults: list[Fault] = field(default_factory=list, init=False)
    lines: list[dict[str, Any]] = field(default_factory=list, init=False)
    _file: TextIO | None = field(default=None, init=False)

    def record(self, event: str, at: datetime, **fields: Any) -> None:
        """Append one line. Raises OSError where the file cannot be written."""
        line = {"event": event, "at": _plain(at), **{key: _plain(value) for key, value in fields.items()}}
        self.lines.append(line)
        if self.path is not None:
            if self._file is None:
                self._file = self.path.open("w", encoding="utf-8")
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()

    def injected(self, fault: Fault) -> None:
        """Record a fault that begins now."""
        self.faults.append(fault)
        fields = {key: value for key, value in vars(fault).items() if key not in ("at", "harm_at", "mended_at")}
        self.record("fault", fault.at, **fields)

    def close(self) -> None:
        """Close the file; lines in memory stay."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Enum):
        return value.value
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
