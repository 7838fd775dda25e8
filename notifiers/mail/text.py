"""What a person wrote in a mail: without the message they answer, without signatures, without markup."""

from email.message import Message

from notifiers.mail.html_text import html_text
from notifiers.mail.quotation import without_quotation

LONGEST = 10_000
"""Characters kept of one mail."""
_LONGEST_PART = 200_000
"""Characters looked at; what is behind them is a quotation of a quotation."""


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


def attachments(mail: Message) -> int:
    """Count the files that came with it; pictures of a signature count, since nobody can tell them apart."""
    return sum(
        part.get_content_disposition() == "attachment" or part.get_content_maintype() in ("image", "video", "audio")
        for part in mail.walk()
        if not part.is_multipart()
    )


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
