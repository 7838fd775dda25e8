"""What customers have coming to them because they asked for something: no purpose stops it, and no one need consent.

From life: Ana booked Tuesday at nine. That the technician is ill is no reminder that she may have stopped.
"""

DATE_BOOKED = "date_booked"
DATE_CANCELLED = "date_cancelled"
OWED = frozenset({DATE_BOOKED, DATE_CANCELLED})
"""Templates; what becomes of a case, or of consent, withdraws none of them."""
WELCOME = "welcome"


def is_owed(template: str, via: str | None) -> bool:
    """Tell whether a message needs no consent; ``via``: the channel of what they just did, which it answers."""
    return template in OWED or (template == WELCOME and via is not None)
