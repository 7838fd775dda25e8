"""What travels to a transport, and what comes back: one message to one person on one channel."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from device_models.purpose import Purpose
from notifiers.attachment import Attachment
from notifiers.wording.segments import Segments

Direction = Literal["ltr", "rtl"]


@dataclass(frozen=True, slots=True)
class Brand:
    """Who is speaking."""

    name: str
    """The company's name, as customers know it."""
    support_name: str
    """Who answers: "Acme Support"."""
    public_url: str
    """Where the customer's page lives; messages link to nothing outside it."""


@dataclass(frozen=True, slots=True)
class Links:
    """The signed links of one message, ready to use; None leaves that line out."""

    page_url: str | None = field(default=None, repr=False)
    """The customer's page on the case."""
    stop_url: str | None = field(default=None, repr=False)
    """The page that ends messages of this purpose, after a click by a person."""
    unsubscribe_post_url: str | None = field(default=None, repr=False)
    """What a mail program POSTs to for one-click unsubscribe (RFC 8058, which wants https); never a GET's target."""


@dataclass(frozen=True, slots=True)
class Thread:
    """Where a mail stands in its conversation (RFC 5322 §3.6.4); ids with their angle brackets."""

    message_id: str | None = None
    """None: derived from the idempotency key."""
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    """Oldest first."""
    reply_to: str | None = field(default=None, repr=False)
    """Address that answers go to, where it is not the sender's."""


@dataclass(frozen=True, slots=True)
class Button:
    """An answer to tap; channels without buttons say the same in words."""

    id: str
    """The same in every language: a keyword of ``notifiers.replies`` (``done``), or ``rating_4`` of a survey."""
    label: str
    """In the customer's language; 20 characters are shown everywhere."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A message in the customer's language, in the form its channel wants."""

    subject: str
    """One line; what a mail's subject, a push card's title and the console's list show."""
    text: str
    """The whole message as plain text; on SMS the short form."""
    html: str | None
    """A whole HTML document for mail, else None."""
    language: str
    """BCP 47; ``en`` where there is no catalogue for the customer's language, see ``missing``."""
    direction: Direction
    missing: tuple[str, ...] = ()
    """What fell back to English or was left out: ``catalogue:pt``, ``title:de``, ``msgid:…``, ``link:page_url``."""
    segments: Segments | None = None
    """On SMS, how many segments ``text`` takes; more than ``segments.MOST`` is worth a warning."""
    buttons: tuple[Button, ...] = ()
    menu: str = ""
    """What opens a list of the buttons, on channels that show only a few at once; 20 characters."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message at the moment it is handed over. Its repr shows no address, text or link."""

    key: str
    """Idempotency key of the outbox; the same for every attempt."""
    channel: str
    address: str = field(repr=False)
    rendered: Rendered = field(repr=False)
    purpose: Purpose
    now: datetime
    """Aware; the service's one clock, which becomes the mail's Date and the webhook's timestamp."""
    expires_at: datetime | None = None
    """Aware; a provider that can drop the message after it is told so."""
    links: Links = field(default_factory=Links, repr=False)
    thread: Thread | None = field(default=None, repr=False)
    status_callback_url: str | None = field(default=None, repr=False)
    """Where the provider posts receipts."""
    receipt_url: str | None = field(default=None, repr=False)
    """Where the app or page that shows it reports, with ``/delivered`` or ``/read`` behind it; signed, for it alone."""
    automatic: bool = True
    """False for an agent's own words: out-of-office replies to those are welcome (RFC 3834 §5)."""
    session_open: bool = False
    """The person wrote on this channel within the last 24 hours, which is when WhatsApp takes free text."""
    files: tuple[Attachment, ...] = field(default=(), repr=False)
    """What goes with a mail; on other channels files lie on the customer's page."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the message over."""

    provider: str
    provider_id: str
    """What its receipts will name: a Twilio SID, a Message-ID, the webhook's id."""
    state: Literal["accepted", "delivered"] = "accepted"
    detail: str = ""
    """The provider's own word, such as ``queued``; never text of the message."""


def message_id(key: str, domain: str) -> str:
    """Make the Message-ID of an outbox row: the same for each attempt, telling nothing about the customer.

    ``domain`` is the sender's, ASCII. Source: RFC 5322 §3.6.4.
    """
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"
