"""How well messages are understood: tagged phrases, read and compared."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from notifiers.replies import Intent
from notifiers.understanding.phrases import Phrase
from notifiers.understanding.understand import Tags, Urgency, understand


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
    stops_caught: int = 0
    """STOPs after which nothing that can wait is sent: heard, or held until a person has read them."""
    held: int = 0
    """Other phrases after which what can wait is held."""
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
        self.stops_caught += is_stop and (heard or tags.may_stop)
        self.held += tags.may_stop and not (is_stop or heard)
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
