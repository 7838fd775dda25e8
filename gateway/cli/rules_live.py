"""``gateway rules put-live | roll-back | versions | diff``: which rules are in force, and who put them there."""

import getpass
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from device_models.event import rfc3339
from device_models.profile import GENERIC
from device_models.registry import Device
from device_models.yaml_lines import InvalidFileError
from gateway.cli.options import ConfigOption, plain_errors, read_config, stderr
from gateway.cli.rules_read import checked, named_nobody
from gateway.commands import CommandRefused, PromoteRule, PutFilesLive, RollBackRules
from gateway.config import Config, ConfigError
from gateway.errors import StartRefused
from gateway.rulebook.files import rule_paths
from gateway.rulebook.shadow import trial_lines
from rules.authoring.migration import Difference, differences
from rules.schema import RuleSet

if TYPE_CHECKING:
    from gateway.rulebook.versions import RuleVersion

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Rule files, or folders of them; default: those that the configuration names.", exists=True),
]
By = Annotated[str | None, typer.Option("--by", help="Who does so; default: the user of this machine.")]
_CHANGES = {"added": "new", "removed": "removed", "changed": "changed", "same": "as it was"}
_WHY = {
    "edited": "its meaning changed",
    "rule_removed": "the rule is gone",
    "rule_changed": "kind, mode or profile changed",
}


def put_live(
    files: Files = None,
    by: By = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    config: ConfigOption = None,
) -> None:
    """Put rule files live in place of those that [rules] paths names, and say what becomes of open alerts.

    The rules that come with the product stay beside them, unless [rules] builtin is off. All that stays in force, also
    over a restart, until a configured rule file is changed or another set is put live.
    """
    with plain_errors(ConfigError, StartRefused, InvalidFileError, OSError):
        settings = read_config(config)
        if files:
            chosen = settings.rules.model_copy(update={"paths": files})
            paths = rule_paths(settings.model_copy(update={"rules": chosen}))
            ruleset, _ = checked(paths, config)
            for warning in named_nobody(ruleset, config):
                print(f"{warning} (a warning)")
            texts = tuple((path.read_text(encoding="utf-8"), str(path)) for path in paths)
        else:
            texts = ()
        if dry_run:
            _foretell(settings, paths if files else rule_paths(settings))
            return
    _submit(settings, PutFilesLive(texts, by or _user()))


