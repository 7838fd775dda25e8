"""One mail that came in: a person's answer, a bounce, or nothing anybody has to see."""

import hashlib
import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import Message

from notifiers.attachment import Attachment, choose
from notifiers.mail.bounces import Bounce, is_automatic, message_ids, read_bounce
from notifiers.mail.quotation import keyword_text
from notifiers.mail.sender import Verdict, header_text, sender_of, verdict
from notifiers.mail.text import files_of, written_text
from notifiers.replies import Intent, read_reply
from notifiers.understanding.plain import keepable

_REPLY_PREFIX = re.compile(
    r"^(?:\s*(?:re|aw|antw|sv|rv|res|ref|tr|wg|fwd?|رد|رد على)\s*(?:\[\d+\])?\s*[:：])+\s*", re.IGNORECASE
)
_MOST_REFERENCES = 50


@dataclass(frozen=True, slots=True)
class Answer:
    """A person wrote. Its repr shows neither address nor text."""

    message_id: str
    """With angle brackets; made of the content where the mail has none."""
    address: str = field(repr=False)
    """From, lower case; empty where it cannot be told."""
    verdict: Verdict
    text: str = field(repr=False)
    """What they wrote, for the timeline."""
    keyword: str = field(repr=False)
    """What is read for STOP, DONE and their like: the text without a closing phrase and a name."""
    references: tuple[str, ...]
    """Message-IDs it answers, the nearest first."""
    files: tuple[Attachment, ...] = field(default=(), repr=False)
    """Pictures and PDFs that came with it; ``text`` names what is not kept."""


@dataclass(frozen=True, slots=True)
class Automatic:
    """A program wrote; nothing is done."""


def read_mail(content: bytes, return_path: str, authserv_id: str) -> Answer | Bounce | Automatic:
    """Read one mail as it came in. Never raises, whatever it holds.

    Args:
        content: The mail, RFC 5322.
        return_path: The envelope's sender; empty for a bounce.
        authserv_id: Name of the mail server whose ``Authentication-Results`` are believed.
    """
    # The older policy: the newer one parses headers as they are read and fails on some that are malformed.
    mail = message_from_bytes(content, policy=policy.compat32)
    bounce = read_bounce(mail)
    if bounce is not None:
        return bounce
    if is_automatic(mail, return_path):
        return Automatic()
    sender = sender_of(mail)
    text = keepable(written_text(mail) or _subject(mail))
    keyword = keyword_text(text, keepable(sender.display_name) if sender else "")
    files = choose(files_of(mail))
    return Answer(
        message_id=_own_id(mail, content),
        address=sender.spec.casefold() if sender else "",
        verdict=verdict(mail, sender, authserv_id) if sender else Verdict.FAILED,
        text=files.with_words(text),
        keyword=keyword,
        references=_references(mail),
        files=files.kept,
    )


def _own_id(mail: Message, content: bytes) -> str:
    found = message_ids(mail.get("Message-ID"))
    return found[0] if found else f"<{hashlib.sha256(content).hexdigest()}@without-message-id>"


def _references(mail: Message) -> tuple[str, ...]:
    earlier = message_ids(*mail.get_all("References", []))
    return tuple(dict.fromkeys((*message_ids(mail.get("In-Reply-To")), *reversed(earlier))))[:_MOST_REFERENCES]


def _subject(mail: Message) -> str:
    """The subject where somebody wrote into that alone, such as "STOP"; not the one of our own that comes back."""
    subject = header_text(mail.get("Subject"))
    return "" if _REPLY_PREFIX.match(subject) and not _is_command(subject) else _REPLY_PREFIX.sub("", subject)


def _is_command(subject: str) -> bool:
    return read_reply(_REPLY_PREFIX.sub("", subject)).intent is not Intent.TEXT
