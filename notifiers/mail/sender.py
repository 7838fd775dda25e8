"""Who really sent a mail: the From address, and what our own mail server found out about it.

A From address proves nothing. The server that took the mail from the internet checks SPF, DKIM and DMARC and writes
what it found into ``Authentication-Results`` (RFC 8601); only a header that names that server is believed, and it must
drop those that claim its name (RFC 8601 §5).
"""

import re
from collections.abc import Sequence
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from enum import StrEnum

from notifiers.mail.compose import Mailbox, parse_mailbox


class Verdict(StrEnum):
    """Whether the From address is whose mail it is."""

    VERIFIED = "verified"
    FAILED = "failed"
    """A check failed: the address is probably forged."""
    UNKNOWN = "unknown"
    """Nothing was checked, or nothing that speaks for this address."""


def sender_of(mail: Message) -> Mailbox | None:
    """Return the one From address, its name decoded; None where there is none, or more than one to choose from.

    Two From headers, or two addresses in one, are how a mail shows one sender and has another checked.
    """
    headers = [str(value) for value in mail.get_all("From", [])]
    if len(headers) != 1:
        return None
    try:
        mailbox = parse_mailbox(" ".join(headers[0].split()))
    except ValueError:
        return None
    return Mailbox(header_text(mailbox.display_name), mailbox.local, mailbox.domain)


def header_text(value: object) -> str:
    """Decode a header's encoded words (RFC 2047); as it stands where they are malformed."""
    text = " ".join(str(value or "").split())
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def verdict(mail: Message, sender: Mailbox, authserv_id: str) -> Verdict:
    """Read what the server named ``authserv_id`` found out about ``sender``.

    DMARC decides where it was checked. Without it a passed DKIM signature or SPF check counts when it is of the From
    address's very domain (strict alignment, RFC 7489 §3.1; the relaxed one needs a list of public suffixes).
    """
    domain = sender.domain.casefold()
    found = [r for header in mail.get_all("Authentication-Results", []) for r in _results(str(header), authserv_id)]
    dmarc = [(result, props) for method, result, props in found if method == "dmarc" and result != "none"]
    if dmarc:
        passed = all(result == "pass" and props.get("header.from", domain) == domain for result, props in dmarc)
        return Verdict.VERIFIED if passed else Verdict.FAILED
    for method, result, props in found:
        if result == "pass" and domain in _speaks_for(method, props):
            return Verdict.VERIFIED
    return (
        Verdict.FAILED if any(result in ("fail", "softfail", "policy") for _, result, _ in found) else Verdict.UNKNOWN
    )


_Result = tuple[str, str, dict[str, str]]


def _speaks_for(method: str, props: dict[str, str]) -> Sequence[str]:
    if method == "dkim":
        return [props["header.d"]] if "header.d" in props else [props.get("header.i", "").rpartition("@")[2]]
    return [props.get("smtp.mailfrom", "").rpartition("@")[2]] if method == "spf" else []


def _results(header: str, authserv_id: str) -> list[_Result]:
    """Parse one header into (method, result, properties), all lower case; nothing where another server wrote it."""
    first, *parts = _without_comments(header).split(";")
    name = first.split()
    if not name or name[0].casefold() != authserv_id.casefold():
        return []
    found: list[_Result] = []
    for part in parts:
        words = part.casefold().replace('"', "").split()
        method, equals, result = words[0].partition("=") if words else ("", "", "")
        if equals:
            pairs = (word.partition("=") for word in words[1:])
            found.append((method.partition("/")[0], result, {name: value for name, _, value in pairs}))
    return found


def _without_comments(text: str) -> str:
    """Drop comments, which nest (RFC 5322 §3.2.2); a quoted string keeps its parentheses."""
    kept, depth, quoted = [], 0, False
    for piece in re.findall(r"\\.|.", " ".join(text.split())):
        if piece == '"' and depth == 0:
            quoted = not quoted
        if piece == "(" and not quoted:
            depth += 1
        elif piece == ")" and depth > 0 and not quoted:
            depth -= 1
        elif depth == 0:
            kept.append(piece)
    return re.sub(r"\s*=\s*", "=", "".join(kept))
