"""Single rules taken out of the text of rule files, with their comments and cases as somebody wrote them."""

import json
from collections.abc import Iterable, Sequence
from textwrap import dedent, indent

import yaml

from device_models.yaml_lines import Document, InvalidFileError, load_yaml
from rules.authoring.migration import as_written
from rules.base import BaseRule
from rules.schema import RuleSet, parse_rules

_STEP = "  "


def text_of(rules: Sequence[BaseRule], sources: Iterable[tuple[str, str]]) -> str:
    """Write ``rules`` as one file, in this order.

    Each stands as the first of ``sources``, (text, filename), writes it that says the very same; one that none says so
    is written out anew, without comments. Cases of a rule come along from where the rule does.
    """
    documents = [found for text, name in sources if (found := _read(text, name)) is not None]
    items, cases = [], []
    for rule in rules:
        written = None
        for document, text, ruleset in documents:
            place = (ruleset.places or {}).get(rule.id)
            if place is None or ruleset[rule.id] != rule or (item := _item(document, text, "rules", place[1])) is None:
                continue
            written = item
            cases += _cases_of(document, text, rule.id)
            break
        items.append(_dumped(rule) if written is None or not _says(written, rule) else written)
    text = "rules:\n" + "\n".join(indent(item, _STEP) for item in items)
    return f"{text}\ntests:\n" + "".join(indent(case, _STEP) for case in cases) if cases else text


def _read(text: str, name: str) -> tuple[Document, str, RuleSet] | None:
    try:
        return load_yaml(text, name), text, parse_rules(text, name)
    except InvalidFileError:
        return None


def _says(item: str, rule: BaseRule) -> bool:
    """Whether the item alone is the rule: an alias to elsewhere in its file, or a list on one line, is not."""
    try:
        return parse_rules("rules:\n" + indent(item, _STEP), rule.id).rules == (rule,)
    except InvalidFileError:
        return False


def _item(document: Document, text: str, section: str, index: int) -> str | None:
    """Return the lines of one item of a list with the comments above it, moved to the margin."""
    lines = text.splitlines()
    first = _begins(document, lines, section, index)
    if first is None:
        return None
    after = _begins(document, lines, section, index + 1)
    end = after if after is not None else _section_ends(document, lines, first)
    return dedent("\n".join(lines[first:end])).strip("\n") + "\n"


def _begins(document: Document, lines: Sequence[str], section: str, index: int) -> int | None:
    if not 0 <= index < len(document.data[section]):
        return None
    line = document.mark((section, index))[0] - 1
    if not lines[line].lstrip().startswith("- "):
        return None
    while line and lines[line - 1].lstrip().startswith("#"):
        line -= 1
    return line


def _section_ends(document: Document, lines: Sequence[str], first: int) -> int:
    starts = (document.mark_key((key,))[0] - 1 for key in document.data)
    end = min((start for start in starts if start > first), default=len(lines))
    while end > first and lines[end - 1].startswith("#"):
        # A comment at the margin is about what comes next.
        end -= 1
    return end


def _cases_of(document: Document, text: str, rule_id: str) -> list[str]:
    cases = document.data.get("tests") or []
    found = []
    for index, case in enumerate(cases):
        if isinstance(case, dict) and case.get("rule") == rule_id:
            item = _item(document, text, "tests", index)
            try:
                alone = item is not None and load_yaml(item, "").data == [case]
            except InvalidFileError:
                alone = False
            found.append(item if alone and item is not None else _flow(case))
    return found


def _dumped(rule: BaseRule) -> str:
    said = yaml.safe_dump([as_written(rule)], allow_unicode=True, sort_keys=False, width=100)
    # PyYAML leaves quotes out where YAML 1.1 needs none, such as around 1e3.
    return said if _says(said, rule) else _flow(as_written(rule))


def _flow(value: object) -> str:
    return f"- {json.dumps(value, ensure_ascii=False)}\n"
