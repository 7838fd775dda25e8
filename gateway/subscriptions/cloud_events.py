"""One POST an event: CloudEvents 1.0 in structured JSON, signed as Standard Webhooks 1.0.0 asks.

Sources: CloudEvents 1.0.2 (``specversion``, ``id``, ``source``, ``type``, ``subject``, ``time``, ``data``; HTTP binding
§3.2, structured mode); Standard Webhooks for the headers, see ``notifiers.transports.webhook``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from device_models.event import rfc3339
from gateway.subscriptions.entries import Entry
from notifiers.transports.http import HttpClient, refusal
from notifiers.transports.webhook import secret_key, sign

TYPE_PREFIX = "support.case."
_ABOUT_MESSAGES = frozenset({"message_in", "message_out", "note"})


class CloudEvents:
    """Tells one URL."""

    def __init__(self, name: str, url: str, secret: str, source: str, *, texts: bool, timeout_s: float = 15.0) -> None:
        """``source`` is the gateway's public URL. ``texts``: what people wrote goes along, and not only that they did.

        Raises ValueError for a secret that is no ``whsec_…``.
        """
        self.name = name
        self._url = url
        self._key = secret_key(secret)
        self._source = source
        self._texts = texts
        self._http = HttpClient(name, timeout_s)

    async def deliver(self, entry: Entry, now: datetime) -> None:
        """Post one entry; see ``Sink``."""
        event_id = f"entry_{entry.id}"
        body = orjson.dumps(event_of(entry, self._source, texts=self._texts))
        timestamp = int(now.timestamp())
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, event_id, timestamp, body),
        }
        answer = await self._http.post(self._url, body, headers)
        if not 200 <= answer.status < 300:
            raise refusal(self.name, answer)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()


def event_of(entry: Entry, source: str, *, texts: bool) -> dict[str, Any]:
    """Write an entry as a CloudEvent. ``data.case`` has no address, no name and no position of anybody."""
    case = entry.case
    data: dict[str, Any] = {
        "entry": entry.id,
        "author": entry.author,
        "channel": entry.channel or entry.body.get("channel"),
        "case": {
            "id": case["id"],
            "url": f"{source}/cases/{case['id']}",
            "title": (case["title"] or {}).get("en") or case["rule"],
            **{name: case[name] for name in _CASE_FIELDS},
            **{name: rfc3339(at) if (at := case[name]) is not None else None for name in _CASE_TIMES},
        },
    }
    if texts and entry.kind in _ABOUT_MESSAGES:
        data["text"] = entry.text
    return {
        "specversion": "1.0",
        "id": f"entry_{entry.id}",
        "source": source,
        "type": TYPE_PREFIX + entry.kind,
        "subject": f"cases/{case['id']}",
        "time": rfc3339(entry.at),
        "datacontenttype": "application/json",
        "data": data,
    }


_CASE_FIELDS: Sequence[str] = (
    "rule",
    "kind",
    "severity",
    "purpose",
    "state",
    "device_id",
    "customer_id",
    "assignee",
    "resolved_by",
    "resolution",
    "reopened",
)
_CASE_TIMES: Sequence[str] = ("opened_at", "resolved_at", "response_due_at")
