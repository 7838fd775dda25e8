"""A rendered message as a mail: headers a reader's program relies on, both bodies, nothing injectable."""

import email.policy
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from urllib.parse import quote

import idna

from notifiers.message import Outgoing, message_id

_VERBATIM = frozenset({"message-id", "in-reply-to", "references", "list-unsubscribe"})
_LONGEST_LINE = 998
"""Characters of a header line, RFC 5322 §2.1.1."""


class _MailPolicy(email.policy.EmailPolicy):
    """SMTP's line ends, seven-bit bodies, and ids and URLs left whole.

    The standard library folds a token longer than 78 characters by encoding it (RFC 2047), which no mail program
    undoes in an id or a List-Unsubscribe URL.
    """

    def fold(self, name: str, value: str) -> str:
        if name.lower() not in _VERBATIM:
            folded: str = super().fold(name, value)
            return folded
        return f"{name}: {(self.linesep + ' ').join(value.split())}{self.linesep}"

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() not in _VERBATIM:
            return super().fold_binary(name, value)
        return self.fold(name, value).encode("ascii")


_POLICY = _MailPolicy(linesep="\r\n", cte_type="7bit")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address that can stand in an envelope."""

    display_name: str
    local: str
    domain: str
    """ASCII: an internationalised domain is in its xn-- form (IDNA 2008)."""

    @property
    def needs_utf8(self) -> bool:
        """Whether only a server that speaks SMTPUTF8 (RFC 6531) can take it."""
        return not self.local.isascii()

    @property
    def spec(self) -> str:
        """As the envelope and the log of the server have it."""
        return f"{self.local}@{self.domain}"

    def header(self) -> Address:
        """As a header has it."""
        return Address(self.display_name, self.local, self.domain)


def parse_mailbox(text: str) -> Mailbox:
    """Read ``ana@example.com`` or ``Acme Support <help@acme.example>``.

    Raises ValueError, without the address, where it cannot be one: no or several @, white space or control
    characters, a domain that is none.
    """
    name, spec = parseaddr(text)
    local, _, domain = spec.rpartition("@")
    plain = text.isprintable() and local and not (set(' \t,;:<>()[]"\\@') & set(local)) and len(local.encode()) <= 64
    whole = text.strip().endswith(f"<{spec}>") or text.strip() == spec
    if not plain or not whole:
        raise ValueError("is no mail address")
    try:
        ascii_domain = domain if domain == "localhost" else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise ValueError("is no mail address: its domain is not valid") from None
    return Mailbox(name, local, ascii_domain)


def compose(outgoing: Outgoing, sender: Mailbox, recipient: Mailbox) -> EmailMessage:
    """Build the mail of one message; the same message always gives the same ids.

    Carries Auto-Submitted (RFC 3834), so that no out-of-office reply comes back, and where there are links
    List-Unsubscribe (RFC 2369) with one-click (RFC 8058), which wants https and a DKIM signature over both headers.
    """
    rendered, thread = outgoing.rendered, outgoing.thread
    mail = EmailMessage(policy=_POLICY.clone(utf8=True) if sender.needs_utf8 or recipient.needs_utf8 else _POLICY)
    mail["From"] = sender.header()
    mail["To"] = recipient.header()
    mail["Subject"] = one_line(rendered.subject)
    mail["Date"] = format_datetime(outgoing.now)
    mail["Message-ID"] = own_message_id(outgoing, sender)
    if thread is not None and thread.in_reply_to:
        mail["In-Reply-To"] = _ids(thread.in_reply_to)
    if thread is not None and thread.references:
        mail["References"] = _ids(" ".join(thread.references))
    if thread is not None and thread.reply_to:
        mail["Reply-To"] = parse_mailbox(thread.reply_to).header()
    if outgoing.automatic:
        mail["Auto-Submitted"] = "auto-generated"
        # Exchange answers absent-mindedly unless told in its own words ([MS-OXCMAIL] 2.1.3.2.20).
        mail["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    unsubscribe = outgoing.links.unsubscribe_post_url or outgoing.links.stop_url
    if unsubscribe:
        mail["List-Unsubscribe"] = f"<{_url(unsubscribe)}>"
    if outgoing.links.unsubscribe_post_url:
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(rendered.text)
    if rendered.html is not None:
        mail.add_alternative(rendered.html, subtype="html")
    for file in outgoing.files:
        main, _, sub = file.kind.partition("/")
        mail.add_attachment(file.content, maintype=main, subtype=sub, filename=file.name)
    # Last: adding an alternative moves every Content- header so far into the first part.
    mail["Content-Language"] = one_line(rendered.language)
    return mail


def own_message_id(outgoing: Outgoing, sender: Mailbox) -> str:
    """Return the Message-ID the mail will have: the thread's, or one derived from the idempotency key."""
    given = outgoing.thread.message_id if outgoing.thread is not None else None
    return _ids(given) if given else message_id(outgoing.key, sender.domain)


def one_line(text: str) -> str:
    """Join lines and drop control characters: what a header may hold, whatever a customer named a product."""
    return " ".join("".join(c if c.isprintable() or c.isspace() or _is_bidi(c) else " " for c in text).split())


def _is_bidi(c: str) -> bool:
    return c in "\u200e\u200f\u061c\u2068\u2069"


def _ids(text: str) -> str:
    """Keep what looks like message ids: an inbound mail may carry anything in its headers."""
    ids = [word for word in text.split() if word.isascii() and word.isprintable() and len(word) < _LONGEST_LINE - 20]
    return " ".join(ids)


def _url(url: str) -> str:
    return quote(url, safe="!#$%&'()*+,/:;=?@[]~")
