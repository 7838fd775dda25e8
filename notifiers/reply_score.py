"""How well messages are understood: tagged phrases, read and compared.

A file of phrases has a line each: language, what it is, text, parted by tabs. What it is: the intent, then ``!`` where
it is urgent, ``+`` or ``-`` where the mood is good or bad, ``~`` where it is noise: ``still_broken!-``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from notifiers.replies import Intent
from notifiers.understanding import Sentiment, Tags, Urgency, understand

_WHAT = re.compile(r"(?P<intent>[a-z_]+)(?P<marks>[!+\-~]*)")


@dataclass(frozen=True, slots=True)
class Phrase:
    """One message with what a person says it is."""

    language: str
    intent: Intent
    urgent: bool
    sentiment: Sentiment
    noise: bool
    text: str
    line: int


@dataclass(slots=True)
class Score:
    """Figures of one language, or of all."""

    language: str
    phrases: int = 0
    decided: int = 0
    """Those that were sure enough to act upon, STOPs included."""
    right: int = 0
    """Of the decided, how many had the person's intent."""
    stops: int = 0
    stops_heard: int = 0
    stops_invented: int = 0
    urgent: int = 0
    urgent_found: int = 0
    urgent_invented: int = 0
    mood_right: int = 0
    noise_right: int = 0
    mistakes: list[tuple[Phrase, Tags]] = field(default_factory=list)
    """The decided ones that were wrong, and STOPs that were not heard."""

    def add(self, phrase: Phrase, tags: Tags) -> None:
        """Count one phrase."""
        heard = tags.sure and tags.intent is Intent.STOP
        is_stop = phrase.intent is Intent.STOP
        decided = tags.sure and tags.intent is not Intent.TEXT
        wrong = (decided and tags.intent is not phrase.intent) or (is_stop and not heard)
        self.phrases += 1
        self.decided += decided
        self.right += decided and tags.intent is phrase.intent
        self.stops += is_stop
        self.stops_heard += is_stop and heard
        self.stops_invented += heard and not is_stop
        urgent = tags.urgency is Urgency.HIGH
        self.urgent += phrase.urgent
        self.urgent_found += phrase.urgent and urgent
        self.urgent_invented += urgent and not phrase.urgent
        self.mood_right += tags.sentiment == phrase.sentiment
        self.noise_right += tags.noise == phrase.noise
        if wrong:
            self.mistakes.append((phrase, tags))

    def as_dict(self) -> dict[str, object]:
        """Return the figures, without the phrases."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "mistakes"}


def read_phrases(text: str, filename: str) -> list[Phrase]:
    """Read a file of phrases. Raises ValueError naming file and line."""
    phrases = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        columns = line.split("\t")
        what = _WHAT.fullmatch(columns[1]) if len(columns) == 3 else None
        if what is None or what["intent"] not in Intent.__members__.values():
            raise ValueError(f"{filename}:{number}: is no language, intent and text, parted by tabs")
        marks = what["marks"]
        mood: Sentiment = 1 if "+" in marks else -1 if "-" in marks else 0
        intent = Intent(what["intent"])
        phrases.append(Phrase(columns[0], intent, "!" in marks, mood, "~" in marks, columns[2], number))
    return phrases


def score(phrases: Iterable[Phrase]) -> list[Score]:
    """Read each phrase as a customer's of its language would be, and count; a row a language and one of all."""
    rows: dict[str, Score] = {}
    total = Score("all")
    for phrase in phrases:
        tags = understand(phrase.text, phrase.language)
        rows.setdefault(phrase.language, Score(phrase.language)).add(phrase, tags)
        total.add(phrase, tags)
    return [*rows.values(), total]


def confusions(rows: Sequence[Score]) -> Counter[tuple[str, str]]:
    """Count (person's intent, ours) among the mistakes of all."""
    return Counter((p.intent.value, t.intent.value) for p, t in rows[-1].mistakes) if rows else Counter()
