"""What a person wrote in a mail: without the message they answer, without signatures, without markup."""

from collections.abc import Iterator
from email.message import Message

from notifiers.mail.html_text import html_text
from notifiers.mail.quotation import without_quotation
from notifiers.mail.sender import header_text

LONGEST = 10_000
"""Characters kept of one mail."""
_LONGEST_PART = 200_000
"""Characters looked at; what is behind them is a quotation of a quotation."""
_FILES = frozenset({"image", "video", "audio"})
_TINY = 1024
"""Bytes."""


def written_text(mail: Message) -> str:
    """Return what the sender wrote, trimmed; empty where the mail has no text of its own. Never raises.

    ``text/plain`` is preferred; HTML is read where there is none, or where it is empty, as some programs leave it.
    """
    plain, html = "", ""
    for part in mail.walk():
        if part.is_multipart() or part.get_content_disposition() == "attachment":
            continue
        kind = part.get_content_type()
        if kind == "text/plain" and not plain:
            plain = _unflow(part, decoded(part))
        elif kind == "text/html" and not html:
            html = decoded(part)
    return without_quotation(plain if plain.strip() else html_text(html))[:LONGEST]


def files_of(mail: Message) -> Iterator[tuple[str, bytes]]:
    """Yield the files that came with it, as (name, content); pictures of a signature too. Never raises.

    What is tiny and stands in the text is left out: dots that tell whether a mail was opened, and lines.
    """
    for part in mail.walk():
        attached = part.get_content_disposition() == "attachment"
        if part.is_multipart() or not (attached or part.get_content_maintype() in _FILES or _is_pdf(part)):
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and (attached or len(content) > _TINY):
            yield header_text(part.get_filename("")), content


def _is_pdf(part: Message) -> bool:
    return part.get_content_type() == "application/pdf"


def decoded(part: Message) -> str:
    """Decode a text part by its charset, whatever that claims to be."""
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    try:
        text = payload.decode(part.get_content_charset("utf-8"), errors="replace")
    except (LookupError, ValueError):
        text = payload.decode("utf-8", errors="replace")
    return text[:_LONGEST_PART].replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def _unflow(part: Message, text: str) -> str:
    """Join the lines that ``format=flowed`` broke softly (RFC 3676)."""
    if str(part.get_param("format") or "").casefold() != "flowed":
        return text
    lines: list[str] = []
    joins = False
    for line in text.split("\n"):
        unstuffed = line[1:] if line.startswith(" ") else line
        if joins and not line.startswith(">"):
            lines[-1] += unstuffed
        else:
            lines.append(unstuffed)
        joins = line.endswith(" ") and line != "-- " and not line.startswith(">")
    return "\n".join(lines)
