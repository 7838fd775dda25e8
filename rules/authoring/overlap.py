"""What is allowed and probably not meant: rules that can never fire, always fire, undo themselves or double each other.

A condition made of comparisons with literals changes its answer only at those literals, so trying the values at,
between and beyond them, within the profile's physical bounds, decides it; other conditions are left alone.
"""

import difflib
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

from device_models.duration import format_duration
from device_models.event import Value
from device_models.profile import DeviceProfile
from device_models.sentences import sentence
from device_models.yaml_lines import FileError
from rules.authoring.check import SIMILAR
from rules.base import SELECTORS, BaseRule
from rules.expression import Expression, Scope, compile_expression
from rules.kinds.absent import SILENT_INTERVALS, AbsentRule
from rules.kinds.condition import ConditionRule
from rules.schema import RuleSet

MAX_TRIED = 4096
"""Combinations of values; conditions that need more are left alone."""
MOST_PAIRS = 3000
"""Pairs of conditions that are held against each other, milliseconds each; all those of 5,000 rules take hours."""
MOST_NAMES = 5000
"""Among so many names one is suggested for one that nobody has."""
_OTHER_TEXT = "\x00any other text"

Tried = Sequence[Mapping[str, Value]]
"""Combinations of values of the fields that some conditions read."""


def warnings_of(
    ruleset: RuleSet, profiles: Mapping[str, DeviceProfile], about: Collection[str] | None = None
) -> list[FileError]:
    """Return what to think over in rules that ``check_rules`` found right, each with its place.

    ``about``: ids of the rules that are looked at, and held against all others; None: all, which takes time with the
    square of their number.
    """
    found: list[FileError] = []
    conditions = [rule for rule in ruleset.rules if isinstance(rule, ConditionRule)]
    for rule in conditions:
        if about is not None and rule.id not in about:
            continue
        for profile in _watched(rule, profiles):
            if warning := _about(ruleset, rule, profile):
                found.append(warning)
                break
    for absent in ruleset.rules:
        if isinstance(absent, AbsentRule) and (about is None or absent.id in about):
            for profile in profiles.values():
                if absent.applies_to(profile.name) and (warning := _worse_at_once(ruleset, absent, profile)):
                    found.append(warning)
                    break
    held = 0
    for one, other in itertools.combinations(conditions, 2):
        if about is not None and one.id not in about and other.id not in about:
            continue
        if not _may_overlap(one, other):
            continue
        held += 1
        if held > MOST_PAIRS:
            message = sentence(
                "more than {1} pairs of rules read the same fields; the rest was not compared", MOST_PAIRS
            )
            return [*found, ruleset.error(one, "when", message)]
        if warning := _overlap(ruleset, one, other, profiles):
            found.append(warning)
    return found


def overrides_for_nobody(
    ruleset: RuleSet, known: Mapping[str, Collection[str]], about: Collection[str] | None = None
) -> list[FileError]:
    """Return the overrides that name a device, customer, site, model or firmware there is none of.

    ``known``: what there is, by the selectors that are to be looked at. Who is named may be yet to come, so it is no
    error.
    """
    found: list[FileError] = []
    for rule in ruleset.rules:
        if about is not None and rule.id not in about:
            continue
        for index, override in enumerate(rule.overrides):
            for selector in SELECTORS:
                names = known.get(selector)
                for name in override.names(selector) if names is not None else ():
                    if names is not None and name not in names:
                        message = sentence(NOBODY[selector], name, _hint(name, names))
                        found.append(ruleset.error(rule, ("overrides", index, selector), message))
    return found


NOBODY = {
    "device": "there is no device '{1}' so far{2}",
    "customer": "there is no customer '{1}' so far{2}",
    "site": "no device stands at a site '{1}' so far{2}",
    "model": "no device is of the model '{1}' so far{2}",
    "firmware": "no device has the firmware '{1}' so far{2}",
}


def _hint(name: str, known: Collection[str]) -> str:
    # Among very many names one that is alike is found by chance, and slowly.
    close = difflib.get_close_matches(name, known, n=1, cutoff=SIMILAR) if len(known) <= MOST_NAMES else []
    return sentence("; did you mean '{1}'?", close[0]) if close else ""


def _about(ruleset: RuleSet, rule: ConditionRule, profile: DeviceProfile) -> FileError | None:
    when, clear = compile_expression(rule.when), compile_expression(rule.clear_when) if rule.clear_when else None
    tried = _tried([when], profile)
    if tried is None:
        return None
    answers = {_holds(when, values) for values in tried}
    if answers == {False}:
        return ruleset.error(
            rule, "when", sentence("can never hold within the bounds of the profile '{1}'", profile.name)
        )
    if answers == {True}:
        return ruleset.error(
            rule, "when", sentence("always holds within the bounds of the profile '{1}'", profile.name)
        )
    tried = _tried([when, clear], profile) if clear is not None else None
    if clear is None or tried is None:
        return None
    both = next((values for values in tried if _holds(when, values) and _holds(clear, values)), None)
    if both is not None:
        message = sentence(
            "holds while 'when' does ({1}), so the alert would resolve and fire again in turn", _said(both)
        )
        return ruleset.error(rule, "clear_when", message)
    if not any(_holds(clear, values) for values in tried):
        return ruleset.error(rule, "clear_when", sentence("can never hold, so what fires would never resolve"))
    return None


