"""Scenarios: who lives where with which products, what goes wrong and what only looks like it.

A scenario is a YAML file. What it leaves open (which freezer, at which minute) the seed decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from device_models.duration import Duration
from device_models.registry import Customer, Device, Offer, Shop
from simulator.machines.cause import Cause
from simulator.machines.freezer import Says
from simulator.routes import City, Metres


class ScenarioError(ValueError):
    """The scenario cannot be played; the message names the file and the fields."""


class _Plan(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _span(value: object) -> object:
    """Read ``2m to 40m``."""
    if isinstance(value, str):
        first, to, last = value.partition(" to ")
        return (first.strip(), last.strip()) if to else (value, value)
    return value


Span = Annotated[tuple[Duration, Duration], BeforeValidator(_span)]
"""From when to when after the start: ``2m to 40m``."""
Corner = tuple[float, float]
"""(column, row) in blocks from the south-west corner of the city."""


class CityPlan(_Plan):
    """A grid of streets."""

    name: str
    latitude: float
    longitude: float
    timezone: str
    country: str
    columns: int = Field(ge=2, le=200)
    rows: int = Field(ge=2, le=200)
    block_m: float = Field(gt=20, le=1000)
    bearing_deg: float = 0.0

    def grid(self) -> City:
        """Return the city that routes are laid through."""
        return City(self.latitude, self.longitude, self.columns, self.rows, self.block_m, self.bearing_deg)


class SitePlan(_Plan):
    """A place with products: in the city at ``corner``, or anywhere by coordinates."""

    id: str
    customer: str
    corner: Corner | None = None
    latitude: float | None = None
    longitude: float | None = None
    room_c: float = 21.0
    outdoor_c: float = 3.0
    """Mean of the day; it swings by 4 K around it."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if self.corner is None and (self.latitude is None or self.longitude is None):
            raise ValueError("has neither corner nor latitude and longitude")
        return self


class MachinePlan(_Plan):
    """What all products share."""

    id: str
    name: str
    site: str
    model: str
    firmware: str = "1.0.0"


class FreezerPlan(MachinePlan):
    """A freezer."""

    says: Says = Says.NATIVE
    food_kg: float = Field(default=25.0, gt=0, le=500)
    openings_per_day: float = Field(default=15.0, ge=0, le=500)
    running_hours: float = 0.0


class HeatPumpPlan(MachinePlan):
    """A heat pump."""

    running_hours: float = 0.0
    filter_fill: float = Field(default=20.0, ge=0, le=100)


class BikePlan(MachinePlan):
    """A courier's e-bike, based at its site, which lies in the city."""

    battery: float = Field(default=80.0, gt=0, le=100)
    odometer_km: float = 0.0
    shifts: tuple[tuple[float, float], ...] = ((10.0, 14.0), (16.0, 20.0))
    """Local hours."""


class PhonePlan(_Plan):
    """A customer's phone; they live at a corner of the city."""

    customer: str
    home: Corner


class ShopPlan(_Plan):
    """A shop in the city."""

    id: str
    name: str
    corner: Corner
    radius_m: float = 150.0
    opening_hours: str | None = None
    services: frozenset[str] = frozenset()
    address: str | None = None


class FaultPlan(_Plan):
    """Faults of one cause; the seed draws devices (or sites, for a mains cut) and times."""

    cause: Cause
    at: Span
    count: int = Field(default=1, ge=1, le=100)
    among: tuple[str, ...] = ()
    """Ids to draw from; empty: every product that can fail so and has no other fault planned."""
    rate: float | None = None
    noticed_after: Duration | None = None
    """After how long the owner finds it by chance, told or not; None: never."""


class LookAlike(StrEnum):
    """What resembles a fault and is none."""

    LOADING = "loading"
    DEFROST = "defrost"
    PLANNED_POWER_CUT = "planned-power-cut"
    NO_SIGNAL = "no-signal"


class LookAlikePlan(_Plan):
    """Look-alikes of one kind."""

    kind: LookAlike
    at: Span
    count: int = Field(default=1, ge=1, le=200)
    among: tuple[str, ...] = ()
    lasts: Duration = timedelta(minutes=5)


class JourneyKind(StrEnum):
    """Why somebody goes out."""

    WALK_PAST_SHOP = "walk-past-shop"
    DRIVE_PAST_SHOP = "drive-past-shop"
    DRIVE_THROUGH_TUNNEL = "drive-through-tunnel"
    STROLL = "stroll"


class JourneyPlan(_Plan):
    """Journeys of one kind; the seed draws people, shops and times."""

    kind: JourneyKind
    at: Span
    count: int = Field(default=1, ge=1, le=200)
    customers: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()
    lingers: Duration = timedelta(minutes=4)
    """How long they stay in front of the shop."""


@dataclass(frozen=True, slots=True)
class Registry:
    """What a company would import before the fleet speaks."""

    devices: tuple[Device, ...]
    customers: tuple[Customer, ...]
    shops: tuple[Shop, ...]
    offers: tuple[Offer, ...]


PHONE = "phone"
"""Device name in OwnTracks topics: ``owntracks/<customer>/phone``."""


def phone_id(customer_id: str) -> str:
    """Return the registry id under which the OwnTracks decoder knows a customer's phone."""
    return f"{customer_id}/{PHONE}"


