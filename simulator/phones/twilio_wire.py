"""Twilio's wire format: what its API answers, what it posts and how it signs. Pure.

Sources: Twilio's "Message resource", "Twilio's request to your incoming message webhook URL", "Track the message
status of outbound messages", "Security" (signature), "Error and warning dictionary", "Support for opt-out keywords".
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, Literal
from xml.etree import ElementTree

from simulator.phones.inbox import Delivery, Direction, PhoneMessage

API_VERSION = "2010-04-01"
LONGEST_BODY = 1600
LONGEST_VALIDITY_S = 36_000

STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
START_WORDS = frozenset({"start", "yes", "unstop"})
STOPPED = (
    "You have successfully been unsubscribed. You will not receive any more messages from this number. "
    "Reply START to resubscribe."
)
STARTED = (
    "You have successfully been re-subscribed to messages from this number. Reply HELP for help. "
    "Reply STOP to unsubscribe. Msg&Data Rates May Apply."
)

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|[A-Za-z0-9 +\-_&]{1,11}")
# GSM 03.38, the basic set; anything else makes a message of 16-bit characters.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_EXTENDED = frozenset("^{}\\[~]|€\f")


@dataclass(frozen=True, slots=True)
class ApiError:
    """A refusal as Twilio's API words it."""

    status: int
    """HTTP."""
    code: int
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON body."""
        return {
            "code": self.code,
            "message": self.message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": self.status,
        }


UNAUTHORIZED = ApiError(401, 20003, "Authenticate")
OPTED_OUT = ApiError(400, 21610, "Attempt to send to unsubscribed recipient")
TOO_MANY = ApiError(429, 20429, "Too Many Requests")


def not_found(path: str) -> ApiError:
    """Refuse a resource that is not there."""
    return ApiError(404, 20404, f"The requested resource {path} was not found")


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A create-message request that is in order."""

    channel: str
    to: str
    """E.164, without the channel's prefix."""
    sender: str
    """The number or the messaging service that sends, without prefix."""
    service: str | None
    body: str
    from_template: bool
    status_callback: str | None
    validity_s: int


def parse_send(form: Mapping[str, str], templates: Mapping[str, str]) -> SendRequest | ApiError:
    """Check the form of ``POST Messages.json`` in the order in which Twilio complains.

    ``templates``: text of WhatsApp's approved templates by ContentSid, with ``{{1}}`` for the first variable.
    """
    raw_to, raw_from, service = form.get("To", ""), form.get("From", ""), form.get("MessagingServiceSid")
    if not raw_to:
        return ApiError(400, 21604, "A 'To' phone number is required.")
    channel, to = _address(raw_to)
    from_channel, sender = _address(raw_from)
    if channel not in ("sms", "whatsapp") or not _E164.fullmatch(to):
        return ApiError(400, 21211, f"Invalid 'To' Phone Number: {_masked(to)}")
    if not raw_from and not service:
        return ApiError(400, 21603, "A 'From' phone number is required.")
    if raw_from and not _SENDER.fullmatch(sender):
        return ApiError(400, 21212, "Invalid From Number (caller ID)")
    if raw_from and from_channel != channel:
        return ApiError(400, 21910, "Invalid From and To pair. From and To should be of the same channel")
    body, content = form.get("Body", ""), form.get("ContentSid")
    if content:
        if content not in templates:
            return ApiError(400, 21655, f"The ContentSid {content} is Invalid")
        variables = _variables(form.get("ContentVariables", "{}"))
        if variables is None:
            return ApiError(400, 21656, "The ContentVariables Parameter is invalid")
        body = re.sub(r"\{\{(\w+)\}\}", lambda match: variables.get(match[1], ""), templates[content])
    if not body:
        return ApiError(400, 21602, "Message body is required.")
    if len(body) > LONGEST_BODY:
        return ApiError(400, 21617, "The concatenated message body exceeds the 1600 character limit")
    callback = form.get("StatusCallback") or None
    if callback is not None and not re.match(r"https?://[^\s/]+", callback):
        return ApiError(400, 21609, "The 'StatusCallback' URL is not a valid URL.")
    validity = form.get("ValidityPeriod", str(LONGEST_VALIDITY_S))
    if not validity.isdecimal() or not 1 <= int(validity) <= LONGEST_VALIDITY_S:
        return ApiError(400, 21637, "The ValidityPeriod must be between 1 and 36000 seconds")
    return SendRequest(channel, to, sender or service or "", service, body, bool(content), callback, int(validity))


def _address(text: str) -> tuple[str, str]:
    channel, colon, number = text.rpartition(":")
    return (channel if colon else "sms"), number.strip()