def _worse_at_once(ruleset: RuleSet, rule: AbsentRule, profile: DeviceProfile) -> FileError | None:
    """A longer silence that is none where the profile's own interval decides the first one."""
    first = SILENT_INTERVALS * profile.reporting_interval
    if rule.hold is not None:
        return None
    for severity, longer in rule.severities.items():
        if longer.hold <= first:
            message = sentence(
                "{1} is no longer than the {2} after which a device of the profile '{3}' is missed at all; "
                "give the rule a shorter 'for', or name its profile",
                format_duration(longer.hold),
                format_duration(first),
                profile.name,
            )
            return ruleset.error(rule, ("severities", severity.value, "for"), message)
    return None


def _may_overlap(one: ConditionRule, other: ConditionRule) -> bool:
    if one.mode != other.mode or (one.profile and other.profile and set(one.profile).isdisjoint(other.profile)):
        return False
    fields = set(compile_expression(one.when).fields)
    return not fields.isdisjoint(compile_expression(other.when).fields)


def _overlap(
    ruleset: RuleSet, one: ConditionRule, other: ConditionRule, profiles: Mapping[str, DeviceProfile]
) -> FileError | None:
    if one.id in other.inhibited_by or other.id in one.inhibited_by or one.mode != other.mode:
        return None
    shared = [profile for profile in _watched(one, profiles) if other.applies_to(profile.name)]
    expressions = [compile_expression(one.when), compile_expression(other.when)]
    if not shared or not set(expressions[0].fields) & set(expressions[1].fields):
        return None
    tried = _tried(expressions, shared[0])
    if tried is None:
        return None
    answers = [(_holds(expressions[0], values), _holds(expressions[1], values)) for values in tried]
    # What can never hold, or always does, has a warning of its own.
    if any(len({answer[side] for answer in answers}) < 2 for side in (0, 1)):
        return None
    ones_in_other = all(second for first, second in answers if first)
    others_in_one = all(first for first, second in answers if second)
    if ones_in_other and others_in_one and one.hold == other.hold:
        return ruleset.error(
            other, "when", sentence("says the same as rule '{1}': one fault would open two cases", one.id)
        )
    narrow, wide = (one, other) if ones_in_other else (other, one)
    if (ones_in_other or others_in_one) and narrow.hold >= wide.hold and narrow.severity.rank <= wide.severity.rank:
        message = sentence(
            "whenever this fires, '{1}' has fired, and no milder: one fault would open two cases; "
            "raise its severity, or name '{1}' in its inhibited_by",
            wide.id,
        )
        return ruleset.error(narrow, "when", message)
    return None


def _watched(rule: BaseRule, profiles: Mapping[str, DeviceProfile]) -> Iterator[DeviceProfile]:
    fields = compile_expression(rule.when).fields if isinstance(rule, ConditionRule) else ()
    for profile in profiles.values():
        if rule.applies_to(profile.name) and all(name in profile.fields or name == "online" for name in fields):
            yield profile


def _tried(expressions: Sequence[Expression], profile: DeviceProfile) -> Tried | None:
    """Return the combinations that decide some conditions; None where comparisons are not all they are made of."""
    choices: dict[str, list[Value]] = {}
    literals: dict[str, set[Value]] = {}
    if any(expression.calls for expression in expressions):
        # What an average of an hour may be is not decided by what a value may be.
        return None
    for expression in expressions:
        compared = {comparison.reference.start: comparison for comparison, _ in expression.comparisons}
        for reference in expression.references:
            comparison = compared.get(reference.start)
            name = reference.field
            spec = profile.fields.get(name)
            if comparison is None:
                if name != "online" and (spec is None or spec.type != "bool"):
                    return None
                literals.setdefault(name, set())
            elif comparison.literal is None:
                return None
            else:
                literals.setdefault(name, set()).add(comparison.literal)
    for name, said in literals.items():
        numbers = sorted(value for value in said if isinstance(value, float))
        if numbers and len(numbers) == len(said):
            choices[name] = _numbers(numbers, profile, name)
        elif said and all(isinstance(value, str) for value in said):
            choices[name] = [*sorted(map(str, said)), _OTHER_TEXT]
        elif all(isinstance(value, bool) for value in said):
            choices[name] = [False, True]
        else:
            return None
    count = 1
    for values in choices.values():
        count *= len(values)
    if not 0 < count <= MAX_TRIED:
        return None
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def _numbers(limits: list[float], profile: DeviceProfile, name: str) -> list[Value]:
    """Values at, between and beyond the limits, as far as the field can take them."""
    spec = profile.fields[name]
    low = spec.minimum if spec.minimum is not None else limits[0] - 1
    high = spec.maximum if spec.maximum is not None else limits[-1] + 1
    between = [(below + above) / 2 for below, above in itertools.pairwise([limits[0] - 1, *limits, limits[-1] + 1])]
    return [value for value in sorted({*limits, *between, low, high}) if low <= value <= high]


def _holds(expression: Expression, values: Mapping[str, Value]) -> bool:
    return expression.evaluate(Scope(values, expression.variables)) is True


def _said(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
