"""Whom overrides name: looked up in the registry as a rule set goes live, and said where there is nobody."""

from typing import cast

from structlog.testing import capture_logs

from device_models.registry import Device
from gateway.clock import Clock
from gateway.commands import Commands
from gateway.config import load_config
from gateway.people.registry import Registry
from gateway.rulebook.files import RuleWatcher
from gateway.rulebook.named import names_in
from rules.detect import Detector
from tests.rules.making import FREEZER, ruleset

RULES = ruleset(
    "{id: warm, kind: condition, when: temperature > -12, overrides: [{device: f9, off: true}, {model: FX-1, for: 1h}]}"
)


def test_what_goes_live_with_an_override_for_nobody_is_logged_with_its_place() -> None:
    registry = Registry()
    detector = Detector(RULES, {FREEZER.name: FREEZER})
    # Describing what is in force asks nobody anything.
    watcher = RuleWatcher(load_config(None), {}, registry, cast("Commands", None), Clock(), lambda: detector)
    with capture_logs() as logs:
        watcher.describe(detector)
        # Nothing was imported yet: then every name would be one too many.
        assert logs == []
        registry.put_device(Device(id="f1", profile="freezer", model="FX-1", site="cafe"))
        watcher.describe(detector)
    assert [entry["warning"] for entry in logs] == [
        "rules.yaml:3:79: rules.0.overrides.0.device: there is no device 'f9' so far"
    ]
    assert names_in(registry, RULES).keys() == {"device", "customer", "model"}
