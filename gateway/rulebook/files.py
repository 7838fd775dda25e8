"""Rule and profile files: read at start, watched, and put live when they change and are right."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import structlog

from device_models.localized import in_language
from device_models.profile import GENERIC, DeviceProfile
from device_models.profile_files import parse_profile
from device_models.registry import Shop
from device_models.sentences import sentence
from device_models.yaml_lines import FileError, InvalidFileError
from gateway.clock import Clock
from gateway.commands import Commands, PutRulesLive
from gateway.config import Config
from gateway.people.registry import Registry
from gateway.rulebook.named import warnings_for
from rules.authoring.check import check_rules
from rules.base import BaseRule
from rules.detect import Detector
from rules.schema import RuleSet, merge_rules
from rules.spatial_index import ShopIndex

log = structlog.get_logger()

_LOOK_EVERY_S = 1.0
_MOST_WARNINGS = 50


@dataclass(slots=True)
class RuleStatus:
    """What the console shows of the rules in force."""

    digest: str = ""
    loaded_at: datetime | None = None
    live: list[dict[str, Any]] = field(default_factory=list)
    """One mapping a rule, see ``WebDeps.status``."""
    errors: list[str] = field(default_factory=list)
    """Of the newest attempt; while there are any, the rules before it stay in force."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "ok": not self.errors,
            "digest": self.digest,
            "detail": f"{len(self.live)} rules live",
            "loaded_at": self.loaded_at,
            "live": list(self.live),
            "errors": list(self.errors),
        }


def load_profiles(config: Config) -> dict[str, DeviceProfile]:
    """Read the profiles that come with the product and the configured ones; a later file of the same name wins.

    Raises InvalidFileError.
    """
    profiles: dict[str, DeviceProfile] = {GENERIC.name: GENERIC}
    errors: list[FileError] = []
    for path in _yaml_files("device_models", "profiles", config.profiles.builtin, config.profiles.paths):
        try:
            profile = parse_profile(file_text(path), str(path))
        except InvalidFileError as error:
            errors.extend(error.errors)
        else:
            profiles[profile.name] = profile
    if errors:
        raise InvalidFileError(errors)
    return profiles


def rule_paths(config: Config) -> list[Path]:
    """Return the rule files in force, those that come with the product first."""
    return _yaml_files("rules", "examples", config.rules.builtin, config.rules.paths)


def load_rules(config: Config) -> RuleSet:
    """Read and check the rule files. Raises InvalidFileError."""
    return merge_rules((file_text(path), str(path)) for path in rule_paths(config))


def make_detector(config: Config, profiles: Mapping[str, DeviceProfile], shops: Iterable[Shop]) -> Detector:
    """Check and compile the rules in the files. Raises InvalidFileError, also for a field that no profile has."""
    ruleset = load_rules(config)
    if errors := check_rules(ruleset, profiles):
        raise InvalidFileError(errors)
    return Detector(ruleset, profiles, ShopIndex(shops))


def _yaml_files(package: str, folder: str, builtin: bool, paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    if builtin:
        found.extend(sorted(Path(str(resources.files(package) / folder)).glob("*.yaml")))
    for path in paths:
        found.extend(sorted(path.glob("*.y*ml")) if path.is_dir() else [path])
    return found


def file_text(path: Path) -> str:
    """Read a file. Raises InvalidFileError where it is not there or is no UTF-8, so that it is told with the others."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidFileError(
            [FileError(str(path), 1, 1, "", sentence("cannot be read: {1}", error.strerror))]
        ) from error
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        message = sentence("is no UTF-8; save the file in that encoding")
        raise InvalidFileError([FileError(str(path), line, column, "", message)]) from error


def _describe(rule: BaseRule, ruleset: RuleSet) -> dict[str, Any]:
    place = (ruleset.places or {}).get(rule.id)
    return {
        "id": rule.id,
        "kind": rule.kind,
        "profile": ", ".join(rule.profile),
        "severity": rule.severity.value,
        "purpose": rule.purpose.value,
        "title": in_language(rule.title, "en") or rule.id,
        "when": str(getattr(rule, "when", "")),
        "shadow": rule.shadow,
        "file": Path(place[0].filename).name if place else "",
    }


class RuleWatcher:
    """Looks at the files and puts a changed rule set live; a wrong one is refused loudly."""

    def __init__(
        self,
        config: Config,
        profiles: Mapping[str, DeviceProfile],
        registry: Registry,
        commands: Commands,
        clock: Clock,
        in_force: Callable[[], Detector],
    ) -> None:
        """``in_force`` tells the detector that the pipeline uses, be it that a command put another one there."""
        self._clock = clock
        self._in_force = in_force
        self._shown: Detector | None = None
        self._config = config
        self._profiles = profiles
        self._registry = registry
        self._commands = commands
        self._seen = self._fingerprint()
        self.status = RuleStatus()

    def describe(self, detector: Detector) -> None:
        """Show ``detector`` as what is in force."""
        self._shown = detector
        self.status.digest = detector.version
        self.status.loaded_at = self._clock.now()
        self.status.live = [_describe(rule, detector.ruleset) for rule in detector.ruleset.rules]
        self.status.errors = []
        for warning in warnings_for(self._registry, detector.ruleset)[:_MOST_WARNINGS]:
            log.warning("rules.override_for_nobody", warning=str(warning))

    async def run(self) -> None:
        """Look each second, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            detector = self._in_force()
            if self._shown is None or detector.version != self._shown.version:
                self.describe(detector)
            fingerprint = await asyncio.to_thread(self._fingerprint)
            if fingerprint != self._seen:
                self._seen = fingerprint
                await self.reload()

    async def reload(self) -> None:
        """Read the files anew and put them live, or say what is wrong with them."""
        try:
            detector = await asyncio.to_thread(
                make_detector, self._config, self._profiles, list(self._registry.shops.values())
            )
        except (InvalidFileError, OSError) as error:
            self.status.errors = str(error).splitlines()
            for line in self.status.errors:
                log.error("rules.refused", error=line, in_force=self.status.digest)
            return
        await self._commands.submit(PutRulesLive(detector, by="files"))
        self.describe(detector)
        log.info("rules.put_live", digest=self.status.digest, rules=len(self.status.live))

    def _fingerprint(self) -> tuple[object, ...]:
        return tuple(
            (str(path), path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else (str(path), 0, 0)
            for path in rule_paths(self._config)
        )
