"""What Twilio posts to us: receipts and inbound messages, and the check that it was Twilio.

Source: Twilio, "Webhooks security" (signature), "Message status callbacks", "Incoming message webhook" (with WhatsApp's
``OriginalRepliedMessageSid``), "Advanced Opt-Out" (``OptOutType``).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from urllib.parse import parse_qsl

from notifiers.inbound import Inbound, Media
from notifiers.receipts import Receipt, SendState
from notifiers.replies import Intent, read_reply

Form = Sequence[tuple[str, str]]
"""The fields of a form post as received, in order; a name may come twice."""

_STATES = {
    "accepted": SendState.ACCEPTED,
    "scheduled": SendState.ACCEPTED,
    "queued": SendState.ACCEPTED,
    "sending": SendState.ACCEPTED,
    "sent": SendState.ACCEPTED,
    "delivered": SendState.DELIVERED,
    "read": SendState.READ,
    "undelivered": SendState.FAILED,
    "failed": SendState.FAILED,
    "canceled": SendState.FAILED,
}


def parse_form(body: bytes) -> Form:
    """Read an ``application/x-www-form-urlencoded`` body. Raises ValueError where it is none, or not UTF-8."""
    return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=200)


def signature(auth_token: str, url: str, form: Form) -> str:
    """Compute ``X-Twilio-Signature`` for a form post to ``url``.

    HMAC-SHA1 over the exact public URL, query included, and each field's name and value, sorted by name; a
    repeated value counts once.
    """
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    return base64.b64encode(hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)).decode()


def verify_signature(auth_token: str, url: str, form: Form, header: str) -> bool:
    """Tell whether Twilio posted this; compares in constant time.

    Args:
        auth_token: the account's.
        url: the URL Twilio was given, scheme, host and query as the public sees them, not as a proxy rewrote them.
        form: all fields as received.
        header: ``X-Twilio-Signature``; empty where there was none.
    """
    return hmac.compare_digest(signature(auth_token, url, form).encode(), header.encode())


def parse_receipt(form: Form, at: datetime) -> Receipt | None:
    """Read a status callback; None where it is none. ``at``: when it came in, aware; Twilio states no time."""
    fields = _fields(form)
    sid = fields.get("MessageSid") or fields.get("SmsSid")
    state = _STATES.get(fields.get("MessageStatus") or fields.get("SmsStatus") or "")
    if not sid or state is None:
        return None
    code = fields.get("ErrorCode") if state is SendState.FAILED else None
    return Receipt("twilio", sid, state, at, code or None)


def parse_inbound(form: Form) -> Inbound | None:
    """Read an incoming message; None where it is none. A tapped button is its text, and its id the keyword."""
    fields = _fields(form)
    sid, from_ = fields.get("MessageSid") or fields.get("SmsSid"), fields.get("From")
    if not sid or not from_ or "Body" not in fields:
        return None
    scheme, _, address = from_.rpartition(":")
    return Inbound(
        provider="twilio",
        provider_id=sid,
        channel=scheme or "sms",
        address=address,
        text=fields.get("ButtonText") or fields["Body"],
        to=fields.get("To", "").rpartition(":")[2],
        opt_out=_OPT_OUTS.get(fields.get("OptOutType", "")),
        media=tuple(_media(fields)),
        keyword=_tapped(fields.get("ButtonPayload", "")),
        answers=fields.get("OriginalRepliedMessageSid") or None,
    )


def _tapped(payload: str) -> str | None:
    """A quick reply's id where it is one of ours; of any other that the content was given the label says more."""
    ours = read_reply(payload).intent is not Intent.TEXT or _OF_SURVEY.fullmatch(payload)
    return payload if ours else None


def _media(fields: Mapping[str, str]) -> Iterator[Media]:
    number = fields.get("NumMedia", "")
    for index in range(min(int(number), _MOST_MEDIA) if number.isdecimal() and len(number) <= 2 else 0):
        of_type = fields.get(f"MediaContentType{index}", "").partition("/")[0]
        yield Media(_KINDS.get(of_type, "document"), fields.get(f"MediaUrl{index}", ""))


_OF_SURVEY = re.compile(r"(rating|effort|helped)_[1-5]")
_MOST_MEDIA = 10
_KINDS = {"image": "photo", "audio": "voice message", "video": "video"}
_OPT_OUTS = {"STOP": Intent.STOP, "START": Intent.START, "HELP": Intent.HELP}


def _fields(form: Form) -> Mapping[str, str]:
    return dict(form)
