"""Codes by which a customer links a chat to themselves: where only the customer can begin, a deep link carries one.

The page that shows the link makes the code (``new_link_code``) and keeps whose it is; the customer's first message in
the chat brings it back, and with it the address that the channel knows them by.
"""

import re
import secrets
from urllib.parse import quote

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without what is misread when somebody types it: 0/O, 1/I/L."""
_LETTERS = 12
_CODE = re.compile(rf"\bLINK-([{_ALPHABET}]{{{_LETTERS}}})\b", re.IGNORECASE)


def new_link_code() -> str:
    """Make a code: 59 bits of chance, fit for a Telegram deep link (64 of A-Z a-z 0-9 _ -) and for a chat's text."""
    return "LINK-" + "".join(secrets.choice(_ALPHABET) for _ in range(_LETTERS))


def read_link_code(text: str) -> str | None:
    """Find the code in a chat's message, upper case; None where there is none.

    Telegram's deep link sends ``/start LINK-…``; those of LINE and WhatsApp fill in a text that the customer sends and
    may have added to.
    """
    found = _CODE.search(text)
    return found.group().upper() if found else None


def telegram_link(bot: str, code: str) -> str:
    """Return the deep link that starts the bot with a code. Source: core.telegram.org/bots/features#deep-linking."""
    return f"https://t.me/{bot.removeprefix('@')}?start={code}"


def line_link(account_id: str, text: str) -> str:
    """Return the link that opens a chat with a LINE account, ``text`` filled in. ``account_id``: the basic id, ``@…``.

    Source: developers.line.biz, "Use LINE features with the LINE URL scheme".
    """
    return f"https://line.me/R/oaMessage/{_quoted(account_id)}/?{_quoted(text)}"


def whatsapp_link(number: str, text: str) -> str:
    """Return the link that opens a chat with a WhatsApp number in E.164. Source: faq.whatsapp.com, "click to chat"."""
    return f"https://wa.me/{number.removeprefix('+')}?text={_quoted(text)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")
