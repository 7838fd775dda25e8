"""``gateway rules review``: which rules want a second look, and what those in shadow would have done."""

import json
from datetime import timedelta
from typing import Annotated

import typer

from device_models.duration import format_duration, parse_duration
from device_models.event import rfc3339
from device_models.yaml_lines import InvalidFileError
from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.clock import Clock
from gateway.config import ConfigError
from gateway.errors import StartRefused
from gateway.rulebook.review import RuleReview, review
from gateway.rulebook.shadow import trial_lines

_MOST_SHOWN = 20


def review_rules(
    since: Annotated[str, typer.Option(help="How far to look back.", metavar="DURATION")] = "30d",
    everything: Annotated[bool, typer.Option("--all", help="Also the rules that want no second look.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a rule, would-be cases included.")] = False,
    config: ConfigOption = None,
) -> None:
    """Name rules that never fired, that are mostly dismissed or silenced, or that read what no device sends any more.

    Beside each stands its precision by verdicts, with its 95 % interval.

    Rules in shadow are listed with the cases there would have been, their customers and the hours of the day (UTC).
    """
    from gateway.people.registry import load_registry
    from gateway.rulebook.files import load_profiles
    from gateway.rulebook.versions import detector_at_start
    from gateway.store.store import Store

    with plain_errors(ConfigError, StartRefused, InvalidFileError, OSError, ValueError):
        settings = read_config(config)
        span: timedelta = parse_duration(since)
        profiles, now = load_profiles(settings), Clock().now()
        store = Store(settings.store_url)
        try:
            with store.read() as connection:
                registry = load_registry(connection)
                detector = detector_at_start(store, settings, profiles, registry.shops.values())
                found = review(connection, detector, profiles, registry.devices, now - span, now)
        finally:
            store.close()
    shown = [rule for rule in found if everything or as_json or rule.findings or rule.mode == "shadow"]
    for rule in shown:
        if as_json:
            print(json.dumps(rule.as_dict(), ensure_ascii=False))
        else:
            for line in _lines(rule):
                print(line)
    quiet = len(found) - len(shown)
    told = f"{quiet} of {len(found)} rules want no second look" if quiet else f"{len(found)} rules"
    stderr.print(f"{told}; looked back {format_duration(span)}", soft_wrap=True)


def _lines(rule: RuleReview) -> list[str]:
    if rule.trial is None:
        head = f"{rule.rule}: fired {rule.firings} times on {rule.devices} devices, {rule.cases} cases"
        head += f"; {rule.verdicts.sentence()}" if rule.verdicts.total else ""
        return [head, *(f"    {finding}" for finding in rule.findings)]
    first, *more = trial_lines(rule.trial.as_dict())
    lines = [f"{rule.rule}: {first}", *(f"    {line}" for line in more)]
    lines += [f"    {finding}" for finding in rule.findings]
    news = rule.trial.news
    lines += [
        f"    {rfc3339(case.at)}  {case.device_id}  {case.customer_id or 'no owner'}  {case.verdict or 'no verdict'}"
        for case in news[:_MOST_SHOWN]
    ]
    return lines + ([f"    … and {len(news) - _MOST_SHOWN} more"] if len(news) > _MOST_SHOWN else [])
