"""Puts a scenario's products into their sites, each with a chance of its own."""

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from simulator.machines.base import Machine, Site
from simulator.machines.bike import BikeMachine
from simulator.machines.freezer import FreezerMachine, Says
from simulator.machines.heat_pump import HeatPumpMachine
from simulator.machines.phone import PhoneMachine
from simulator.physics.ebike import EBike
from simulator.physics.freezer import Freezer
from simulator.physics.heat_pump import HeatPump
from simulator.scenario import PHONE, Scenario, phone_id


def build_sites(scenario: Scenario) -> dict[str, Site]:
    """Return the sites by id, in the time zone of the city or of their customer."""
    zones = {customer.id: customer.timezone for customer in scenario.customers}
    sites = {}
    for plan in scenario.sites:
        zone = scenario.city.timezone if plan.corner is not None else zones[plan.customer]
        latitude, longitude = scenario.point_of(plan)
        sites[plan.id] = Site(plan.id, ZoneInfo(zone), latitude, longitude, plan.room_c, plan.outdoor_c)
    return sites


def build_machines(scenario: Scenario, sites: dict[str, Site], seed: int, starts_at: datetime) -> dict[str, Machine]:
    """Return all products by device id.

    Each draws from a generator of its own, so that one more product in a scenario leaves the others as they were.
    """
    records = {device.id: device for device in scenario.registry().devices}
    chances = {name: random.Random(f"{seed}/{name}") for name in records}  # noqa: S311 - a play, not a secret
    city = scenario.city.grid()
    machines: list[Machine] = []
    for freezer in scenario.freezers:
        rng = chances[freezer.id]
        physics = Freezer(
            food_kg=freezer.food_kg,
            air_c=rng.uniform(-19.3, -16.7),
            since_defrost_h=rng.uniform(0, 9.5),
            running_hours=freezer.running_hours,
        )
        machine = FreezerMachine(
            records[freezer.id], sites[freezer.site], physics, rng, freezer.says, freezer.openings_per_day
        )
        # Sensors on a coin cell speak less often than modules on the mains.
        machine.every = timedelta(minutes=2) if freezer.says is Says.ZIGBEE2MQTT else timedelta(minutes=1)
        machine.bridge = freezer.site
        machines.append(machine)
    for pump in scenario.heat_pumps:
        heat = HeatPump(filter_fill_pct=pump.filter_fill, running_hours=pump.running_hours)
        heat.filled_l = chances[pump.id].uniform(5.2, 6.2)
        machines.append(HeatPumpMachine(records[pump.id], sites[pump.site], heat, chances[pump.id]))
    corners = {site.id: site.corner for site in scenario.sites}
    for bike in scenario.bikes:
        wheels = EBike(odometer_km=bike.odometer_km)
        wheels.charge_wh = wheels.capacity_wh * bike.battery / 100
        base = scenario.place_of(corners[bike.site] or (0.0, 0.0))
        machines.append(
            BikeMachine(records[bike.id], sites[bike.site], wheels, chances[bike.id], bike.shifts, city=city, base=base)
        )
    for phone in scenario.phones:
        name = phone_id(phone.customer)
        home = scenario.place_of(phone.home)
        site = Site(f"home-of-{phone.customer}", ZoneInfo(scenario.city.timezone), *city.point(home))
        machines.append(
            PhoneMachine(
                records[name], site, PHONE, chances[name], city=city, home=home, user=phone.customer, since=starts_at
            )
        )
    return {machine.id: machine for machine in machines}
