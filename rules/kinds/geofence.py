"""A place that a thing enters, stays in or leaves, and a thing that moves while it should stand.

From life: an e-bike stands locked in front of the library. Its fixes jitter by thirty metres and mean nothing; when two
in a row are surely more than its radius from where it was locked, somebody is carrying it away, and its owner hears of
it while it is still near. A rented excavator that leaves the building site is the same with the site for a fence.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from device_models.duration import Duration
from device_models.purpose import Purpose, Severity
from device_models.registry import Latitude, Longitude
from device_models.sentences import sentence
from rules.base import BaseRule
from rules.kinds.condition import Cel
from rules.places.polygon import read_geojson

MOST_ZONES = 20_000
"""Of one rule."""


class CircleSpec(BaseModel):
    """A circle as a rule file writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latitude: Latitude
    longitude: Longitude
    radius_m: float = Field(gt=0, le=1_000_000)


def _geojson(data: dict[str, Any]) -> dict[str, Any]:
    read_geojson(data)
    return data


GeoJson = Annotated[dict[str, Any], AfterValidator(_geojson)]
"""Polygon, MultiPolygon, or features of them."""


class ZoneSpec(BaseModel):
    """One of many zones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1, max_length=100)
    name: str | None = Field(default=None, min_length=1, max_length=200)
    circle: CircleSpec | None = None
    geojson: GeoJson | None = None

    @model_validator(mode="after")
    def _has_one_form(self) -> Self:
        if (self.circle is None) is (self.geojson is None):
            raise ValueError(sentence("takes either circle or geojson"))
        return self


def _zones(data: Any) -> Any:
    """A FeatureCollection may stand for the list: each feature a zone, a Point with ``radius_m`` a circle."""
    if not isinstance(data, dict):
        return data
    features = data.get("features")
    if data.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise ValueError(sentence("takes a list of zones or a GeoJSON FeatureCollection"))
    return [_zone_of(feature, number) for number, feature in enumerate(features)]


def _zone_of(feature: Any, number: int) -> Any:
    if not isinstance(feature, dict) or not isinstance(geometry := feature.get("geometry"), dict):
        raise ValueError(sentence("feature {1} has no geometry", number))
    said = feature.get("properties") or {}
    zone = {"id": str(feature.get("id", said.get("id", ""))), "name": said.get("name")}
    if geometry.get("type") != "Point":
        return zone | {"geojson": geometry}
    position = geometry.get("coordinates")
    if not isinstance(position, list) or len(position) < 2:
        raise ValueError(sentence("feature {1}: a point has the coordinates [longitude, latitude]", number))
    longitude, latitude = position[:2]
    return zone | {"circle": {"latitude": latitude, "longitude": longitude, "radius_m": said.get("radius_m")}}


class GeofenceRule(BaseRule):
    """See ``docs/rules.md``, "geofence"; the fence is the one of its first five fields that is set."""

    kind: Literal["geofence"] = "geofence"
    circle: CircleSpec | None = None
    geojson: GeoJson | None = None
    zones: Annotated[tuple[ZoneSpec, ...], BeforeValidator(_zones), Field(max_length=MOST_ZONES)] = ()
    """Each a fence of its own, with its own alert."""
    site_radius_m: float | None = Field(default=None, gt=0, le=1_000_000)
    """A circle around the place where each device is registered."""
    moved_while: Cel | None = None
    """While this holds the thing should stay where it is: within ``radius_m`` of its first fix since then."""
    radius_m: float = Field(default=75.0, gt=0, le=1_000_000)
    on: Literal["enter", "exit", "dwell"] | None = None
    hold: Duration = Field(default=timedelta(0), alias="for")
    """``dwell``: how long inside; ``exit``: how long outside."""
    clear_for: Duration = timedelta(0)
    unless: Cel | None = None
    """Such an enter or exit is in order if this holds at the time; of a dwell, for as long as it holds."""
    passes: bool = False
    """``enter``: whether driving through counts, which is over as soon as it is seen."""
    confidence: float = Field(default=0.95, gt=0.5, le=0.9999)
    """How sure a fix must be to count."""
    confirm: int = Field(default=2, ge=1, le=10)
    """How many fixes in a row must say so."""
    margin_m: float = Field(default=20.0, ge=0)
    """How far beyond the edge, apart from its accuracy, what was inside must be to have left."""
    accuracy_m: float = Field(default=20.0, gt=0)
    """Taken for a fix that states no accuracy: the radius that holds it with 68 %."""
    stale_after: Duration | None = None
    """Without a fix for so long what was inside has left. None: three reporting intervals, at least an hour."""

    @model_validator(mode="before")
    @classmethod
    def _is_theft(cls, data: Any) -> Any:
        """A thing that moves while it should not is a matter of safety, unless the rule says otherwise."""
        if isinstance(data, dict) and data.get("moved_while") is not None:
            return {"purpose": Purpose.SAFETY.value, "severity": Severity.CRITICAL.value} | data
        return data

    @model_validator(mode="after")
    def _is_one_fence(self) -> Self:
        fences = (self.circle, self.geojson, self.zones or None, self.site_radius_m, self.moved_while)
        if sum(fence is not None for fence in fences) != 1:
            raise ValueError(sentence("takes one of circle, geojson, zones, site_radius_m and moved_while"))
        ids = [zone.id for zone in self.zones]
        if len(set(ids)) < len(ids):
            raise ValueError(sentence("zones: two have the id '{1}'", max(ids, key=ids.count)))
        if (self.on is None) is (self.moved_while is None):
            raise ValueError(sentence("needs on: enter, exit or dwell; moved_while says so itself"))
        if self.has_set("radius_m") and self.moved_while is None:
            raise ValueError(sentence("radius_m is for moved_while"))
        if self.on == "dwell" and not self.hold:
            raise ValueError(sentence("dwell needs for: how long"))
        if self.on == "enter" and self.hold:
            raise ValueError(sentence("enter happens at once; on: dwell has for"))
        if self.passes and self.on != "enter":
            raise ValueError(sentence("passes is for enter"))
        if self.purpose.needs_opt_in:
            raise ValueError(sentence("purpose: where a thing is makes no offer; kind proximity does"))
        return self
