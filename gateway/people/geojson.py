"""GeoJSON (RFC 7946): the one place where a position is written longitude first."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_Path = tuple[str | int, ...]
GEOMETRY: Mapping[str, _Path] = {
    "latitude": ("geometry", "coordinates", 1),
    "longitude": ("geometry", "coordinates", 0),
}
"""Where in a feature the fields stand that are not among its properties."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a feature, and where in it."""

    path: _Path
    message: str


def features_of(data: Any) -> Iterator[tuple[int, dict[str, Any] | Mistake]]:
    """Yield each feature's index with its fields, or with what is wrong with it.

    The fields are the feature's properties, its ``id`` where the properties have none, and ``latitude`` and
    ``longitude`` of its point.
    """
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "FeatureCollection" and isinstance(data.get("features"), list):
        for index, feature in enumerate(data["features"]):
            yield index, _fields(feature)
    elif kind == "Feature":
        yield 0, _fields(data)
    else:
        yield 0, Mistake((), "is neither a FeatureCollection nor a Feature")


def _fields(feature: Any) -> dict[str, Any] | Mistake:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        return Mistake((), "is no Feature")
    geometry, properties = feature.get("geometry"), feature.get("properties")
    if not isinstance(geometry, dict) or geometry.get("type") != "Point":
        return Mistake(("geometry",), "is no Point")
    coordinates = geometry.get("coordinates")
    if not isinstance(coordinates, list) or len(coordinates) not in (2, 3):
        return Mistake(("geometry", "coordinates"), "is not [longitude, latitude]")
    longitude, latitude = coordinates[:2]
    fields = dict(properties) if isinstance(properties, dict) else {}
    if "id" in feature:
        fields.setdefault("id", feature["id"])
    return {**fields, "latitude": latitude, "longitude": longitude}
