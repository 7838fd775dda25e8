"""Records that are imported, and small facts of the installation. See ``gateway.commands``."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Upsert:
    """Import records: ``kind`` is devices | customers | shops | offers, ``records`` JSON-ready by id."""

    kind: Literal["devices", "customers", "shops", "offers"]
    records: tuple[Mapping[str, Any], ...]
    by: str


@dataclass(frozen=True, slots=True)
class SetMeta:
    """Store a small fact of the installation, such as the demo's clock."""

    key: str
    value: Any = field(default=None)


RecordCommand = Upsert | SetMeta
