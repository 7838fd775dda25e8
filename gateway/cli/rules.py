"""``gateway rules``: check rule files, run the cases beside them, try them on recorded data, put them live."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from device_models.yaml_lines import InvalidFileError, load_yaml
from gateway.cli import rules_backtest, rules_live, rules_review, rules_suggest, rules_why
from gateway.cli.options import ConfigOption, plain_errors, stderr
from gateway.cli.rules_read import checked, leave, named_nobody, profiles_of, read_rules, yaml_files
from gateway.config import ConfigError
from rules.authoring.editor_schema import editor_schema
from rules.authoring.overlap import warnings_of
from rules.authoring.rule_tests import read_cases, run_case
from rules.schema import RuleSet

app = typer.Typer(help="Check rules, run their cases, try them on recorded data, put them live.", no_args_is_help=True)
app.command("backtest")(rules_backtest.backtest)
app.command("explain")(rules_why.explain)
app.command("review")(rules_review.review_rules)
app.command("suggest")(rules_suggest.suggest_rules)
app.command("put-live")(rules_live.put_live)
app.command("promote")(rules_live.promote)
app.command("roll-back")(rules_live.roll_back)
app.command("versions")(rules_live.versions)
app.command("diff")(rules_live.diff)

Files = Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.", exists=True)]


@app.command()
def check(files: Files, config: ConfigOption = None) -> None:
    """Check rule files against the profiles; errors as file:line:column, exit status 1 if there are any.

    What can never fire, undoes itself or doubles another rule is a warning beside them, and so is an override that
    names a device, customer, site, model or firmware that the configured store has none of.
    """
    with plain_errors(ConfigError, OSError):
        ruleset, profiles = checked(files, config)
        warnings = [*warnings_of(ruleset, profiles), *named_nobody(ruleset, config)]
    for warning in warnings:
        print(f"{warning} (a warning)")
    kinds = ", ".join(sorted({rule.kind for rule in ruleset.rules}))
    said = f"{len(ruleset.rules)} rules are right ({kinds})" if kinds else "there are no rules in what was named"
    stderr.print(f"{said}; version {ruleset.version}", soft_wrap=True)


@app.command()
def schema() -> None:
    """Print the JSON Schema of rule files, for editors."""
    print(json.dumps(editor_schema(), indent=2, ensure_ascii=False))


@app.command("test")
def run_cases(files: Files, config: ConfigOption = None) -> None:
    """Run the cases under ``tests`` in rule files, or in files that name theirs under ``rule_files``."""
    failed = count = 0
    with plain_errors(ConfigError, OSError):
        profiles = profiles_of(config)
        for path in yaml_files(files):
            try:
                document = load_yaml(path.read_text(encoding="utf-8"), str(path))
                cases = read_cases(document)
                ruleset = read_rules(_rule_files(path, document.data)) if cases else RuleSet()
            except InvalidFileError as error:
                leave(error.errors)
            for case, line in cases:
                outcome = run_case(case, line, ruleset, profiles)
                count += 1
                failed += bool(outcome.failures)
                for failure in outcome.failures:
                    print(f"{path}:{line}: {outcome.name}: {failure}")
    stderr.print(f"{count - failed} of {count} cases passed", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _rule_files(path: Path, data: Any) -> list[Path]:
    named = data.get("rule_files") if isinstance(data, dict) else None
    if named is None:
        return [path]
    return [path.parent / str(name) for name in (named if isinstance(named, list) else [named])]