def _masked(number: str) -> str:
    """Twilio masks numbers it complains about, so that logs do not hold them."""
    return f"{number[:2]}XXXX{number[-2:]}" if len(number) > 6 else number


def _variables(text: str) -> dict[str, str] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else None


def new_sid() -> str:
    """Make a message SID."""
    return "SM" + secrets.token_hex(16)


def segments(text: str) -> int:
    """Count the parts an SMS is sent in: 160 characters alone and 153 a part in GSM 03.38, 70 and 67 in UCS-2."""
    if all(c in _GSM or c in _GSM_EXTENDED for c in text):
        length, alone, part = len(text) + sum(c in _GSM_EXTENDED for c in text), 160, 153
    else:
        length, alone, part = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= alone else -(-length // part)


def wire_address(channel: str, address: str) -> str:
    """Write an address as the API has it: WhatsApp's with its prefix."""
    return address if channel == "sms" else f"{channel}:{address}"


def resource(message: PhoneMessage, account_sid: str, to: str, service: str | None) -> dict[str, Any]:
    """Return the Message resource; ``to`` is the customer's address."""
    uri = f"/{API_VERSION}/Accounts/{account_sid}/Messages/{message.id}"
    outbound = message.direction is Direction.IN
    ours, theirs = wire_address(message.channel, message.peer), wire_address(message.channel, to)
    sent = message.status is not Delivery.QUEUED
    return {
        "account_sid": account_sid,
        "api_version": API_VERSION,
        "body": message.text,
        "date_created": format_datetime(message.at),
        "date_sent": format_datetime(message.at) if sent else None,
        "date_updated": format_datetime(message.changed_at or message.at),
        "direction": "outbound-api" if outbound else "inbound",
        "error_code": message.error_code,
        "error_message": None,
        "from": ours if outbound else theirs,
        "messaging_service_sid": service,
        "num_media": "0",
        "num_segments": str(segments(message.text)) if message.channel == "sms" else "1",
        "price": None,
        "price_unit": "USD",
        "sid": message.id,
        "status": message.status.value,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": theirs if outbound else ours,
        "uri": f"{uri}.json",
    }


def status_form(message: PhoneMessage, account_sid: str, to: str, service: str | None) -> dict[str, str]:
    """Return the fields of a status callback."""
    form = {
        "AccountSid": account_sid,
        "ApiVersion": API_VERSION,
        "From": wire_address(message.channel, message.peer),
        "MessageSid": message.id,
        "MessageStatus": message.status.value,
        "SmsSid": message.id,
        "SmsStatus": message.status.value,
        "To": wire_address(message.channel, to),
    }
    if service:
        form["MessagingServiceSid"] = service
    if message.error_code is not None:
        form["ErrorCode"] = str(message.error_code)
    if message.channel == "whatsapp":
        form |= {"ChannelPrefix": "whatsapp", "ChannelToAddress": to}
        if message.status in (Delivery.DELIVERED, Delivery.READ):
            form["EventType"] = message.status.value.upper()
    return form


def inbound_form(message: PhoneMessage, account_sid: str, sender: str, name: str) -> dict[str, str]:
    """Return the fields of the incoming-message webhook; ``sender`` is the customer's number."""
    form = {
        "AccountSid": account_sid,
        "ApiVersion": API_VERSION,
        "Body": message.text,
        "From": wire_address(message.channel, sender),
        "MessageSid": message.id,
        "NumMedia": "0",
        "NumSegments": str(segments(message.text)) if message.channel == "sms" else "1",
        "SmsMessageSid": message.id,
        "SmsSid": message.id,
        "SmsStatus": "received",
        "To": wire_address(message.channel, message.peer),
    }
    if message.channel == "whatsapp":
        form |= {"ProfileName": name, "WaId": sender.removeprefix("+"), "MessageType": "text"}
    return form


def sign(auth_token: str, url: str, form: Mapping[str, str]) -> str:
    """Sign a post: HMAC-SHA1, keyed with the auth token, of the URL and each field's name and value, sorted by name."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)).decode()


def keyword(text: str) -> Literal["stop", "start"] | None:
    """Return ``stop`` or ``start`` where a whole message is one of the words, as Twilio counts it; None otherwise."""
    word = text.strip().casefold()
    return "stop" if word in STOP_WORDS else "start" if word in START_WORDS else None


def twiml_messages(body: str) -> list[str]:
    """Read the ``<Message>`` verbs of a webhook's TwiML answer; nothing where it is no TwiML."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  (our own gateway's answer, of bounded length)
    except ElementTree.ParseError:
        return []
    texts = ("".join(verb.itertext()).strip() for verb in root.iter("Message")) if root.tag == "Response" else ()
    return [text for text in texts if text]
