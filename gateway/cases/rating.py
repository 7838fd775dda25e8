"""A customer's answer to "How was our help?" by message: it becomes their rating, as if given on their page."""

from dataclasses import replace

import sqlalchemy as sa

from device_models.registry import Customer
from gateway.cases import desk
from gateway.cases.answers import Answered, confirm, move
from gateway.commands import CustomerWrote
from gateway.commands.desk import AnswerSurvey
from gateway.store.desk import survey_answers
from gateway.transaction import Transaction
from notifiers.mail.quotation import without_closing
from notifiers.replies import Intent
from notifiers.understanding.rating import BAD, GOOD, Rated, read_rating
from notifiers.understanding.understand import Sentiment, Tags, Urgency

_HEEDED = frozenset({Intent.STOP, Intent.START})
"""What means more than any number beside it."""
_REQUESTS = frozenset({Intent.CALL_ME, Intent.BOOK})


def rating_in(command: CustomerWrote, customer: Customer | None, answered: Answered, tags: Tags) -> Rated | None:
    """Read a message as a rating; None where it answers no survey, or is not surely one."""
    if not answered.survey or customer is None or tags.intent in _HEEDED:
        return None
    if command.case_id not in (None, answered.case_id):
        return None
    return read_rating(without_closing(command.text, customer.name), customer.locale)


def tags_of(rated: Rated, tags: Tags) -> Tags:
    """Return a rating's tags: what its words ask for, else a number that was understood."""
    if rated.tags is not None and rated.tags.sure and rated.tags.intent in _REQUESTS:
        return rated.tags
    sentiment: Sentiment = 1 if rated.score >= GOOD else -1 if rated.score <= BAD else 0
    urgency = rated.tags.urgency if rated.tags is not None else Urgency.LOW
    return replace(tags, intent=Intent.TEXT, confidence=1.0, by="number", sentiment=sentiment, urgency=urgency)


def rate(
    tx: Transaction, case: sa.RowMapping, customer: Customer, rated: Rated, tags: Tags, via: str, key: str
) -> bool:
    """Write down a rating and thank for it; return whether a person has to read its words.

    What they said on their page beside satisfaction stays. ``key`` is of their message, so that thanks are said once.
    """
    a = survey_answers.c
    query = sa.select(a.effort, a.helped, a.helped_other, a.better)
    theirs = query.where(a.case_id == case["id"], a.customer_id == customer.id)
    before = tx.connection.execute(theirs).mappings().first()
    kept = dict(before) if before is not None else {}
    words = {"better": rated.words} if rated.words else {}
    desk.run(tx, AnswerSurvey(customer.id, case["id"], rated.score, **{**kept, **words}))
    if tags.intent in _REQUESTS:
        return move(tx, case, customer, tags, via, key)
    confirm(tx, case, customer, "read" if rated.needs_a_person else "rated", via, key)
    return rated.needs_a_person
