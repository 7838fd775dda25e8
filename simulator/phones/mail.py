"""An SMTP server whose mails appear on the phones' mail app."""

import email
import email.policy
import re
from email.message import EmailMessage
from email.utils import parseaddr
from html import unescape
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from simulator.phones.clock import Clock
from simulator.phones.inbox import Delivery, Direction, Inbox, PhoneMessage

LARGEST_MAIL = 2_000_000
"""Bytes; a notification has no reason to be larger."""
_HOSTNAME = "phones.demo.example"


class MailSink:
    """aiosmtpd's handler: takes mail for the customers' mailboxes and for no others."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        """Deliver into ``inbox``."""
        self._inbox = inbox
        self._clock = clock
        self._count = 0

    def protocol(self) -> SMTP:
        """Make the protocol of one connection."""
        return SMTP(self, hostname=_HOSTNAME, ident="phones", data_size_limit=LARGEST_MAIL, enable_SMTPUTF8=True)

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Refuse a mailbox that is nobody's, as a real server does."""
        if self._inbox.owner("email", address) is None:
            return "550 5.1.1 No such mailbox here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Put the mail on each recipient's phone."""
        content = envelope.content
        mail = email.message_from_bytes(content if isinstance(content, bytes) else b"", policy=email.policy.default)
        text, html = _bodies(mail)
        now = self._clock.now()
        sender = str(mail.get("From", "")) or str(envelope.mail_from or "")
        for address in envelope.rcpt_tos:
            phone = self._inbox.owner("email", address)
            if phone is None:
                continue
            self._count += 1
            self._inbox.put(
                PhoneMessage(
                    id=f"EM{self._count:032d}",
                    customer_id=phone.customer.id,
                    channel="email",
                    direction=Direction.IN,
                    peer=_display(sender),
                    text=text,
                    at=now,
                    status=Delivery.DELIVERED,
                    subject=str(mail.get("Subject", "")),
                    html=html,
                    changed_at=now,
                )
            )
        return "250 2.0.0 Delivered"


def _display(sender: str) -> str:
    name, address = parseaddr(sender)
    return name or address


def _bodies(mail: EmailMessage) -> tuple[str, str | None]:
    """Return the plain text, made from the HTML where there is none, and the HTML."""
    html_part, text_part = mail.get_body(("html",)), mail.get_body(("plain",))
    html = _content(html_part) if html_part is not None else None
    if text_part is not None:
        return _content(text_part).strip(), html
    return unescape(re.sub(r"<[^>]+>|\s+", " ", html or "")).strip(), html


def _content(part: Any) -> str:
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):
        # A charset that nobody knows: the bytes are shown as far as they are readable.
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""
