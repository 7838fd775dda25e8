"""What customers have coming to them because they asked for something: no purpose stops it, and no one need consent.

From life: Ana booked Tuesday at nine. That the technician is ill is no reminder that she may have stopped.
"""

from typing import Literal

DATE_BOOKED = "date_booked"
DATE_CANCELLED = "date_cancelled"
PAGE_LINK = "page_link"
WELCOME = "welcome"
OWED = frozenset({DATE_BOOKED, DATE_CANCELLED, PAGE_LINK})
"""Templates; what becomes of a case, or of consent, withdraws none of them."""


def owed_as(template: str, via: str | None) -> Literal["now", "waits"] | None:
    """Tell whether a message needs no consent, and whether it answers what they do just now, or may wait till morning.

    ``via``: the channel on which they did it.
    """
    if template == PAGE_LINK or (template == WELCOME and via is not None):
        return "now"
    return "waits" if template in OWED else None
