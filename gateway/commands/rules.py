"""Rule sets, silences, and the look at what no event announces. See ``gateway.commands``."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from rules.response.silence import Weekly


@dataclass(frozen=True, slots=True)
class JudgeWouldBe:
    """Say whether a case that a rule in shadow would have opened would have been real; result as ``GiveVerdict``."""

    transition_id: int
    """Of the firing that would have opened it."""
    verdict: Literal["real", "false_alarm", "duplicate"] | None
    by: str


@dataclass(frozen=True, slots=True)
class CreateSilence:
    """Mute alerts for a time; all that is given must match. Its result is the silence's number."""

    by: str
    reason: str
    ends_at: datetime
    starts_at: datetime | None = None
    """None: now."""
    device_id: str | None = None
    site: str | None = None
    profile: str | None = None
    customer_id: str | None = None
    rule: str | None = None
    weekly: Weekly | None = None
    """A maintenance window: it mutes at these hours of each week only."""
    safety: bool = False
    """Mute alerts about safety too."""


@dataclass(frozen=True, slots=True)
class EndSilence:
    """End a silence before its time; faults that it withheld and that are still there open their cases."""

    silence_id: int
    by: str


@dataclass(frozen=True, slots=True)
class ForgetChanges:
    """Drop what changed about devices, and who was counted as failing alike, from before a time."""

    before: datetime


@dataclass(frozen=True, slots=True)
class EndStorm:
    """What a storm holds opens its cases now, or stays under the one case as an incident (``merge``).

    Its result is how many faults that concerns.
    """

    by: str
    merge: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """The periodic look at some devices for due services; the scheduler sends the fleet in parts."""

    at: datetime
    device_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PutRulesLive:
    """Swap the rule set; the states of rules that stay are kept."""

    ruleset: Any
    """A ``Detector``."""
    by: str


@dataclass(frozen=True, slots=True)
class PutFilesLive:
    """Put the rules of these files live, in place of those that the configuration names."""

    files: tuple[tuple[str, str], ...]
    """(text, filename) of each; empty: those that the configuration names."""
    by: str


@dataclass(frozen=True, slots=True)
class RollBackRules:
    """Put a rule set live that was live before."""

    version: str | None
    """Or its first letters; None: the one before that in force."""
    by: str


@dataclass(frozen=True, slots=True)
class PromoteRule:
    """Put a rule that is in shadow live, the others as they are."""

    rule: str
    by: str


RuleCommand = (
    JudgeWouldBe
    | CreateSilence
    | EndSilence
    | ForgetChanges
    | EndStorm
    | Sweep
    | PutRulesLive
    | PutFilesLive
    | RollBackRules
    | PromoteRule
)
