"""How much a text is like the STOPs known so far: for the wish that no list of words foresaw.

A word that nobody listed shares its letters with those that were ("unsubscribing", "désabonnée", "batalin"). Each group
of 2 to 6 letters has a weight, the logarithm of how much more often it stands in known STOPs than in other known
answers (naive Bayes with additive smoothing; Manning, Raghavan and Schütze, "Introduction to Information Retrieval",
2008, ch. 13). What is known are the phrases of earlier rounds and the cues themselves; nothing is trained elsewhere.
"""

import math
from collections import Counter
from collections.abc import Iterable
from functools import cache

from notifiers.replies import Intent
from notifiers.understanding.lexicon import TOPICS, lexicon
from notifiers.understanding.phrases import known_phrases
from notifiers.understanding.plain import words_of

_SHORTEST, _LONGEST = 2, 6
"""Letters of a group."""
_SMOOTHING = 0.3
_OTHER_SECTIONS = (*TOPICS, "keep", "machine", "thanks", "price", "noise", "automatic", "happy")


class Likeness:
    """Known STOPs and other known answers of one language, compared by their groups of letters."""

    def __init__(self, stops: Iterable[str], others: Iterable[str]) -> None:
        """Count groups of letters in both."""
        (self._in_stops, self._stops), (self._in_others, self._others) = _counted(stops), _counted(others)

    def to_stops(self, text: str) -> float:
        """Return the sum of the weights, by the root of how many there are; above 0: rather a STOP."""
        weights = [self._weight(group) for group in _groups(text) if self._in_stops[group] + self._in_others[group]]
        return sum(weights) / math.sqrt(len(weights)) if weights else -math.inf

    def _weight(self, group: str) -> float:
        in_stops = (self._in_stops[group] + _SMOOTHING) / (self._stops + 2 * _SMOOTHING)
        in_others = (self._in_others[group] + _SMOOTHING) / (self._others + 2 * _SMOOTHING)
        return math.log(in_stops / in_others)


@cache
def likeness(language: str) -> Likeness | None:
    """Return what is known of a language, None where that is nothing."""
    cues = lexicon(language)
    if cues is None:
        return None
    phrases = [phrase for phrase in known_phrases() if phrase.language == language]
    stops = [phrase.text for phrase in phrases if phrase.intent is Intent.STOP]
    others = [phrase.text for phrase in phrases if phrase.intent is not Intent.STOP]
    stops += cues.written("stop", "enough")
    return Likeness(stops, others + cues.written(*_OTHER_SECTIONS))


def _counted(texts: Iterable[str]) -> tuple[Counter[str], int]:
    counts: Counter[str] = Counter()
    texts = list(texts)
    for text in texts:
        counts.update(_groups(text))
    return counts, len(texts)


def _groups(text: str) -> set[str]:
    shown = f" {' '.join(words_of(text))} "
    return {shown[i : i + size] for size in range(_SHORTEST, _LONGEST + 1) for i in range(len(shown) - size + 1)}
