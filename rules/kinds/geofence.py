"""A place that a thing enters, stays in or leaves, and a thing that moves while it should stand.

From life: an e-bike stands locked in front of the library. Its fixes jitter by thirty metres and mean nothing; when two
in a row are surely more than its radius from where it was locked, somebody is carrying it away, and its owner hears of
it while it is still near. A rented excavator that leaves the building site is the same with the site for a fence.
"""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from device_models.duration import Duration
from device_models.purpose import Purpose, Severity
from device_models.registry import Latitude, Longitude
from rules.base import BaseRule
from rules.kinds.condition import Cel
from rules.polygon import read_geojson


class CircleSpec(BaseModel):
    """A circle as a rule file writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    latitude: Latitude
    longitude: Longitude
    radius_m: float = Field(gt=0, le=1_000_000)


def _geojson(data: dict[str, Any]) -> dict[str, Any]:
    read_geojson(data)
    return data


class GeofenceRule(BaseRule):
    """See ``docs/rules.md``, "geofence". One of ``circle``, ``geojson``, ``site_radius_m`` and ``moved_while``."""

    kind: Literal["geofence"] = "geofence"
    circle: CircleSpec | None = None
    geojson: Annotated[dict[str, Any], AfterValidator(_geojson)] | None = None
    """Polygon, MultiPolygon, or features of them."""
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
        fences = [n for n in ("circle", "geojson", "site_radius_m", "moved_while") if getattr(self, n) is not None]
        if len(fences) != 1:
            raise ValueError("takes one of circle, geojson, site_radius_m and moved_while")
        if (self.on is None) is (self.moved_while is None):
            raise ValueError("needs on: enter, exit or dwell; moved_while says so itself")
        if "radius_m" in self.model_fields_set and self.moved_while is None:
            raise ValueError("radius_m is for moved_while")
        if self.on == "dwell" and not self.hold:
            raise ValueError("dwell needs for: how long")
        if self.on == "enter" and self.hold:
            raise ValueError("enter happens at once; on: dwell has for")
        if self.passes and self.on != "enter":
            raise ValueError("passes is for enter")
        if self.purpose.needs_opt_in:
            raise ValueError("purpose: where a thing is makes no offer; kind proximity does")
        return self
