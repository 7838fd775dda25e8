"""Pictures and recordings that came by Twilio.

Source: Twilio, "Media subresource": ``MediaUrl{n}`` of an incoming message, GET with the account's Basic
authentication; it answers with a redirect to where the file lies, which is public for some minutes.
"""

import base64
from urllib.parse import urljoin, urlsplit

from notifiers.attachment import LARGEST
from notifiers.errors import Undeliverable
from notifiers.transports.http import HttpClient
from notifiers.transports.media import WITHIN_S, content_of, download

_REDIRECTS = (301, 302, 303, 307, 308)


class TwilioMedia:
    """Fetches as one account."""

    provider = "twilio"

    def __init__(self, account: str, token: str, *, base_url: str = "https://api.twilio.com") -> None:
        """See ``TwilioTransport``."""
        self._base = base_url.rstrip("/")
        self._ours = f"{self._base}/2010-04-01/Accounts/{account}/"
        self._headers = {"Authorization": "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()}
        self._http = HttpClient(self.provider)

    async def fetch(self, ref: str) -> bytes:
        """See ``MediaSource``. The account's token goes to Twilio alone, not to where the file lies."""
        if not ref.startswith(self._ours):
            raise Undeliverable(self.provider, "url", "the file is not one of our account's")
        answer = await self._http.fetch(ref, self._headers, LARGEST, WITHIN_S)
        if answer.status not in _REDIRECTS:
            return content_of(self.provider, answer)
        target = urljoin(ref, answer.headers.get("Location", ""))
        if urlsplit(target).scheme != "https" and not target.startswith(f"{self._base}/"):
            raise Undeliverable(self.provider, "redirect", "the file lies where nothing is encrypted")
        return await download(self._http, target, {})

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()
