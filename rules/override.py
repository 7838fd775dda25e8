"""Where a rule is otherwise: other numbers, other durations or off, for a device, customer, site, model or firmware.

From life: a bakery opens its freezers all morning, so for this customer ten minutes at -12 °C are no fault; firmware
1.3 reports the door upside down until it is replaced, so for it the door rule is off.

Devices for which the same overrides apply share one plan, so what an event costs does not grow with devices.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from device_models.registry import Device
from rules.base import SELECTORS, BaseRule, Override

Key = tuple[str | None, ...]
"""What of a device overrides look at, in the order of ``SELECTORS``; None where none of them names its value."""


Choice = tuple[tuple[int, ...], ...]
"""For each rule which of its overrides apply, by index; empty: none of any."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A rule as it is for some devices."""

    written: BaseRule
    """The rule as its file has it."""
    rule: BaseRule | None
    """None: it is off."""
    told: Mapping[str, Any] | None = None
    """For explanations: ``for`` (what of the device decided), ``here`` and ``otherwise`` (settings by name), ``why`` (a
    sentence); None where no override applies."""

    @property
    def id(self) -> str:
        """The rule's."""
        return self.written.id

    @property
    def why(self) -> str:
        """Why it is otherwise; empty: it is not."""
        return str(self.told["why"]) if self.told else ""

    def applies_to(self, profile: str) -> bool:
        """Tell whether devices of ``profile`` are watched by the rule as it is written."""
        return self.written.applies_to(profile)


def effective(rule: BaseRule, overrides: Iterable[Override]) -> BaseRule | None:
    """Return a rule with the settings of overrides, the later ones winning; None where one switches it off.

    Raises pydantic.ValidationError where the outcome is no rule.
    """
    settings: dict[str, Any] = {}
    for override in overrides:
        if override.off:
            return None
        settings |= override.settings
    written = rule.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude={"overrides"})
    return type(rule).model_validate({"id": rule.id, "kind": rule.kind, **written, **settings})


class Overrides:
    """What is otherwise for which devices."""

    def __init__(self, rules: Sequence[BaseRule]) -> None:
        self._rules = rules
        self._named: list[frozenset[str]] = [
            frozenset(name for rule in rules for override in rule.overrides for name in override.names(selector))
            for selector in SELECTORS
        ]

    def __bool__(self) -> bool:
        return any(self._named)

    def key(self, device: Device) -> Key | None:
        """Return what of a device matters here; None: no override names anything of it."""
        known = (device.id, device.customer_id, device.site, device.model, device.firmware)
        key = tuple(value if value in named else None for value, named in zip(known, self._named, strict=True))
        return key if any(value is not None for value in key) else None

    def choice(self, key: Key) -> Choice:
        """Return for each rule which of its overrides apply, by index: devices with one choice are treated alike."""
        chosen = tuple(
            tuple(i for i, override in enumerate(rule.overrides) if override.fits(key)) for rule in self._rules
        )
        return chosen if any(chosen) else ()

    def applied(self, choice: Choice) -> tuple[Applied, ...]:
        """Return the rules as they are under a choice, in order."""
        if not choice:
            return tuple(Applied(rule, rule) for rule in self._rules)
        return tuple(
            _applied(rule, [rule.overrides[i] for i in chosen])
            for rule, chosen in zip(self._rules, choice, strict=True)
        )


def digest_of(choice: Choice) -> str:
    """Return what tells the states of one choice from those of another; empty where nothing is otherwise."""
    return hashlib.blake2b(repr(choice).encode(), digest_size=4).hexdigest() if choice else ""


def _applied(rule: BaseRule, overrides: Sequence[Override]) -> Applied:
    if not overrides:
        return Applied(rule, rule)
    here = effective(rule, overrides)
    reasons: dict[str, list[str]] = {}
    for override in overrides:
        for selector in SELECTORS:
            if names := override.names(selector):
                reasons.setdefault(selector, []).extend(name for name in names if name not in reasons.get(selector, ()))
    because = ", ".join(f"{selector} {' or '.join(names)}" for selector, names in reasons.items())
    if here is None:
        return Applied(rule, None, {"for": reasons, "here": {"off": True}, "why": f"it is off for {because}"})
    before, after = (
        r.model_dump(mode="json", by_alias=True, exclude={"overrides"}, exclude_none=True) for r in (rule, here)
    )
    changed = [name for name in after | before if before.get(name) != after.get(name)]
    said = "; ".join(f"{name} is {after.get(name)} here, {before.get(name, 'not set')} otherwise" for name in changed)
    told = {
        "for": reasons,
        "here": {name: after.get(name) for name in changed},
        "otherwise": {name: before.get(name) for name in changed},
        "why": f"an override for {because}: {said}" if changed else f"an override for {because} changes nothing",
    }
    return Applied(rule, here, told)
