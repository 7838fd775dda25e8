"""A better setting for a rule, from the verdicts in the store and what was recorded, run over the whole history too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from device_models.profile import GENERIC, DeviceProfile
from device_models.sentences import Sentence, sentence
from gateway.backtest.sources import History
from gateway.backtest.trial import Trial
from gateway.config import Config
from gateway.rulebook.suggesting import episodes_of, read_lesson
from gateway.store.store import Store
from rules.authoring.suggestion import Favour, Refusal, Suggestion, suggest
from rules.base import BaseRule
from rules.expression import compile_expression
from rules.kinds.condition import ConditionRule
from rules.schema import RuleSet

VERIFIED = ("cases", "messages", "customers_told")


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked for."""

    span: timedelta
    """How far back verdicts and history count."""
    until: datetime
    keep: float = 1.0
    """The share of the real ones found now that must be found still, 0 to 1."""
    favour: Favour = "precision"


@dataclass(slots=True)
class Answer:
    """What became of one rule."""

    rule: str
    unrecorded: int = 0
    refusal: Refusal | None = None
    suggestion: Suggestion | None = None
    verified: dict[str, Any] = field(default_factory=dict)
    """``now`` and ``proposed``: cases, messages and customers over the whole history."""
    withdrawn: Sentence | None = None
    """Why what was found is not proposed after all."""

    @property
    def proposes(self) -> bool:
        """Whether there is something to do."""
        return self.suggestion is not None and self.suggestion.changed and self.withdrawn is None

    def as_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        told: dict[str, Any] = {"rule": self.rule, "proposes": self.proposes, "unrecorded_verdicts": self.unrecorded}
        if self.refusal is not None:
            told |= {"reason": self.refusal.reason, "message": self.refusal.message}
        if self.suggestion is not None:
            told |= self.suggestion.as_dict()
        return told | {"verified": self.verified or None, "withdrawn": self.withdrawn}


def propose(
    config: Config, source: History, rule: BaseRule, profiles: Mapping[str, DeviceProfile], terms: Terms
) -> Answer:
    """Look for a better setting of one rule; it takes seconds to minutes. Raises HistoryError."""
    answer = Answer(rule.id)
    if not isinstance(rule, ConditionRule):
        words = sentence("only condition rules have a limit to move; this is one of kind {1}", rule.kind)
        answer.refusal = Refusal("kind", words)
        return answer
    store = Store(config.store_url)
    try:
        with store.read() as connection:
            episodes = episodes_of(connection, rule.id, terms.until - terms.span, terms.until)
    finally:
        store.close()
    profile = profiles.get(rule.profile[0], GENERIC) if rule.profile else GENERIC
    reads = _fields_of(rule)
    lesson = source.read(lambda history: read_lesson(history, episodes, reads, source.devices, profiles))
    answer.unrecorded = lesson.unrecorded
    found = suggest(rule, profile, lesson.recording, lesson.episodes, keep=terms.keep, favour=terms.favour)
    if isinstance(found, Refusal):
        answer.refusal = found
        return answer
    answer.suggestion = found
    if found.changed:
        _verify(answer, found, source, profile, terms.favour)
    return answer


def _fields_of(rule: ConditionRule) -> frozenset[str]:
    sources = [rule.when, *([rule.clear_when] if rule.clear_when else [])]
    return frozenset(name for source in sources for name in compile_expression(source).fields)


def _verify(answer: Answer, found: Suggestion, source: History, profile: DeviceProfile, favour: Favour) -> None:
    """Run what is in force and what is proposed over everything that was recorded."""
    trials = {
        name: Trial(RuleSet.of([rule]), profile, source, (), (), UTC, None)
        for name, rule in (("now", found.rule), ("proposed", found.proposed))
    }
    for item in source.items():
        for trial in trials.values():
            trial.take(item)
    for name, trial in trials.items():
        trial.finish()
        report = trial.report()
        answer.verified[name] = {figure: report[figure] for figure in VERIFIED}
    before, after = (answer.verified[name]["cases"] for name in ("now", "proposed"))
    if favour == "precision" and after > before:
        answer.withdrawn = sentence("over the whole history it would open {1} cases instead of {2}", after, before)