def promote(
    rule: Annotated[str, typer.Argument(help="The id of a rule in shadow.")],
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Put one rule in shadow live; say its precision by verdicts, for how many customers and at which hours.

    Take the line ``mode: shadow`` out of its file as well: the files' word counts again once one of them is changed.
    """
    _submit(read_config(config), PromoteRule(rule, by or _user()))


def roll_back(
    version: Annotated[
        str | None, typer.Argument(help="A version or its first letters; default: the one before.")
    ] = None,
    by: By = None,
    config: ConfigOption = None,
) -> None:
    """Put a rule set live that was live before."""
    _submit(read_config(config), RollBackRules(version, by or _user()))


def versions(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with the migration.")] = False,
    config: ConfigOption = None,
) -> None:
    """List what went live: when, by whom, from where; the newest first."""
    for found in _versions(read_config(config)):
        if as_json:
            told: dict[str, Any] = {
                "version": found.version,
                "put_live_at": rfc3339(found.put_live_at),
                "by": found.who,
            }
            told |= {"origin": found.origin, "rules": [rule["id"] for rule in found.rules]}
            print(json.dumps({**told, "migration": found.migration}, ensure_ascii=False))
        else:
            at = f"{found.put_live_at:%Y-%m-%d %H:%M:%S}Z"
            print(f"{found.version}  {at}  {found.origin:<9}  {len(found.rules):>4} rules  {found.who}")


def diff(
    old: Annotated[str | None, typer.Argument(help="A version, or its first letters; default: the one before.")] = None,
    new: Annotated[str | None, typer.Argument(help="Likewise; default: the one in force.")] = None,
    config: ConfigOption = None,
) -> None:
    """Show what differs between two versions."""
    known = _versions(read_config(config))
    if len(known) < 2 and old is None:
        stderr.print("there is no version before this one", soft_wrap=True)
        raise typer.Exit(1)
    before = _find(known, old) if old else next((v for v in known if v.version != known[0].version), known[-1])
    after = _find(known, new) if new else known[0]
    for difference in differences(before.ruleset, after.ruleset):
        for line in _difference(difference, before.ruleset, after.ruleset):
            print(line)


def _foretell(config: Config, paths: Sequence[Path]) -> None:
    """Print what putting the files live would do, and change nothing."""
    from gateway.clock import Clock
    from gateway.people.registry import load_registry
    from gateway.rulebook.files import load_profiles, load_rules
    from gateway.rulebook.migrating import migration_of
    from gateway.rulebook.versions import last_written_down
    from gateway.store.store import Store
    from rules.detect import Detector
    from rules.inputs import DeviceContext
    from rules.schema import merge_rules
    from rules.spatial_index import ShopIndex

    profiles = load_profiles(config)
    after = merge_rules((path.read_text(encoding="utf-8"), str(path)) for path in paths)
    store = Store(config.store_url)
    try:
        with store.read() as connection:
            registry = load_registry(connection)
            files = load_rules(config)
            before = last_written_down(connection, files) or files

            def context(device: Device) -> DeviceContext:
                profile = profiles.get(device.profile, GENERIC)
                return DeviceContext(
                    device, profile, registry.may_use_location(device.id), zone=registry.zone(device.id)
                )

            detector = Detector(after, profiles, ShopIndex(registry.shops.values()))
            changes = migration_of(connection, before, detector, registry.devices, context, Clock().now())
    finally:
        store.close()
    for line in migration_lines(changes):
        print(line)
    stderr.print(f"version {before.version} is in force; nothing was changed", soft_wrap=True)


def _submit(config: Config, command: PutFilesLive | RollBackRules | PromoteRule) -> None:
    from gateway.control import submit_command

    with plain_errors(StartRefused, CommandRefused, ConfigError, OSError):
        result: Mapping[str, Any] = submit_command(config, command)
    for line in migration_lines(result["rules"]):
        print(line)
    stderr.print(f"version {result['version']} is in force; before it was {result['before']}", soft_wrap=True)


def migration_lines(rules: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write what going live did, one rule a line and its changed settings below."""
    lines = []
    for rule in rules:
        counts = [f"{rule[what]} {what}" for what in ("kept", "reset", "closed") if rule[what]]
        why = ", ".join(_WHY.get(reason, reason) for reason in rule["why"])
        told = ", ".join(counts) + (f" ({why})" if why else "") if counts else "no open alerts"
        lines.append(f"{rule['rule']}: {_CHANGES[rule['change']]}; {told}")
        lines += [f"    {name}: {_said(before)} → {_said(after)}" for name, (before, after) in rule["fields"].items()]
        if trial := rule.get("trial"):
            lines += [f"    {line}" for line in trial_lines(trial)]
    return lines or ["nothing changed"]


def _difference(difference: Difference, before: RuleSet, after: RuleSet) -> list[str]:
    if difference.change == "changed":
        settings = [f"    {name}: {_said(old)} → {_said(new)}" for name, (old, new) in difference.fields.items()]
        return [f"~ {difference.rule}", *settings]
    sign, ruleset = ("+", after) if difference.change == "added" else ("-", before)
    return [f"{sign} {difference.rule} ({ruleset[difference.rule].kind})"]


def _versions(config: Config) -> "list[RuleVersion]":
    from gateway.rulebook.versions import live_versions
    from gateway.store.store import Store

    with plain_errors(StartRefused, OSError):
        store = Store(config.store_url)
        try:
            with store.read() as connection:
                return live_versions(connection)
        finally:
            store.close()


def _find(known: "list[RuleVersion]", version: str) -> "RuleVersion":
    for found in known:
        if found.version.startswith(version):
            return found
    stderr.print(f"there is no version {version}; gateway rules versions lists them", soft_wrap=True)
    raise typer.Exit(1)


def _said(value: Any) -> str:
    return "not set" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "command line"
