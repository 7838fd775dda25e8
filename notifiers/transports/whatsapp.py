"""WhatsApp by Meta's Cloud API.

Source: developers.facebook.com, WhatsApp Business Platform, Cloud API: "Messages" (POST /<phone number id>/messages,
types text, interactive, template; ``biz_opaque_callback_data``, up to 512 characters, comes back in each status),
"Error codes", "Conversation windows". Free text is taken only within 24 hours of the customer's own message, else a
template that Meta approved. There is no idempotency key; a status that names our key tells what became of an unknown
send.
"""

import re
from collections.abc import Sequence
from typing import Any

import orjson

from notifiers.errors import Because, Unknown, Unwritten
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from notifiers.transports.http import HttpClient
from notifiers.transports.lifetime import seconds_left
from notifiers.transports.whatsapp_errors import refused
from notifiers.transports.whatsapp_templates import Template, template_for, variable

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_LONGEST_TEXT = 4096
_LONGEST_WITH_BUTTONS = 1024
_MOST_BUTTONS = 3
_MOST_ROWS = 10
"""Of a list, which shows more than buttons can ("Interactive list messages"); their titles have 24 characters."""
_LONGEST_ROW = 24
_LONGEST_LABEL = 20
_LONGEST_KEY = 512


class WhatsAppTransport:
    """Writes as one number of a WhatsApp Business account."""

    name = "whatsapp_cloud"
    repeatable = False
    per_second = 60.0
    """Of the 80 a second that a number begins with (Cloud API, "Throughput")."""
    channels = frozenset({"whatsapp"})
    reports = frozenset({SendState.DELIVERED, SendState.READ, SendState.FAILED})

    def __init__(
        self,
        phone_number_id: str,
        token: str,
        *,
        templates: Sequence[Template] = (),
        version: str = "v23.0",
        base_url: str = "https://graph.facebook.com",
        timeout_s: float = 20.0,
    ) -> None:
        """Write as ``phone_number_id`` (an id, not the number) with a system user's ``token``.

        Args:
            phone_number_id: of the sender.
            token: its access token.
            templates: what Meta approved, used outside the 24 hours; a message that none is for goes by the customer's
                next channel.
            version: of the Graph API.
            base_url: where it is.
            timeout_s: bounds connecting and waiting for the answer.
        Raises ValueError, without the token, where these cannot be used.
        """
        if not phone_number_id.isdecimal():
            raise ValueError("notifiers.whatsapp.phone_number_id: is the sender's id in Meta's app, digits alone")
        if not token.isascii() or not token.isprintable() or " " in token or not token:
            raise ValueError("notifiers.whatsapp.token: is no access token")
        if not all(template.languages for template in templates):
            raise ValueError("notifiers.whatsapp.template_languages: name at least one, such as en")
        self._url = f"{base_url.rstrip('/')}/{version}/{phone_number_id}/messages"
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        self._templates = tuple(templates)
        self._http = HttpClient(self.name, timeout_s)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; see ``Transport.send``."""
        seconds_left(self.name, outgoing)
        if not _E164.fullmatch(outgoing.address):
            raise Unwritten(self.name, "to", "the number is not valid", Because.ADDRESS)
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": outgoing.address,
            "biz_opaque_callback_data": outgoing.key[:_LONGEST_KEY],
            **(self._free(outgoing) if outgoing.session_open else self._from_template(outgoing)),
        }
        answer = await self._http.post(self._url, orjson.dumps(body), self._headers)
        if not 200 <= answer.status < 300:
            raise refused(answer)
        messages = answer.json().get("messages")
        first = messages[0] if isinstance(messages, list) and messages and isinstance(messages[0], dict) else {}
        number = first.get("id")
        if not isinstance(number, str) or not number:
            raise Unknown(self.name, "no_id", "it accepted the message and named no id; its status will tell")
        return Accepted(self.name, number, detail=str(first.get("message_status", "")))

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()

    def _free(self, outgoing: Outgoing) -> dict[str, Any]:
        text, buttons = outgoing.rendered.text, outgoing.rendered.buttons
        if len(text) > _LONGEST_TEXT:
            raise Unwritten(self.name, "too_long", "the text is longer than 4,096 characters")
        if not buttons or len(text) > _LONGEST_WITH_BUTTONS:
            return {"type": "text", "text": {"preview_url": False, "body": text}}
        if len(buttons) > _MOST_BUTTONS and outgoing.rendered.menu:
            rows = [{"id": b.id, "title": b.label[:_LONGEST_ROW]} for b in buttons[:_MOST_ROWS]]
            action = {"button": outgoing.rendered.menu[:_LONGEST_LABEL], "sections": [{"rows": rows}]}
            return {"type": "interactive", "interactive": {"type": "list", "body": {"text": text}, "action": action}}
        buttons = buttons[:_MOST_BUTTONS]
        replies = [{"type": "reply", "reply": {"id": b.id, "title": b.label[:_LONGEST_LABEL]}} for b in buttons]
        interactive = {"type": "button", "body": {"text": text}, "action": {"buttons": replies}}
        return {"type": "interactive", "interactive": interactive}

    def _from_template(self, outgoing: Outgoing) -> dict[str, Any]:
        found = template_for(self._templates, outgoing)
        if found is None:
            advice = (
                "the customer has not written for 24 hours, and no template is for this purpose (notifiers.whatsapp)"
            )
            raise Unwritten(self.name, "131047", advice)
        chosen, language = found
        body = {"type": "body", "parameters": [{"type": "text", "text": variable(self.name, "132005", outgoing)}]}
        replies = [
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": str(index),
                "parameters": [{"type": "payload", "payload": id_}],
            }
            for index, id_ in enumerate(chosen.buttons)
        ]
        template = {"name": chosen.name, "language": {"code": language}, "components": [body, *replies]}
        return {"type": "template", "template": template}
