"""What somebody misses who ends safety warnings: those that their own products could bring."""

from collections.abc import Iterator, Sequence

from device_models.profile import DeviceProfile
from device_models.purpose import Purpose
from gateway.web.wording import text_in
from rules.kinds.error_code import ErrorCodeRule
from rules.schema import RuleSet

MOST = 6
"""So many are read; the page says that they are examples."""


def missed(owned: Sequence[DeviceProfile], ruleset: RuleSet, locale: str) -> list[str]:
    """Name the dangers of which the rules in force would warn an owner of these products, each once."""
    found = (title for profile in owned for title in _dangers(profile, ruleset, locale))
    return list(dict.fromkeys(title for title in found if title))[:MOST]


def _dangers(profile: DeviceProfile, ruleset: RuleSet, locale: str) -> Iterator[str]:
    for rule in ruleset.rules:
        if rule.mode != "live" or (rule.profile and profile.name not in rule.profile):
            continue
        if isinstance(rule, ErrorCodeRule):
            for code, error in profile.errors.items():
                if error.purpose is Purpose.SAFETY and (not rule.codes or code in rule.codes):
                    yield text_in(error.title, locale)
        elif rule.purpose is Purpose.SAFETY:
            yield text_in(rule.title, locale)
