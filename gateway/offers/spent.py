"""Which offers used up a code and a piece of the budget: those that went out, or still may."""

import sqlalchemy as sa

from gateway.store.schema import notifications, offer_decisions

_CAME_TO_NOTHING = ("withheld", "expired", "cancelled", "discarded")


def is_spent() -> sa.ColumnElement[bool]:
    """Whether an offer was made and its message was not ended before anybody was handed it.

    From life: nobody approves the message within half an hour, and the customer has left. Its code is the next one's.
    """
    d, n = offer_decisions.c, notifications.c
    nothing = sa.exists().where(n.id == d.notification_id, n.state.in_(_CAME_TO_NOTHING), n.handed_over_at.is_(None))
    return sa.and_(d.reason.is_(None), d.offer_id.is_not(None), sa.not_(nothing))
