"""A customer's answers to our survey by message, question by question: they become their rating, as on their page.

First how our help was, then what ``[notifiers.survey] then`` names: how easy it was, what helped, what could be better.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from device_models.registry import Customer
from gateway.cases import desk
from gateway.cases.answers import Answered, Question, confirm, move
from gateway.commands import CustomerWrote
from gateway.commands.desk import AnswerSurvey
from gateway.store.desk import survey_answers
from gateway.transaction import Transaction
from notifiers.mail.quotation import without_closing
from notifiers.replies import Intent, read_reply
from notifiers.understanding.rating import ASKS, BAD, GOOD, read_rating
from notifiers.understanding.rating_words import helped_in
from notifiers.understanding.understand import Sentiment, Tags, Urgency, understand

_HEEDED = frozenset({Intent.STOP, Intent.START})
"""What means more than any number beside it."""
_REQUESTS = frozenset({Intent.CALL_ME, Intent.BOOK})
_NOTHING_MORE = frozenset({Intent.NO, Intent.YES})
"""Answers to an open question that say nothing; so do thanks in a few characters."""
_CURT = 20
_BUTTON = re.compile(r"(rating|effort|helped)_([1-5])")
"""The id of a tapped button, see the templates."""


@dataclass(frozen=True, slots=True)
class Given:
    """What an answer says to the question asked."""

    question: Question
    score: int | None = None
    """Of a rating or the effort: 1 the worst to 5 the best."""
    helped: str | None = None
    """One of ``desk.HELPED``."""
    words: str = field(default="", repr=False)
    """What they said beside it, or to an open question, as written."""
    tags: Tags | None = None
    """The words, understood; None where there are none."""

    @property
    def values(self) -> dict[str, Any]:
        """What of ``AnswerSurvey`` it says."""
        words = {"better": self.words} if self.words else {}
        match self.question:
            case "rating":
                return {"satisfaction": self.score, **words}
            case "effort":
                return {"effort": self.score, **words}
            case "helped":
                return {"helped": self.helped, "helped_other": self.words or None}
            case "better":
                return words


def rating_in(command: CustomerWrote, customer: Customer | None, answered: Answered, tags: Tags) -> Given | None:
    """Read a message as an answer to what we asked; None where nothing was asked, or it is not surely one."""
    if answered.asks is None or customer is None or tags.intent in _HEEDED:
        return None
    if command.case_id not in (None, answered.case_id):
        return None
    if tapped := _BUTTON.fullmatch(command.keyword or ""):
        return _chosen(tapped[1], int(tapped[2]))
    text = without_closing(command.text, customer.name).strip()
    match answered.asks:
        case "rating" | "effort":
            rated = read_rating(text, customer.locale, answered.asks)
            return Given(answered.asks, rated.score, words=rated.words, tags=rated.tags) if rated is not None else None
        case "helped":
            return _helped(text, customer.locale)
        case "better":
            return _better(text, customer.locale)


def _chosen(question: str, number: int) -> Given:
    if question == "helped":
        return Given("helped", helped=desk.HELPED[number - 1])
    return Given("effort" if question == "effort" else "rating", number)


def _helped(text: str, locale: str) -> Given | None:
    """A number or a word of the list; whatever else is the last choice, in their own words."""
    number = read_reply(text).number
    if number is not None:
        return _chosen("helped", number) if 1 <= number <= len(desk.HELPED) else None
    known = helped_in(text, locale)
    if known is not None:
        return Given("helped", helped=known)
    tags = understand(text, locale)
    return None if _says_else(tags) or not text else Given("helped", helped="other", words=text, tags=tags)


def _better(text: str, locale: str) -> Given | None:
    tags = understand(text, locale)
    if _says_else(tags) or not text:
        return None
    if tags.intent in _NOTHING_MORE or ((tags.noise or tags.intent is Intent.THANKS) and len(text) <= _CURT):
        return Given("better")
    return Given("better", words=text, tags=tags)


def _says_else(tags: Tags) -> bool:
    """Whether words ask for something, which goes before any question of ours."""
    return tags.intent in ASKS or tags.intent in _HEEDED or tags.urgency == "high" or tags.may_stop


def tags_of(given: Given, tags: Tags) -> Tags:
    """Return an answer's tags: what its words ask for, else an answer that was understood."""
    if given.tags is not None and given.tags.sure and given.tags.intent in _REQUESTS:
        return given.tags
    sentiment: Sentiment = given.tags.sentiment if given.tags is not None and given.score is None else 0
    if given.score is not None:
        sentiment = 1 if given.score >= GOOD else -1 if given.score <= BAD else 0
    urgency = given.tags.urgency if given.tags is not None else Urgency.LOW
    # "Not good" alone is an answer, and no STOP; words beside it may be one.
    may_stop = tags.may_stop and bool(given.words)
    return replace(
        tags, intent=Intent.TEXT, confidence=1.0, by="number", sentiment=sentiment, urgency=urgency, may_stop=may_stop
    )


def rate(
    tx: Transaction, case: sa.RowMapping, customer: Customer, given: Given, tags: Tags, via: str, key: str
) -> bool:
    """Write down an answer, thank for it and ask what comes next; return whether a person has to read its words.

    What they said before, or on their page, stays. ``key`` is of their message, so that thanks are said once.
    """
    a = survey_answers.c
    query = sa.select(a.satisfaction, a.effort, a.helped, a.helped_other, a.better)
    theirs = query.where(a.case_id == case["id"], a.customer_id == customer.id)
    before = tx.connection.execute(theirs).mappings().first()
    said = {**(before or {}), **given.values}
    if any(value is not None for value in said.values()):
        desk.run(tx, AnswerSurvey(customer.id, case["id"], **said))
    if tags.intent in _REQUESTS:
        return move(tx, case, customer, tags, via, key)
    if _needs_a_person(given):
        confirm(tx, case, customer, "read", via, key)
        return True
    following = _next(tx.config.notifiers.survey.then, given, said)
    # Whoever has nothing to add was thanked before.
    if following is not None or given.question != "better" or given.words:
        confirm(tx, case, customer, f"ask_{following}" if following else "rated", via, key)
    return False


def _needs_a_person(given: Given) -> bool:
    """Whether somebody has to read the words: who is unhappy says why, and who asks is answered.

    In their own words to an open question they may as well tell of something new, so only praise is read by nobody.
    """
    if given.tags is None:
        return False
    if given.score is None:
        return given.tags.sentiment <= 0
    return given.score <= BAD or given.tags.intent in ASKS or given.tags.urgency == "high" or given.tags.sentiment < 0


def _next(then: tuple[Question, ...], given: Given, said: dict[str, Any]) -> Question | None:
    """The next question that is not answered yet; those before the one just answered are over."""
    left = then[then.index(given.question) + 1 :] if given.question in then else then
    return next((question for question in left if said.get(question) is None), None)
