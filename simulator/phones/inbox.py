"""What is on the phones: who owns which, and every message that came or went."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from device_models.event import rfc3339
from device_models.registry import Customer


class Direction(StrEnum):
    """Seen from the phone."""

    IN = "in"
    OUT = "out"


class Delivery(StrEnum):
    """How far a message has come: Twilio's words, which the page shows too."""

    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    FAILED = "failed"
    RECEIVED = "received"


@dataclass(slots=True)
class PhoneMessage:
    """One message on one phone, or on its way to it."""

    id: str
    customer_id: str | None
    """None for a number that is nobody's."""
    channel: str
    """``sms``, ``whatsapp`` or ``email``."""
    direction: Direction
    peer: str
    """The company's number or mailbox."""
    text: str
    at: datetime
    """When it was written, aware, in simulated time."""
    status: Delivery
    subject: str | None = None
    html: str | None = None
    """Of a mail: its HTML body; shown in a sandbox only."""
    error_code: int | None = None
    changed_at: datetime | None = None
    """When ``status`` was reached."""

    @property
    def on_phone(self) -> bool:
        """Whether its owner can see it: an incoming one only once it was delivered."""
        return self.direction is Direction.OUT or self.status in (Delivery.DELIVERED, Delivery.READ)

    def as_dict(self) -> dict[str, Any]:
        """Return what the page and ``PhonesServer.messages`` show; the HTML body is fetched apart."""
        return {
            "id": self.id,
            "customer_id": self.customer_id,
            "channel": self.channel,
            "direction": self.direction.value,
            "peer": self.peer,
            "subject": self.subject,
            "text": self.text,
            "has_html": self.html is not None,
            "at": rfc3339(self.at),
            "status": self.status.value,
            "changed_at": rfc3339(self.changed_at) if self.changed_at else None,
            "error_code": self.error_code,
            "on_phone": self.on_phone,
        }


@dataclass(slots=True)
class Phone:
    """One customer's phone."""

    customer: Customer
    reachable: bool = True
    """False in flight mode: what comes waits at the provider."""

    def as_dict(self) -> dict[str, Any]:
        """Return what the page shows of it."""
        customer = self.customer
        return {
            "id": customer.id,
            "name": customer.name,
            "locale": customer.locale,
            "timezone": customer.timezone,
            "quiet_hours": customer.quiet_hours,
            "reachable": self.reachable,
        }


@dataclass(slots=True)
class Inbox:
    """All phones and messages, and those who want to hear of changes."""

    phones: dict[str, Phone]
    messages: dict[str, PhoneMessage] = field(default_factory=dict)
    listeners: list[Callable[[str, dict[str, Any]], None]] = field(default_factory=list)
    """Called with an event's name and its data, on the loop's thread."""
    _owners: dict[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def of(cls, customers: Sequence[Customer]) -> "Inbox":
        """Give each customer a phone. Of two with one address the first has it."""
        inbox = cls({customer.id: Phone(customer) for customer in customers})
        for customer in customers:
            # A customer without a WhatsApp address of their own has it on their phone's number.
            numbers = {"sms": customer.address("sms"), "whatsapp": customer.address("whatsapp") or customer.phone}
            for channel, address in (*numbers.items(), ("email", customer.address("email"))):
                if address:
                    inbox._owners.setdefault((channel, address.casefold()), customer.id)
        return inbox

    def owner(self, channel: str, address: str) -> Phone | None:
        """Return the phone that ``address`` reaches, None where it is nobody's."""
        owner = self._owners.get((channel, address.casefold()))
        return self.phones[owner] if owner is not None else None

    def address(self, customer_id: str, channel: str) -> str | None:
        """Return where this customer is reached by ``channel``."""
        customer = self.phones[customer_id].customer
        return customer.address(channel) or (customer.phone if channel == "whatsapp" else None)

    def put(self, message: PhoneMessage) -> None:
        """Keep a new message and tell of it."""
        self.messages[message.id] = message
        self._tell("message", message.as_dict())

    def advance(self, message: PhoneMessage, status: Delivery, at: datetime, error_code: int | None = None) -> None:
        """Note how far a message has come and tell of it."""
        message.status, message.changed_at, message.error_code = status, at, error_code
        self._tell("message", message.as_dict())

    def set_reachable(self, customer_id: str, reachable: bool) -> None:
        """Switch flight mode and tell of it."""
        phone = self.phones[customer_id]
        phone.reachable = reachable
        self._tell("phone", phone.as_dict())

    def last_peer(self, customer_id: str, channel: str) -> str | None:
        """Return the company's number that last wrote to this customer on ``channel``: a reply goes there."""
        mine = (m for m in reversed(self.messages.values()) if m.customer_id == customer_id and m.channel == channel)
        return next((m.peer for m in mine), None)

    def _tell(self, event: str, data: dict[str, Any]) -> None:
        for listener in tuple(self.listeners):
            listener(event, data)
