"""What the rules commands share: rule files and profiles read and checked, mistakes as file:line:column."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import typer

from device_models.profile import DeviceProfile
from device_models.yaml_lines import FileError, InvalidFileError
from gateway.cli.options import read_config, stderr
from gateway.rulebook.files import file_text, load_profiles
from rules.authoring.check import check_rules
from rules.authoring.overlap import overrides_for_nobody
from rules.schema import RuleSet, merge_rules


def checked(files: Sequence[Path], config: Path | None) -> tuple[RuleSet, dict[str, DeviceProfile]]:
    """Read and check rules; mistakes are printed and end the command with status 1."""
    profiles = profiles_of(config)
    return checked_for(files, profiles), profiles


def checked_for(files: Sequence[Path], profiles: Mapping[str, DeviceProfile]) -> RuleSet:
    """Read and check rules for profiles that were read already."""
    try:
        ruleset = read_rules(yaml_files(files))
    except InvalidFileError as error:
        leave(error.errors)
    if errors := check_rules(ruleset, profiles):
        leave(errors)
    return ruleset


def profiles_of(config: Path | None) -> dict[str, DeviceProfile]:
    """Read the profiles of a configuration."""
    try:
        return load_profiles(read_config(config))
    except InvalidFileError as error:
        leave(error.errors)


def read_rules(paths: Iterable[Path]) -> RuleSet:
    """Read rule files as one set; raises InvalidFileError."""
    return merge_rules((file_text(path), str(path)) for path in paths)


def yaml_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files, and those of the folders, among ``paths``."""
    return [file for path in paths for file in (sorted(path.glob("*.y*ml")) if path.is_dir() else [path])]


def named_nobody(ruleset: RuleSet, config: Path | None) -> list[FileError]:
    """Return the overrides that name nobody in the configured store; a store that cannot be read is said so."""
    from gateway.rulebook.named import names_in_store

    if not any(rule.overrides for rule in ruleset.rules):
        return []
    known = names_in_store(read_config(config))
    if known is None:
        stderr.print(
            "the store cannot be read, so nobody looked whether those named in overrides exist", soft_wrap=True
        )
    return overrides_for_nobody(ruleset, known or {})


def leave(errors: Iterable[FileError]) -> NoReturn:
    """Print mistakes and end with status 1."""
    for error in errors:
        print(error)
    raise typer.Exit(1)
