"""A fleet of connected products with known causes of faults and known journeys, over real MQTT."""

from simulator.clock import Clock
from simulator.control import Control
from simulator.run import run
from simulator.scenario import Registry, Scenario, ScenarioError
from simulator.truth import TruthLog

__all__ = ["Clock", "Control", "Registry", "Scenario", "ScenarioError", "TruthLog", "run"]
