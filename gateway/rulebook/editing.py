"""What a text would do to the rules in force, before anybody puts it there: right or wrong, its cases, what differs."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

from device_models.profile import DeviceProfile
from device_models.sentences import Sentence, sentence
from device_models.yaml_lines import Document, FileError, InvalidFileError, load_yaml
from rules.authoring.check import check_rules
from rules.authoring.migration import Difference, differences
from rules.authoring.overlap import overrides_for_nobody, warnings_of
from rules.authoring.rule_tests import Case, Outcome, read_cases, run_case
from rules.schema import RuleSet, parse_rules

NAME = "draft"
"""The file's name in what is said of a text."""
MOST_SAMPLES = 20_000
"""Of the cases of one text that are run as it is written; more take longer than a person waits."""
LARGEST_TEXT = 512 * 1024
_MEANT = re.compile(r"'([^']+)'[^';]*; did you mean '([^']+)'\?$|'([^']+)'; it arrives as '([^']+)'$")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a text."""

    rules: RuleSet
    """Those in the text; empty where it cannot be read."""
    in_force: RuleSet | None
    """What would be in force with it; None where it is wrong."""
    errors: Sequence[FileError] = ()
    warnings: Sequence[FileError] = ()
    cases: Sequence[Outcome] = ()
    untried: int = 0
    """Cases that were not run, being too long for it."""
    changes: Sequence[Difference] = ()

    @property
    def right(self) -> bool:
        """Whether it may go live."""
        return self.in_force is not None

    @property
    def failed(self) -> int:
        """Cases that did not pass."""
        return sum(bool(case.failures) for case in self.cases)

    def as_dict(self, say: Callable[[str], str] = str) -> dict[str, Any]:
        """Return it JSON-ready, its sentences as ``say`` says them: in English, where nothing else is asked."""
        return {
            "right": self.right,
            "errors": [problem(error, say) for error in self.errors],
            "warnings": [problem(warning, say) for warning in self.warnings],
            "tests": [{"name": c.name, "line": c.line, "failures": [say(f) for f in c.failures]} for c in self.cases],
            "untried_tests": self.untried,
            "changes": [
                {"rule": c.rule, "change": c.change, "fields": {name: list(pair) for name, pair in c.fields.items()}}
                for c in self.changes
            ],
            "version": self.in_force.version if self.in_force else None,
        }


def look_at(
    text: str,
    replaces: Collection[str],
    live: RuleSet,
    profiles: Mapping[str, DeviceProfile],
    *,
    thorough: bool = True,
    known: Callable[[RuleSet], Mapping[str, Collection[str]]] = lambda _: {},
) -> Look:
    """Check ``text`` as what stands in place of the rules ``replaces`` among those that are live.

    A rule of ``replaces`` that is not in the text goes; one that is new comes behind the others. Takes time, as the
    cases are run: call it in a thread, or leave cases and warnings out (``thorough``). ``known`` tells whom and
    what the overrides of a rule set may name.
    """
    try:
        rules = parse_rules(text, NAME)
        document = load_yaml(text, NAME)
    except InvalidFileError as error:
        return Look(RuleSet(), None, error.errors)
    errors = list(_taken(rules, replaces, live))
    if errors:
        return Look(rules, None, errors)
    after = with_text(rules, replaces, live)
    if errors := check_rules(after, profiles):
        return Look(rules, None, sorted(errors, key=lambda error: (error.line, error.column)))
    if not thorough:
        return Look(rules, after, changes=differences(live, after))
    own = {rule.id for rule in rules.rules}
    warnings = [*warnings_of(after, profiles, own), *overrides_for_nobody(after, known(after), own)]
    cases, untried, wrong = _run_cases(document, after, profiles)
    if wrong:
        return Look(rules, None, wrong, warnings)
    return Look(rules, after, (), warnings, cases, untried, differences(live, after))


def with_text(rules: RuleSet, replaces: Collection[str], live: RuleSet) -> RuleSet:
    """Put ``rules`` among those that are live, each at the place of the one it replaces."""
    new = {rule.id: rule for rule in rules.rules}
    kept = [new.pop(rule.id, None) if rule.id in replaces else rule for rule in live.rules]
    return RuleSet.of([*(rule for rule in kept if rule is not None), *new.values()], rules.places)


def problem(error: FileError, say: Callable[[str], str] = str) -> dict[str, Any]:
    """Present an error, with what was probably meant as ``instead_of`` and ``suggestion``.

    ``type`` is the same whatever the language and the ``values`` are; ``other`` where a library said it.
    """
    said = {"line": error.line, "column": error.column, "field": error.field, "message": say(error.message)}
    known = error.message if isinstance(error.message, Sentence) else None
    said |= {"type": known.code if known else "other", "values": list(map(str, known.values)) if known else []}
    if found := _MEANT.search(error.message):
        wrong, meant = (found[1], found[2]) if found[1] else (found[3], found[4])
        return {**said, "instead_of": wrong, "suggestion": meant}
    return said


def changed_lines(before: str, after: str) -> list[str]:
    """Compare two texts line by line, three lines around each change; without the names at the top."""
    return [line.rstrip("\n") for line in unified_diff(before.splitlines(), after.splitlines(), lineterm="")][2:]


def _taken(rules: RuleSet, replaces: Collection[str], live: RuleSet) -> Iterator[FileError]:
    others = {rule.id for rule in live.rules} - set(replaces)
    for rule in rules.rules:
        if rule.id in others:
            yield rules.error(
                rule, "id", sentence("another rule in force is '{1}'; edit that one, or name this otherwise", rule.id)
            )


def _run_cases(
    document: Document, ruleset: RuleSet, profiles: Mapping[str, DeviceProfile]
) -> tuple[list[Outcome], int, Sequence[FileError]]:
    try:
        cases = read_cases(document)
    except InvalidFileError as error:
        return [], 0, error.errors
    outcomes: list[Outcome] = []
    size = 0
    for case, line in cases:
        size += _size(case)
        if size > MOST_SAMPLES:
            return outcomes, len(cases) - len(outcomes), ()
        outcomes.append(run_case(case, line, ruleset, profiles))
    return outcomes, 0, ()


def _size(case: Case) -> int:
    return sum(
        1 if given.every is None or given.until is None else int((given.until - given.at) / given.every) + 1
        for given in case.given
    )
