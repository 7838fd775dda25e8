"""What is wrong with rules for the profiles there are: misspelt fields, text compared with numbers, no such code."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from device_models.message_count import MISSED, RESTARTS
from device_models.profile import DeviceProfile, FieldSpec
from device_models.sentences import sentence
from device_models.yaml_lines import FileError, Location
from rules.base import BaseRule, Override
from rules.conditions.functions import FUNCTIONS, Call
from rules.expression import Expression, FieldType, compile_expression, problems
from rules.kinds.anomaly import AnomalyRule
from rules.kinds.change import ChangeRule
from rules.kinds.condition import ConditionRule
from rules.kinds.error_code import ErrorCodeRule
from rules.kinds.fleet import FleetRule
from rules.kinds.forecast import ForecastRule
from rules.kinds.geofence import GeofenceRule
from rules.kinds.maintenance import MaintenanceRule
from rules.kinds.proximity import ProximityRule
from rules.kinds.sequence import SequenceRule
from rules.override import effective
from rules.schema import RuleSet

ALWAYS_THERE: Mapping[str, FieldType] = {"online": "bool"}
"""Fields that no profile declares: presence events carry them for every device."""
_ARTICLES: Mapping[str, str] = {"text": sentence("a text"), "bool": sentence("true or false")}
SIMILAR = 0.6
"""How alike two names must be for one to be suggested for the other (``difflib``'s ratio)."""


def check_rules(ruleset: RuleSet, profiles: Mapping[str, DeviceProfile]) -> list[FileError]:
    """Check rules against profiles, by name; every error has the place in the rule's file and, where there is one, a
    suggestion. The schema itself was checked when the files were read (``rules.schema``)."""
    errors: list[FileError] = []
    by_id = {rule.id: rule for rule in ruleset.rules}
    ids = set(by_id)
    for rule in ruleset.rules:
        errors.extend(
            ruleset.error(rule, "inhibited_by", sentence("there is no rule '{1}' here{2}", name, _hint(name, ids)))
            for name in rule.inhibited_by
            if name not in ids
        )
        if rule.id in rule.inhibited_by:
            errors.append(ruleset.error(rule, "inhibited_by", sentence("a rule cannot explain itself")))
        errors.extend(
            ruleset.error(
                rule, "inhibited_by", sentence("'{1}' counts devices; name what it counts the faults of", name)
            )
            for name in rule.inhibited_by
            if isinstance(by_id.get(name), FleetRule)
        )
        unknown = [name for name in rule.profile if name not in profiles]
        errors.extend(
            ruleset.error(rule, "profile", sentence("there is no profile '{1}'{2}", name, _hint(name, profiles)))
            for name in unknown
        )
        watched = [profile for profile in profiles.values() if rule.applies_to(profile.name)]
        if watched and not unknown:
            errors.extend(_check(ruleset, rule, watched))
            for index, override in enumerate(rule.overrides):
                errors.extend(_check_override(ruleset, rule, index, override, watched))
    return errors


def _check_override(
    ruleset: RuleSet, rule: BaseRule, index: int, override: Override, watched: list[DeviceProfile]
) -> Iterator[FileError]:
    here = effective(rule, [override])
    if here is None:
        return
    within = ("overrides", index)
    for error in _check(replace(ruleset, within=within), here, watched):
        # What the rule itself says was looked at before.
        if any(f".overrides.{index}.{name}" in error.field for name in override.settings):
            yield error


def types_of(profile: DeviceProfile) -> dict[str, FieldType | None]:
    """Return the type of each field and alias of a profile, None where it is not known."""
    types: dict[str, FieldType | None] = dict(ALWAYS_THERE)
    for name, spec in profile.fields.items():
        types[name] = _type_of(spec)
    return types | dict.fromkeys((MISSED, RESTARTS) if profile.sequence is not None else (), "number")


def _check(ruleset: RuleSet, rule: BaseRule, watched: list[DeviceProfile]) -> Iterator[FileError]:
    match rule:
        case ConditionRule():
            yield from _expressions(ruleset, rule, {"when": rule.when, "clear_when": rule.clear_when}, watched)
            for severity, rise in rule.severities.items():
                of = ("severities", severity.value)
                yield from _condition(ruleset, rule, (*of, "when"), rise.when, watched)
                if rise.clear_when is not None:
                    yield from _condition(ruleset, rule, (*of, "clear_when"), rise.clear_when, watched)
        case ChangeRule():
            yield from _expressions(
                ruleset, rule, {"of": rule.of, "unless": rule.unless, "clear_when": rule.clear_when}, watched
            )
            if rule.field is not None:
                yield from _number(ruleset, rule, "field", rule.field, watched)
        case ErrorCodeRule():
            catalogue = {code for profile in watched for code in profile.errors}
            for code in rule.codes:
                if code not in catalogue:
                    message = sentence("no profile's catalogue has the code '{1}'{2}", code, _hint(code, catalogue))
                    yield ruleset.error(rule, "codes", message)
            if rule.profile and not catalogue:
                yield ruleset.error(
                    rule, "profile", sentence("{1} no error codes, so this never fires", _named(watched))
                )
        case AnomalyRule():
            for name in rule.watched:
                yield from _number(ruleset, rule, "field" if rule.field else "fields", name, watched)
        case FleetRule():
            yield from _counted(ruleset, rule, watched)
        case ForecastRule():
            yield from _number(ruleset, rule, "field", rule.field, watched)
        case GeofenceRule():
            sources = {"moved_while": rule.moved_while, "unless": rule.unless}
            yield from _expressions(ruleset, rule, sources, watched)
        case MaintenanceRule():
            plans = {name for profile in watched for name in profile.maintenance}
            for name in rule.plans:
                if name not in plans:
                    yield ruleset.error(
                        rule, "plans", sentence("no profile has the service plan '{1}'{2}", name, _hint(name, plans))
                    )
            if rule.profile and not plans:
                yield ruleset.error(
                    rule, "profile", sentence("{1} no service plans, so this never fires", _named(watched))
                )
        case SequenceRule():
            names = ("first", "then", "then_not", "without", "clear_when")
            yield from _expressions(ruleset, rule, {name: getattr(rule, name) for name in names}, watched)
        case ProximityRule() | _:
            return


def _condition(
    ruleset: RuleSet, rule: BaseRule, field: str | Location, source: str, watched: list[DeviceProfile]
) -> Iterator[FileError]:
    expression = compile_expression(source)
    types = [types_of(profile) for profile in watched]
    # A rule for all profiles acts on those that have its fields; a rule that names its profiles means each of them.
    everywhere = bool(rule.profile)
    calls = {call.start: call for call in expression.found_calls}
    for reference in expression.references:
        call = calls.get(reference.start)
        if call is not None and call.field is None:
            continue
        offset = call.field_start if call is not None else reference.start
        lacking = [p for p, known in zip(watched, types, strict=True) if _lacks(p, known, reference.field)]
        if lacking and (everywhere or len(lacking) == len(watched)):
            known = {name for profile in lacking for name in types_of(profile)}
            message = sentence(
                "{1} no field '{2}'{3}", _named(lacking), reference.field, _field_hint(reference.field, known, watched)
            )
            yield ruleset.error(rule, field, message, offset)
        elif call is not None and (misuse := _misused(call, watched, everywhere=everywhere)):
            yield ruleset.error(rule, field, misuse, offset)
    seen: set[tuple[str, int]] = set()
    for profile, known_types in zip(watched, types, strict=True):
        if any(_lacks(profile, known_types, name) for name in expression.fields):
            continue
        for problem in problems(expression, _with_unknown(expression, known_types)):
            if (problem.message, problem.offset) not in seen:
                seen.add((problem.message, problem.offset))
                yield ruleset.error(rule, field, problem.message, problem.offset)


def _misused(call: Call, watched: list[DeviceProfile], *, everywhere: bool) -> str | None:
    """Tell what is wrong with what a function is asked of."""
    takes = FUNCTIONS[call.name].field
    wrong = next((t for p in watched if (t := types_of(p).get(call.field or "")) in ("text", "bool")), None)
    if takes == "number" and wrong is not None:
        hint = sentence("; 'count' and 'age' take any field") if call.name != "nominal" else ""
        return sentence("{1} needs a number, and '{2}' is {3}{4}", call.name, call.field, _ARTICLES[wrong], hint)
    if call.name == "nominal":
        without = [p for p in watched if (s := p.fields.get(call.field or "")) is None or s.nominal is None]
        if without and (everywhere or len(without) == len(watched)):
            return sentence(
                "{1} no nominal value for '{2}'; give the field one: nominal: 5", _named(without), call.field
            )
    return None


def _expressions(
    ruleset: RuleSet, rule: BaseRule, sources: Mapping[str, str | None], watched: list[DeviceProfile]
) -> Iterator[FileError]:
    for field, source in sources.items():
        if source is not None:
            yield from _condition(ruleset, rule, field, source, watched)


def _number(
    ruleset: RuleSet, rule: BaseRule, setting: str, name: str, watched: list[DeviceProfile]
) -> Iterator[FileError]:
    """Check a setting that names a field to be measured."""
    lacking = [profile for profile in watched if _lacks(profile, types_of(profile), name)]
    if lacking and (rule.profile or len(lacking) == len(watched)):
        known = {field for profile in lacking for field in types_of(profile)}
        message = sentence("{1} no field '{2}'{3}", _named(lacking), name, _field_hint(name, known, watched))
        yield ruleset.error(rule, setting, message)
    elif any(types_of(profile).get(name) in ("text", "bool") for profile in watched):
        yield ruleset.error(rule, setting, sentence("'{1}' is no number", name))


def _counted(ruleset: RuleSet, rule: FleetRule, watched: list[DeviceProfile]) -> Iterator[FileError]:
    """Check the rules whose faults a fleet rule counts."""
    by_id = {each.id: each for each in ruleset.rules}
    for name in rule.of:
        of = by_id.get(name)
        if of is None:
            yield ruleset.error(rule, "of", sentence("there is no rule '{1}' here{2}", name, _hint(name, by_id)))
        elif isinstance(of, FleetRule | ProximityRule):
            yield ruleset.error(
                rule, "of", sentence("'{1}' is of the kind {2}, which is no fault of a device", name, of.kind)
            )
        elif not any(of.applies_to(profile.name) for profile in watched):
            yield ruleset.error(
                rule, "of", sentence("'{1}' is for other profiles, so none of its faults is counted", name)
            )
    if rule.inhibited_by:
        yield ruleset.error(
            rule, "inhibited_by", sentence("a fleet rule is explained by nothing; say it of the rules that it counts")
        )


def _lacks(profile: DeviceProfile, types: Mapping[str, FieldType | None], name: str) -> bool:
    # Nobody described what a device of the profile generic sends; a service plan's counter may be any field.
    return bool(profile.fields) and name not in types and profile.name != "generic"


def _with_unknown(expression: Expression, types: Mapping[str, FieldType | None]) -> dict[str, FieldType | None]:
    return {name: types.get(name) for name in expression.fields}


def _type_of(spec: FieldSpec) -> FieldType | None:
    if spec.type is not None:
        return spec.type
    numeric = spec.unit or spec.minimum is not None or spec.maximum is not None or spec.nominal is not None
    return "number" if numeric else None


def _field_hint(name: str, known: Iterable[str], watched: list[DeviceProfile]) -> str:
    """An alias is no field: conditions are written in the profile's own names. A function without brackets is none."""
    if name in FUNCTIONS:
        return sentence("; '{1}' is a function: {2}", name, FUNCTIONS[name].example)
    for profile in watched:
        for field, spec in profile.fields.items():
            if name in spec.aliases:
                return sentence("; it arrives as '{1}'", field)
    return _hint(name, known)


def _hint(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=SIMILAR)
    return sentence("; did you mean '{1}'?", close[0]) if close else ""


def _named(profiles: list[DeviceProfile]) -> str:
    names = ", ".join(f"'{profile.name}'" for profile in profiles)
    return sentence("the profile {1} has", names) if len(profiles) == 1 else sentence("the profiles {1} have", names)
