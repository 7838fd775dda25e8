"""``gateway rules suggest``: a better threshold, ``for`` and hysteresis from verdicts, as a diff to the rule's file."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from device_models.duration import parse_duration
from device_models.yaml_lines import InvalidFileError
from gateway.backtest.sources import History as HistorySource
from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.clock import Clock
from gateway.config import Config, ConfigError
from gateway.errors import StartRefused
from gateway.history import HistoryError
from gateway.rulebook.files import load_profiles, load_rules
from gateway.rulebook.proposals import VERIFIED, Answer, Terms, propose
from rules.authoring.rule_edit import NotEditable, with_settings
from rules.authoring.suggestion import Favour, Suggestion
from rules.schema import RuleSet


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one rule, and how its file would change."""

    answer: Answer
    diff: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return self.answer.as_dict() | {"diff": self.diff or None}


def suggest_rules(
    rule: Annotated[list[str] | None, typer.Option(help="Only this rule; any number of times.")] = None,
    since: Annotated[str, typer.Option(help="How far back verdicts and history count.", metavar="DURATION")] = "90d",
    keep: Annotated[
        float, typer.Option(help="The share of the real ones found now that must be found still.", min=0, max=1)
    ] = 1.0,
    favour: Annotated[
        str, typer.Option(help="precision: as few false alarms as can be; recall: as many real ones as can be.")
    ] = "precision",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a rule, with the whole curve.")] = False,
    config: ConfigOption = None,
) -> None:
    """Propose threshold, ``for`` and hysteresis of rules from the verdicts on their cases.

    stdout has a unified diff to the rule files (apply it with patch -p0), stderr the figures. Each setting is run by
    the very engine over what was recorded around the judged cases, what is proposed over the whole history as well.
    """
    expected = (ConfigError, StartRefused, HistoryError, InvalidFileError, OSError, ValueError)
    with plain_errors(*expected):
        if favour not in ("precision", "recall"):
            raise ValueError(f"--favour {favour}: write precision or recall")
        settings = read_config(config)
        answers = _answers(
            settings, rule or [], parse_duration(since), keep, "recall" if favour == "recall" else "precision"
        )
    for told in answers:
        if as_json:
            print(json.dumps(told.as_dict(), ensure_ascii=False))
            continue
        for line in _lines(told.answer):
            stderr.print(line, soft_wrap=True, markup=False, highlight=False)
        if told.diff:
            print(told.diff, end="")
    proposing = sum(told.answer.proposes for told in answers)
    stderr.print(f"{proposing} of {len(answers)} rules could be better; looked back {since}", soft_wrap=True)


def _answers(config: Config, wanted: Sequence[str], span: timedelta, keep: float, favour: Favour) -> list[Told]:
    profiles = load_profiles(config)
    ruleset = load_rules(config)
    for name in wanted:
        if name not in {rule.id for rule in ruleset.rules}:
            raise ValueError(f"there is no rule '{name}' in the rule files")
    terms = Terms(span, Clock().now(), keep, favour)
    with HistorySource.opened(config, profiles, span, terms.until) as source:
        answers = [
            propose(config, source, rule, profiles, terms) for rule in ruleset.rules if not wanted or rule.id in wanted
        ]
    return [Told(one, _diff(ruleset, one.suggestion) if one.proposes and one.suggestion else "") for one in answers]


def _diff(ruleset: RuleSet, found: Suggestion) -> str:
    place = (ruleset.places or {}).get(found.rule.id)
    if place is None:
        return ""
    document, index = place
    text = Path(document.filename).read_text(encoding="utf-8")
    try:
        edited = with_settings(document, text, index, {change["field"]: change["after"] for change in found.changes()})
    except NotEditable as error:
        stderr.print(str(error), soft_wrap=True, markup=False)
        return ""
    lines = difflib.unified_diff(
        text.splitlines(keepends=True), edited.splitlines(keepends=True), document.filename, document.filename
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(answer: Answer) -> list[str]:
    unrecorded = f" ({answer.unrecorded} verdicts have nothing recorded around them)" if answer.unrecorded else ""
    if answer.refusal is not None:
        return [f"{answer.rule}: {answer.refusal.message}{unrecorded}"]
    found = answer.suggestion
    if found is None:
        return []
    head = "no better setting found" if not found.changed else answer.withdrawn or "could be better"
    lines = [f"{answer.rule}: {head}; {len(found.tried)} settings tried{unrecorded}"]
    lines += [
        f"    {change['field']}: {change['before'] or 'not set'} → {change['after']}: {change['why']}"
        for change in found.changes()
    ]
    told = found.as_dict()
    lines.append(f"    now:      {_figures(told['now'])}")
    if found.changed:
        lines.append(f"    proposed: {_figures(told['proposed'])}")
        lines.append(f"    expected of new cases: {_rates(told['cross_checked'])} (each verdict left out in turn)")
    if answer.verified:
        was, would = answer.verified["now"], answer.verified["proposed"]
        changes = ", ".join(f"{name} {was[name]} → {would[name]}" for name in VERIFIED)
        lines.append(f"    over the whole history: {changes}")
    lines += ["    curve:    limit       for   precision  recall"]
    lines += [f"        {_row(point)}" for point in told["curve"]]
    return lines + [f"    note: {note}" for note in found.notes]


def _figures(told: Mapping[str, Any]) -> str:
    return f"{_rates(told)}, {told['alerts']} alerts, {told['unjudged_alerts']} of them nobody judged"


def _rates(told: Mapping[str, Any]) -> str:
    interval = told["precision_95"]
    sure = f" (95 %: {interval[0]:.0%}–{interval[1]:.0%})" if interval else ""
    counts = f"{told['real_found']} real, {told['false_alarms']} false"
    return f"precision {_percent(told['precision'])}{sure}, recall {_percent(told['recall'])}; {counts}"


def _row(point: Mapping[str, Any]) -> str:
    return f"{point['limit']:>11g} {point['for']:>9} {_percent(point['precision']):>11} {_percent(point['recall']):>7}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"
