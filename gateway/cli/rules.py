"""``gateway rules``: check rule files, run the cases beside them, and try them on recorded data."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.progress import BarColumn, Progress, TextColumn

from device_models.duration import format_duration
from device_models.profile import DeviceProfile
from device_models.yaml_lines import FileError, InvalidFileError, load_yaml
from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.cli.recorded import BadTableError, Table, read_windows
from gateway.config import ConfigError
from gateway.rule_files import load_profiles
from rules.backtest import Backtest, Score, alert_line, summary
from rules.check import check_rules
from rules.detect import Detector
from rules.evaluator import Fact
from rules.rule_tests import read_cases, run_case
from rules.schema import RuleSet, merge_rules
from rules.transition import AlertState, Transition

app = typer.Typer(help="Check rules, run their cases, try them on recorded data.", no_args_is_help=True)

Files = Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.", exists=True)]
_SHOWN = frozenset({AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED})


@app.command()
def check(files: Files, config: ConfigOption = None) -> None:
    """Check rule files against the profiles; errors as file:line:column, exit status 1 if there are any."""
    with plain_errors(ConfigError, OSError):
        ruleset, _ = _checked(files, config)
    kinds = ", ".join(sorted({rule.kind for rule in ruleset.rules}))
    stderr.print(f"{len(ruleset.rules)} rules are right ({kinds}); version {ruleset.version}", soft_wrap=True)


@app.command("test")
def run_cases(files: Files, config: ConfigOption = None) -> None:
    """Run the cases under ``tests`` in rule files, or in files that name theirs under ``rule_files``."""
    failed = count = 0
    with plain_errors(ConfigError, OSError):
        profiles = _profiles(config)
        for path in _yaml_files(files):
            try:
                document = load_yaml(path.read_text(encoding="utf-8"), str(path))
                cases = read_cases(document)
                ruleset = _read_rules(_rule_files(path, document.data)) if cases else RuleSet()
            except InvalidFileError as error:
                _leave(error.errors)
            for case, line in cases:
                outcome = run_case(case, line, ruleset, profiles)
                count += 1
                failed += bool(outcome.failures)
                for failure in outcome.failures:
                    print(f"{path}:{line}: {outcome.name}: {failure}")
    stderr.print(f"{count - failed} of {count} cases passed", soft_wrap=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def backtest(
    files: Files,
    csv_files: Annotated[list[Path], typer.Option("--csv", help="Recorded samples, a header first.", exists=True)],
    time_column: Annotated[str | None, typer.Option(help="Default: the first that parses as a time.")] = None,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=field, any number of times.")] = None,
    profile_name: Annotated[
        str | None, typer.Option("--profile", help="Of all devices; default: the one the rules name, else generic.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of times that name no zone.")] = "UTC",
    labels: Annotated[
        Path | None, typer.Option(help='JSON {"FILE": [["start", "end"], …]}: when something was wrong.', exists=True)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Run rules over recorded samples: one alert a line on stdout, a summary on stderr.

    A row's device is its column device_id, otherwise the file's name without its ending. Rows must be in order of
    time; earlier ones are late and count for nothing, as live.
    """
    with plain_errors(ConfigError, OSError, BadTableError):
        ruleset, profiles = _checked(files, config)
        profile = _profile(profile_name, ruleset, profiles)
        tables = [Table(path, time_column, _pairs(mapping or []), _zone(timezone)) for path in csv_files]
        profile = _at_pace(profile, tables)
        tables = [table.fitted(ruleset, profile) for table in tables]
        run = Backtest(Detector(ruleset, {profile.name: profile}), profile)
        score = Score(read_windows(labels, tables, _zone(timezone))) if labels else None
        fired: list[Transition] = []
        for fact in _facts(run, tables):
            if not isinstance(fact, Transition):
                continue
            if fact.state in _SHOWN:
                print(json.dumps(alert_line(fact), ensure_ascii=False))
            if fact.state is AlertState.FIRING:
                fired.append(fact)
            if score is not None:
                score.add(fact)
    told = {"profile": profile.name, "reporting_interval": format_duration(profile.reporting_interval)}
    told |= run.report() | summary(fired) | (score.as_dict(run.device_days) if score else {})
    for name, value in told.items():
        said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        stderr.print(f"{name:>28}  {said}", soft_wrap=True, markup=False)


def _facts(run: Backtest, tables: Sequence[Table]) -> Iterator[Fact]:
    shown = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} rows"))
    with Progress(*shown, console=stderr, transient=True, disable=not stderr.is_terminal) as progress:
        for table in tables:
            task = progress.add_task(table.path.name, total=None)
            stem, event_of = table.path.stem, table.columns.event
            for count, row in enumerate(table.rows(), 1):
                try:
                    event = event_of(row, stem)
                except (ValueError, OverflowError) as error:
                    raise BadTableError(f"{table.path}:{table.line}: {error}") from error
                yield from run.feed(event)
                if count % 5000 == 0:
                    progress.update(task, completed=count)
        yield from run.finish()


def _checked(files: Sequence[Path], config: Path | None) -> tuple[RuleSet, dict[str, DeviceProfile]]:
    profiles = _profiles(config)
    try:
        ruleset = _read_rules(_yaml_files(files))
    except InvalidFileError as error:
        _leave(error.errors)
    errors = check_rules(ruleset, profiles)
    if errors:
        _leave(errors)
    return ruleset, profiles


def _profiles(config: Path | None) -> dict[str, DeviceProfile]:
    try:
        return load_profiles(read_config(config))
    except InvalidFileError as error:
        _leave(error.errors)


def _read_rules(paths: Iterable[Path]) -> RuleSet:
    return merge_rules((path.read_text(encoding="utf-8"), str(path)) for path in paths)


def _leave(errors: Iterable[FileError]) -> NoReturn:
    for error in errors:
        print(error)
    raise typer.Exit(1)


def _yaml_files(paths: Iterable[Path]) -> list[Path]:
    return [file for path in paths for file in (sorted(path.glob("*.y*ml")) if path.is_dir() else [path])]


def _rule_files(path: Path, data: Any) -> list[Path]:
    named = data.get("rule_files") if isinstance(data, dict) else None
    if named is None:
        return [path]
    return [path.parent / str(name) for name in (named if isinstance(named, list) else [named])]


def _profile(name: str | None, ruleset: RuleSet, profiles: Mapping[str, DeviceProfile]) -> DeviceProfile:
    named = {profile for rule in ruleset.rules for profile in rule.profile}
    chosen = name or (next(iter(named)) if len(named) == 1 else "generic")
    if name is None and len(named) > 1:
        raise BadTableError(f"the rules are for {', '.join(sorted(named))}; name one with --profile")
    if chosen not in profiles:
        raise BadTableError(f"there is no profile '{chosen}'; there are {', '.join(sorted(profiles))}")
    return profiles[chosen]


def _at_pace(profile: DeviceProfile, tables: Sequence[Table]) -> DeviceProfile:
    """Take the data's own interval where it is longer: recorded data is often thinned, and must not look stale."""
    slowest = max((interval for table in tables if (interval := table.interval) is not None), default=timedelta(0))
    return profile.model_copy(update={"reporting_interval": max(profile.reporting_interval, slowest)})


def _pairs(mapping: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in mapping]
    wrong = next(
        (text for text, (column, _, field) in zip(mapping, pairs, strict=True) if not column or not field), None
    )
    if wrong is not None:
        raise BadTableError(f"--map {wrong}: write COLUMN=field")
    return {column: field for column, _, field in pairs}


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadTableError(f"--timezone: '{name}' is no IANA time zone, such as Europe/Berlin") from error