class Scenario(_Plan):
    """A whole play."""

    name: str
    title: str
    starts_at: time
    """Local time of day in the city at which it is meant to begin."""
    duration: Duration
    city: CityPlan
    customers: tuple[Customer, ...]
    sites: tuple[SitePlan, ...]
    freezers: tuple[FreezerPlan, ...] = ()
    heat_pumps: tuple[HeatPumpPlan, ...] = ()
    bikes: tuple[BikePlan, ...] = ()
    phones: tuple[PhonePlan, ...] = ()
    shops: tuple[ShopPlan, ...] = ()
    offers: tuple[Offer, ...] = ()
    faults: tuple[FaultPlan, ...] = ()
    look_alikes: tuple[LookAlikePlan, ...] = ()
    journeys: tuple[JourneyPlan, ...] = ()

    @classmethod
    def load(cls, name: str | Path) -> Self:
        """Read a scenario by the name of one that is shipped (``demo``) or by the path of a YAML file.

        Raises ScenarioError that says what is wrong where.
        """
        path = Path(name)
        try:
            if path.suffix in (".yaml", ".yml"):
                text = path.read_text(encoding="utf-8")
            else:
                text = (resources.files("simulator") / "scenarios" / f"{name}.yaml").read_text(encoding="utf-8")
        except OSError as error:
            shipped = ", ".join(shipped_scenarios())
            raise ScenarioError(f"{name}: {error.strerror}; shipped are {shipped}, or give a .yaml file") from error
        return cls.parse(text, str(name))

    @classmethod
    def parse(cls, text: str, origin: str) -> Self:
        """Read a scenario from YAML; ``origin`` names it in errors. Raises ScenarioError."""
        try:
            return cls.model_validate(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ScenarioError(f"{origin}: {error}") from error
        except ValidationError as error:
            lines = (f"{origin}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ScenarioError("\n".join(lines)) from error

    @model_validator(mode="after")
    def _refers_to_what_exists(self) -> Self:
        customers = {customer.id for customer in self.customers}
        sites = {site.id: site for site in self.sites}
        devices = [plan.id for plan in self._machines()]
        _no_twice("customer", (customer.id for customer in self.customers))
        _no_twice("site", (site.id for site in self.sites))
        _no_twice("device", devices)
        _known("customer", (site.customer for site in self.sites), customers)
        _known("customer", (phone.customer for phone in self.phones), customers)
        _known("site", (plan.site for plan in self._machines()), sites)
        _known("shop", (shop for offer in self.offers for shop in offer.shops), {shop.id for shop in self.shops})
        for bike in self.bikes:
            if sites[bike.site].corner is None:
                raise ValueError(f"{bike.id}: an e-bike's site needs a corner of the city")
        everything = {*devices, *sites}
        _known("device or site", (name for plan in self.faults for name in plan.among), everything)
        _known("device or site", (name for plan in self.look_alikes for name in plan.among), everything | customers)
        bridges = {plan.site for plan in self.freezers if plan.says is Says.ZIGBEE2MQTT}
        if len(bridges) > 1:
            raise ValueError("Zigbee2MQTT sensors at two sites would share the topic zigbee2mqtt/bridge/state")
        return self

    def _machines(self) -> tuple[MachinePlan, ...]:
        return (*self.freezers, *self.heat_pumps, *self.bikes)

    def begins(self, today: date) -> datetime:
        """Return ``starts_at`` in the city on ``today``; at a weekend, when shops keep other hours, on Friday."""
        day = today - timedelta(days=max(0, today.weekday() - 4))
        return datetime.combine(day, self.starts_at, ZoneInfo(self.city.timezone))

    def point_of(self, site: SitePlan) -> tuple[float, float]:
        """Return a site's (latitude, longitude)."""
        if site.corner is not None:
            return self.city.grid().point(self.place_of(site.corner))
        return site.latitude or 0.0, site.longitude or 0.0

    def place_of(self, corner: Corner) -> Metres:
        """Return a corner's place on the grid."""
        return self.city.grid().at_corner(*corner)

    def registry(self) -> Registry:
        """Return the records that a company would import."""
        sites = {site.id: site for site in self.sites}
        kinds = (("freezer", self.freezers), ("heat-pump", self.heat_pumps), ("e-bike-tracker", self.bikes))
        devices = [self._device(plan, profile, sites[plan.site]) for profile, plans in kinds for plan in plans]
        devices += [
            Device(id=phone_id(p.customer), profile="phone", customer_id=p.customer, name="Phone", model="OwnTracks")
            for p in self.phones
        ]
        shops = tuple(self._shop(plan) for plan in self.shops)
        return Registry(tuple(devices), self.customers, shops, self.offers)

    def _device(self, plan: MachinePlan, profile: str, site: SitePlan) -> Device:
        latitude, longitude = self.point_of(site)
        return Device(
            id=plan.id,
            profile=profile,
            customer_id=site.customer,
            name=plan.name,
            model=plan.model,
            serial=f"SN-{plan.id.upper()}",
            firmware=plan.firmware,
            site=site.id,
            latitude=round(latitude, 6),
            longitude=round(longitude, 6),
        )

    def _shop(self, plan: ShopPlan) -> Shop:
        latitude, longitude = self.city.grid().point(self.place_of(plan.corner))
        return Shop(
            latitude=round(latitude, 6),
            longitude=round(longitude, 6),
            country=self.city.country,
            **plan.model_dump(exclude={"corner"}),
        )


def shipped_scenarios() -> list[str]:
    """Return the names of the scenarios in the package."""
    files = (resources.files("simulator") / "scenarios").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def _no_twice(what: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise ValueError(f"{what} '{name}' is there twice")
        seen.add(name)


def _known(what: str, names: Iterable[str], known: Any) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"there is no {what} '{name}'")
