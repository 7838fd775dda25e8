"""A rating of our help as customers give it: "5", "4 thanks", "⭐⭐⭐", 👎, "very good"; and what else they said."""

import re
from dataclasses import dataclass, field

from notifiers.replies import Intent, read_reply
from notifiers.understanding.rating_words import About, score_in
from notifiers.understanding.understand import Tags, understand

GOOD, BAD = 4, 2
"""From, and up to, this point of five they are content, or unhappy. A thumb says as much: good or bad, not "very"."""

_NUMBER = re.compile(
    r"(?P<score>\d)\ufe0f?\u20e3?"
    r"(?P<scale>\s*(?:/|out of|von|of|sur|de|из|من|dari)\s*[5５٥۵](?!\d))?"
    r"(?P<unit>\s*(?:stars?|sterne?|étoiles?|estrellas?|estrelas?|зв[её]зд\w*|نجوم|نجمة|نجمات|bintang|つ星|星|点|分|[⭐★🌟])\ufe0f?)?",
    re.IGNORECASE,
)
_STARS = re.compile(r"(?P<stars>(?:[⭐★🌟]\ufe0f?\s*)+)[☆\s]*")
_THUMBS = re.compile(r"(?:[👍👎][🏻-🏿]?\ufe0f?\s*)+")
_APART = re.compile(r"\s*[.,;:!)\-–—\n…，。、！；：،؛]+\s*(?!\d)")
"""What sets words apart from the number; "4,5" and "3-4" are no point of the scale."""


@dataclass(frozen=True, slots=True)
class Rated:
    """What a customer thought of our help."""

    score: int
    """1 very bad to 5 very good."""
    words: str = field(default="", repr=False)
    """What they said beside it, as written."""
    tags: Tags | None = None
    """The words, understood; None where there are none."""

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody has to read the words: who is unhappy says why, and who asks is answered."""
        if self.tags is None:
            return False
        asks = self.tags.intent in ASKS
        return self.score <= BAD or asks or self.tags.urgency == "high" or self.tags.sentiment < 0


ASKS = frozenset({Intent.STILL_BROKEN, Intent.CALL_ME, Intent.BOOK, Intent.QUESTION, Intent.HELP, Intent.STOP})
"""What wants an answer, whatever else it says."""


def read_rating(text: str, locale: str = "en", about: About = "rating") -> Rated | None:
    """Read an answer to "How was our help?"; None where it is not surely a rating, and a person reads it.

    In numbers, stars and thumbs, or in words (``rating_words``): "very good", "nicht gut, zu langsam". Words right
    behind a number ("4 thanks") count only where they thank, or praise or complain as the number does: "5 minutes later
    it broke again" and "1 works again" rate nothing.

    Args:
        text: as received.
        locale: the customer's, BCP 47.
        about: what was asked: how good it was, or how easy.
    """
    text = text.strip()
    if stars := _STARS.match(text):
        count = sum(character in "⭐★🌟" for character in stars["stars"])
        return _rated(count, text[stars.end() :], locale)
    if thumbs := _THUMBS.match(text):
        up, down = "👍" in thumbs[0], "👎" in thumbs[0]
        return _rated(GOOD if up else BAD, text[thumbs.end() :], locale) if up != down else None
    found = _NUMBER.match(text)
    if found is None:
        # "Thanks, 5": a number among courtesies.
        if (number := read_reply(text).number) is not None:
            return _rated(number, "", locale)
        in_words = score_in(text, locale, about)
        return _rated(in_words.score, in_words.rest, locale) if in_words is not None else None
    score, rest = int(found["score"]), text[found.end() :]
    apart = _APART.match(rest)
    if not rest or apart or found["unit"] or (found["scale"] and rest[0].isspace()):
        return _rated(score, rest[apart.end() :] if apart else rest, locale)
    rated = _rated(score, rest, locale) if not rest[0].isdecimal() else None
    return rated if rated is not None and _agree(rated) else None


def _rated(score: int, words: str, locale: str) -> Rated | None:
    words = words.strip()
    if not 1 <= score <= 5:
        return None
    return Rated(score, words, understand(words, locale) if words else None)


def _agree(rated: Rated) -> bool:
    tags = rated.tags
    if tags is None or tags.noise or tags.intent is Intent.THANKS:
        return True
    if tags.intent is not Intent.TEXT:
        return False
    return tags.sentiment > 0 if rated.score >= GOOD else tags.sentiment < 0 and rated.score <= BAD
