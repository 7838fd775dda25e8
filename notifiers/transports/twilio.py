"""SMS and WhatsApp through Twilio's Messages resource.

Source: Twilio's "Messages resource" (form fields, 201 with ``sid`` and ``status``), "Error and Warning Dictionary".
Twilio takes no idempotency key, so a message whose answer was lost is unknown and never sent again by itself.
"""

import base64
import re
from collections.abc import Sequence
from urllib.parse import urlencode

import orjson

from notifiers.errors import Because, NotifierError, TryLater, Undeliverable, Unknown, Unwritten
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from notifiers.transports.http import Answer, HttpClient, refusal, retry_after_s
from notifiers.transports.twilio_errors import advice_for, because, safe_to_repeat
from notifiers.transports.whatsapp_templates import Template, template_for, variable

LONGEST_VALIDITY_S = 36_000
"""Twilio's own queue holds a message no longer than ten hours."""
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


class TwilioTransport:
    """Hands messages to Twilio, or to whatever speaks its wire format at ``base_url``."""

    name = "twilio"
    repeatable = False
    per_second = 10.0
    """A long code takes one a second and Twilio queues the rest; short codes and services take more."""
    reports = frozenset({SendState.DELIVERED, SendState.READ, SendState.FAILED})

    def __init__(
        self,
        account: str,
        token: str,
        sender: str | None = None,
        whatsapp_sender: str | None = None,
        *,
        whatsapp_templates: Sequence[Template] = (),
        base_url: str = "https://api.twilio.com",
        timeout_s: float = 20.0,
    ) -> None:
        """Log in as ``account`` (AC…) with its auth ``token``.

        Args:
            account: account SID.
            token: its auth token, which also signs callbacks.
            sender: for SMS: an E.164 number, a short code, an alphanumeric sender or a messaging service (MG…).
            whatsapp_sender: the E.164 number registered with WhatsApp.
            whatsapp_templates: approved ones, by the SIDs of their contents (HX…), for whoever has not written for 24
                hours; without any free text is tried, which WhatsApp then refuses (63016).
            base_url: where the API is.
            timeout_s: bounds connecting and waiting for the answer.
        Raises ValueError where there is no sender at all.
        """
        if not (sender or whatsapp_sender):
            raise ValueError("notifiers.twilio.sender: name the number or messaging service (MG…) that sends")
        self._senders = {"sms": sender, "whatsapp": whatsapp_sender}
        self.channels = frozenset(channel for channel, from_ in self._senders.items() if from_)
        self._templates = tuple(whatsapp_templates)
        self._url = f"{base_url.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"
        self._authorization = "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()
        self._http = HttpClient(self.name, timeout_s)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; see ``Transport.send``."""
        body = urlencode(self._form(outgoing)).encode()
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        answer = await self._http.post(self._url, body, headers)
        if not 200 <= answer.status < 300:
            raise _refusal(answer)
        message = answer.json()
        sid = message.get("sid")
        if not isinstance(sid, str) or not sid:
            raise Unknown(self.name, "no_sid", "it accepted the message and named no id; look for it in its log")
        return Accepted(self.name, sid, detail=str(message.get("status", "")))

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _form(self, outgoing: Outgoing) -> dict[str, str]:
        from_ = self._senders.get(outgoing.channel)
        if not from_:
            advice = f"no sender is set for {outgoing.channel}; set notifiers.twilio"
            raise Unwritten(self.name, "no_sender", advice)
        if not _E164.fullmatch(outgoing.address):
            raise Unwritten(self.name, "21211", advice_for("21211"), Because.ADDRESS)
        prefix = "whatsapp:" if outgoing.channel == "whatsapp" else ""
        form = {"To": f"{prefix}{outgoing.address}"}
        form |= {"MessagingServiceSid": from_} if _SERVICE.fullmatch(from_) else {"From": f"{prefix}{from_}"}
        if prefix and self._templates and not outgoing.session_open:
            form |= self._content(outgoing)
        else:
            form["Body"] = outgoing.rendered.text
        if outgoing.status_callback_url:
            form["StatusCallback"] = outgoing.status_callback_url
        if outgoing.expires_at is not None:
            left_s = int((outgoing.expires_at - outgoing.now).total_seconds())
            if left_s < 1:
                raise Unwritten(self.name, "expired", "its time ran out before it was sent", Because.EXPIRED)
            form["ValidityPeriod"] = str(min(left_s, LONGEST_VALIDITY_S))
        return form

    def _content(self, outgoing: Outgoing) -> dict[str, str]:
        found = template_for(self._templates, outgoing)
        if found is None:
            advice = "the customer has not written for 24 hours, and no template is for this purpose (notifiers.twilio)"
            raise Unwritten(self.name, "63016", advice)
        variables = orjson.dumps({"1": variable(self.name, "63013", outgoing)}).decode()
        return {"ContentSid": found[0].name, "ContentVariables": variables}


def _refusal(answer: Answer) -> NotifierError:
    """Say what Twilio's refusal means: by its own code where it is clear, else by the HTTP status."""
    number = answer.json().get("code")
    code = str(number) if isinstance(number, int) else ""
    if 400 <= answer.status < 500 and code:
        if safe_to_repeat(code):
            return TryLater(TwilioTransport.name, code, advice_for(code), retry_after_s(answer.headers))
        if answer.status not in (401, 403, 408, 425, 429):
            return Undeliverable(TwilioTransport.name, code, advice_for(code), because(code))
    return refusal(TwilioTransport.name, answer, code)
