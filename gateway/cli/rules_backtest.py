"""``gateway rules backtest``: what rules would have done, on files or on the gateway's own history."""

import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, timedelta, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from device_models.duration import format_duration, parse_duration
from device_models.profile import GENERIC, DeviceProfile
from device_models.registry import Offer, Shop
from gateway.backtest.recorded import BadTableError, Table, Track, read_places, read_windows
from gateway.backtest.sources import History, Source, Tables, at_pace, profile_for
from gateway.backtest.trial import Trial
from gateway.cli.backtest_plot import Plot
from gateway.cli.backtest_summary import bars, side_by_side
from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.cli.rules_read import checked, checked_for
from gateway.clock import Clock
from gateway.config import ConfigError
from gateway.errors import StartRefused
from gateway.history import HistoryError
from rules.recordings.score import Score

Files = Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.", exists=True)]


def backtest(
    files: Files,
    csv_files: Annotated[
        list[Path] | None, typer.Option("--csv", help="Recorded samples, a header first.", exists=True)
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Run over the gateway's own history of so long, such as 30d.", metavar="DURATION")
    ] = None,
    tracks: Annotated[
        list[Path] | None, typer.Option(help="Recorded fixes: device_id,time,lat,lon[,acc].", exists=True)
    ] = None,
    shops: Annotated[Path | None, typer.Option(help="Shops, as gateway import reads them.", exists=True)] = None,
    offers: Annotated[
        Path | None, typer.Option(help="Offers likewise; default: one that fits everybody.", exists=True)
    ] = None,
    compare: Annotated[
        list[Path] | None, typer.Option(help="Another rule set over the same data, beside this one.", exists=True)
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Write the series with alerts and labelled windows as SVG.", dir_okay=False)
    ] = None,
    time_column: Annotated[str | None, typer.Option(help="Default: the first that parses as a time.")] = None,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=field, any number of times.")] = None,
    profile_name: Annotated[
        str | None, typer.Option("--profile", help="Of all devices; default: the one the rules name, else generic.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="Of times that name no zone, and of the hours in the summary.")] = "UTC",
    labels: Annotated[
        Path | None, typer.Option(help='JSON {"FILE": [["start", "end"], …]}: when something was wrong.', exists=True)
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Run rules over recorded data: one alert a line on stdout, a summary on stderr.

    A row's device is its column device_id, otherwise the file's name without its ending. Rows must be in order of
    time; earlier ones are late and count for nothing, as live.
    """
    expected = (ConfigError, StartRefused, HistoryError, OSError, BadTableError)
    with ExitStack() as stack:
        stack.enter_context(plain_errors(*expected))
        ruleset, profiles = checked(files, config)
        other = checked_for(compare, profiles) if compare else None
        zone = zone_of(timezone)
        places = [place for place in read_places(shops, "shops") if isinstance(place, Shop)] if shops else []
        fitting = [offer for offer in read_places(offers, "offers") if isinstance(offer, Offer)] if offers else []
        source: Source
        progress = stack.enter_context(bars())
        score = None
        if since is not None:
            if csv_files or tracks or labels:
                raise BadTableError("--since reads the gateway's own history; leave out --csv, --tracks and --labels")
            recorded = stack.enter_context(
                History.opened(read_config(config), profiles, _duration(since), Clock().now(), progress)
            )
            source, profile = recorded, profiles[GENERIC.name]
            places, fitting = places or recorded.shops, fitting or recorded.offers
        else:
            if not csv_files and not tracks:
                raise BadTableError("name what to run over: --csv FILE, --tracks FILE or --since 30d")
            profile = profile_for(profile_name, ruleset, profiles)
            tables = [Table(path, time_column, pairs_of(mapping or []), zone) for path in csv_files or []]
            profile = at_pace(profile, tables)
            tables = [table.fitted(ruleset, profile, _say) for table in tables]
            source = Tables(tables, [Track(path, zone) for path in tracks or []], progress)
            score = read_windows(labels, tables, zone) if labels else None
        drawn = Plot(ruleset, profile, score or {}, zone) if plot else None
        trials = [
            Trial(rules, profile, source, places, fitting, zone, Score(score) if score is not None else None)
            for rules in (ruleset, *([other] if other else []))
        ]
        began = time.perf_counter()
        _run(source, trials, drawn)
        took_s = time.perf_counter() - began
        if plot and drawn:
            plot.write_text(drawn.svg(trials[0].alerts), encoding="utf-8")
    told = {"profile": "each device's own"} if since else _of(profile)
    told["speed"] = f"{trials[0].samples / took_s:,.0f} samples/s" if took_s else ""
    for line in side_by_side(told, trials, [_named(files), _named(compare or [])]):
        stderr.print(line, soft_wrap=True, markup=False)


def _run(source: Source, trials: Sequence[Trial], drawn: Plot | None) -> None:
    first, others = trials[0], trials[1:]
    take = first.take
    for item in source.items():
        if lines := take(item):
            for line in lines:
                print(json.dumps(line, ensure_ascii=False))
        for trial in others:
            trial.take(item)
        if drawn is not None:
            drawn.take(item)
    for line in first.finish():
        print(json.dumps(line, ensure_ascii=False))
    for trial in others:
        trial.finish()


def _of(profile: DeviceProfile) -> dict[str, str]:
    return {"profile": profile.name, "reporting_interval": format_duration(profile.reporting_interval)}


def _named(files: Sequence[Path]) -> str:
    return ", ".join(path.name for path in files)


def _say(words: str) -> None:
    stderr.print(words, soft_wrap=True)


def pairs_of(mapping: Sequence[str]) -> dict[str, str]:
    """Read ``COLUMN=field``, each once. Raises BadTableError."""
    pairs = [text.rpartition("=") for text in mapping]
    wrong = next(
        (text for text, (column, _, field) in zip(mapping, pairs, strict=True) if not column or not field), None
    )
    if wrong is not None:
        raise BadTableError(f"--map {wrong}: write COLUMN=field")
    return {column: field for column, _, field in pairs}


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadTableError(f"--since {text}: {error}") from error


def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name. Raises BadTableError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadTableError(f"--timezone: '{name}' is no IANA time zone, such as Europe/Berlin") from error
