"""Mails that no person wrote: bounces, which are receipts, and automatic answers, which are nothing.

Source: RFC 3464 (delivery status), RFC 3834 (automatic responses), [MS-OXCMAIL] for Exchange.
"""

import re
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message
from email.utils import getaddresses

from notifiers.mail.sender import header_text
from notifiers.mail.text import decoded
from notifiers.understanding.plain import keepable

_IDS = re.compile(r"<[^<>\s]{1,900}>")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class Bounce:
    """A mail server gave up on a mail of ours."""

    message_ids: tuple[str, ...]
    """Message-IDs of the mail it is about, as far as the report names them."""
    recipients: tuple[str, ...] = field(repr=False)
    """Addresses that could not be reached, lower case."""
    status: str
    """Enhanced status code (RFC 3463), ``5.1.1``; ``5.0.0`` where the report has none."""


def message_ids(*headers: object) -> tuple[str, ...]:
    """Return the message ids in header values, each once, in order."""
    return tuple(dict.fromkeys(_IDS.findall(keepable(" ".join(str(header) for header in headers if header)))))


def read_bounce(mail: Message) -> Bounce | None:
    """Read a delivery status notification that says *failed*; None for any other mail, delays among them."""
    if mail.get_content_type() != "multipart/report" or not mail.is_multipart():
        return None
    blocks: list[Message] = []
    returned: list[Message] = []
    for part in mail.walk():
        kind = part.get_content_type()
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            blocks += _blocks(part)
        elif kind in ("message/rfc822", "message/global") and isinstance(part.get_payload(), list):
            returned += [inner for inner in part.get_payload() if isinstance(inner, Message)]
        elif kind in ("text/rfc822-headers", "message/global-headers"):
            returned.append(message_from_string(decoded(part).lstrip("\n")))
    failed = [block for block in blocks if str(block.get("Action", "")).strip().casefold() == "failed"]
    if not failed:
        return None
    ids = message_ids(
        *(inner.get("Message-ID") for inner in returned),
        *(block.get("Original-Message-ID") for block in blocks),
        mail.get("In-Reply-To"),
    )
    addresses = (block.get(name) for block in failed for name in ("Original-Recipient", "Final-Recipient"))
    # "rfc822; ana@example.com"
    recipients = [str(a).rpartition(";")[2].strip().strip("<>").casefold() for a in addresses if a]
    # Whom we wrote to, where that mailbox forwards and the report names the one behind it.
    recipients += [spec.casefold() for inner in returned for _, spec in getaddresses([str(inner.get("To", ""))])]
    status = next((s.group() for block in failed if (s := _STATUS.search(str(block.get("Status", ""))))), "5.0.0")
    return Bounce(ids, tuple(dict.fromkeys(map(keepable, recipients))), status)


def _blocks(part: Message) -> list[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        return [block for block in payload if isinstance(block, Message)]
    return [message_from_string(text) for text in re.split(r"\n\s*\n", decoded(part))]


_OUT_OF_OFFICE = re.compile(
    r"^\s*(?:automatic reply|auto(?:matic)?[- ]?reply|out of (?:the )?office|automatische antwort|abwesenheitsnotiz"
    r"|abwesend|réponse automatique|absence du bureau|respuesta automática|fuera de la oficina|resposta automática"
    r"|رد تلقائي)\b",
    re.IGNORECASE,
)


def is_automatic(mail: Message, return_path: str) -> bool:
    """Tell whether a program sent this: an out-of-office note, a list, a notification.

    Args:
        mail: the mail.
        return_path: the envelope's sender; empty for bounces and their like (RFC 5321 §4.5.5).
    """
    precedence = str(mail.get("Precedence", "")).strip().casefold()
    submitted = str(mail.get("Auto-Submitted", "no")).partition(";")[0].strip().casefold()
    return (
        not return_path.strip("<> ")
        or submitted != "no"
        or precedence in ("bulk", "junk", "list", "auto_reply")
        or any(name in mail for name in ("X-Autoreply", "X-Autorespond", "X-Autorespond-To", "List-Id", "Feedback-ID"))
        or mail.get_content_type() == "multipart/report"
        or _OUT_OF_OFFICE.match(header_text(mail.get("Subject"))) is not None
    )
