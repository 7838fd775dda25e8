"""Rule files: YAML into rules, every mistake with its line and column."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, ValidationError

from device_models.sentences import sentence
from device_models.yaml_lines import Document, FileError, InvalidFileError, Location, load_yaml
from rules.base import BaseRule
from rules.kinds.absent import AbsentRule
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

AnyRule = Annotated[
    ConditionRule
    | AbsentRule
    | AnomalyRule
    | ChangeRule
    | ErrorCodeRule
    | FleetRule
    | ForecastRule
    | GeofenceRule
    | MaintenanceRule
    | ProximityRule
    | SequenceRule,
    Field(discriminator="kind"),
]
"""The union of all kinds; its JSON Schema is what editors complete by."""

KINDS: Mapping[str, type[BaseRule]] = {
    model.model_fields["kind"].default: model
    for model in (
        ConditionRule,
        AbsentRule,
        AnomalyRule,
        ChangeRule,
        ErrorCodeRule,
        FleetRule,
        ForecastRule,
        GeofenceRule,
        MaintenanceRule,
        ProximityRule,
        SequenceRule,
    )
}


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules of one or several files."""

    rules: tuple[BaseRule, ...] = ()
    version: str = ""
    """Digest of what the rules say; the same rules have the same version whatever files they stand in."""
    places: Mapping[str, tuple[Document, int]] | None = None
    """Where each rule stands, by id: its document and its index under ``rules``; None for rules made in code."""

    within: Location = ()
    """Where in a rule's mapping the settings stand that errors are about: an override's."""

    @classmethod
    def of(cls, rules: Iterable[BaseRule], places: Mapping[str, tuple[Document, int]] | None = None) -> "RuleSet":
        """Make a set of rules; raises ValueError where two have one id."""
        rules = tuple(rules)
        ids = [rule.id for rule in rules]
        twice = next((rule_id for rule_id in ids if ids.count(rule_id) > 1), None)
        if twice is not None:
            raise ValueError(sentence("two rules have the id '{1}'", twice))
        digest = hashlib.blake2b(digest_size=8)
        for rule in rules:
            digest.update(rule.model_dump_json(by_alias=True).encode() + b"\n")
        return cls(rules, digest.hexdigest(), places)

    def __getitem__(self, rule_id: str) -> BaseRule:
        """Return the rule with this id; raises KeyError."""
        for rule in self.rules:
            if rule.id == rule_id:
                return rule
        raise KeyError(rule_id)

    def error(self, rule: BaseRule, field: str | Location, message: str, offset: int = 0) -> FileError:
        """Make the error that ``message`` is about ``field`` of ``rule`` (a path where it is a setting within one),
        ``offset`` characters into its text."""
        path = (*self.within, *((field,) if isinstance(field, str) else field))
        if self.places is None or rule.id not in self.places:
            return FileError("<rules>", 1, 1, ".".join(map(str, (rule.id, *path))), message)
        document, index = self.places[rule.id]
        return _error_at(document, ("rules", index, *path), message, offset)


def parse_rules(text: str, filename: str) -> RuleSet:
    """Read one rule file: a mapping with the list ``rules``.

    Raises InvalidFileError with every error found, each with file, line, column and field.
    """
    return merge_rules([(text, filename)])


def merge_rules(files: Iterable[tuple[str, str]]) -> RuleSet:
    """Read several rule files, each (text, filename), as one set.

    Raises InvalidFileError with the errors of all files; an id that is used twice names both places.
    """
    errors: list[FileError] = []
    rules: list[BaseRule] = []
    places: dict[str, tuple[Document, int]] = {}
    for text, filename in files:
        try:
            document = load_yaml(text, filename)
        except InvalidFileError as error:
            errors.extend(error.errors)
            continue
        for index, item in enumerate(_items(document, errors)):
            rule = _rule(document, index, item, errors)
            if rule is None:
                continue
            if rule.id in places:
                other, at = places[rule.id]
                line, column = other.mark(("rules", at, "id"))
                message = sentence(
                    "'{1}' is already the id of the rule at {2}:{3}:{4}", rule.id, other.filename, line, column
                )
                errors.append(document.error(("rules", index, "id"), message))
                continue
            places[rule.id] = (document, index)
            rules.append(rule)
    if errors:
        raise InvalidFileError(errors)
    return RuleSet.of(rules, places)


def _items(document: Document, errors: list[FileError]) -> list[Any]:
    data = document.data
    if data is None:
        return []
    if not isinstance(data, dict) or not isinstance(data.get("rules"), list):
        errors.append(document.error(("rules",), sentence("a rule file is a mapping with the list 'rules'")))
        return []
    errors.extend(
        document.error((key,), sentence("is no field known here")) for key in data if key not in ("rules", "tests")
    )
    return list(data["rules"])


def _rule(document: Document, index: int, item: Any, errors: list[FileError]) -> BaseRule | None:
    loc: Location = ("rules", index)
    if not isinstance(item, dict):
        errors.append(document.error(loc, sentence("a rule is a mapping with id and kind")))
        return None
    kind = item.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        kinds = ", ".join(KINDS)
        absent = sentence("is missing; there are {1}", kinds)
        wrong_kind = absent if kind is None else sentence("'{1}' is no kind of rule; there are {2}", kind, kinds)
        errors.append(document.error((*loc, "kind"), wrong_kind))
        return None
    try:
        rule = KINDS[kind].model_validate(item)
    except ValidationError as error:
        errors.extend(_errors_of(document, loc, error))
        return None
    if rule.overrides and isinstance(rule, FleetRule | ProximityRule):
        errors.append(
            document.error((*loc, "overrides"), sentence("a rule of the kind {1} is the same for every device", kind))
        )
        return None
    wrong = [found for i in range(len(rule.overrides)) for found in _wrong_override(document, loc, rule, i)]
    errors.extend(wrong)
    return None if wrong else rule


def _wrong_override(document: Document, loc: Location, rule: BaseRule, index: int) -> list[FileError]:
    try:
        effective(rule, [rule.overrides[index]])
    except ValidationError as error:
        return _errors_of(document, (*loc, "overrides", index), error)
    return []


def _errors_of(document: Document, loc: Location, error: ValidationError) -> list[FileError]:
    """Translate pydantic's errors about what stands at ``loc``; those of a condition point into it."""
    found = []
    for made, detail in zip(document.errors_of(error, loc), error.errors(include_url=False), strict=True):
        offset = detail.get("ctx", {}).get("offset", 0)
        found.append(_error_at(document, loc + detail["loc"], made.message, offset) if offset else made)
    return found


def _error_at(document: Document, loc: Location, message: str, offset: int) -> FileError:
    error = document.error(loc, message)
    line, column = document.mark_inside(loc, offset)
    return FileError(error.file, line, column, error.field, message)
