"""Pictures, recordings and files that came by LINE.

Source: developers.line.biz, Messaging API, "Get content": GET /v2/bot/message/{messageId}/content on the host for data;
202 while a recording is still being made ready, 404 or 410 once it is gone.
"""

from notifiers.attachment import LARGEST
from notifiers.errors import TryLater, Undeliverable
from notifiers.transports.http import HttpClient
from notifiers.transports.media import WITHIN_S, content_of


class LineMedia:
    """Fetches for one channel."""

    provider = "line"

    def __init__(self, token: str, *, data_url: str = "https://api-data.line.me") -> None:
        """Fetch with a channel access ``token``."""
        self._url = f"{data_url.rstrip('/')}/v2/bot/message"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = HttpClient(self.provider)

    async def fetch(self, ref: str) -> bytes:
        """See ``MediaSource``."""
        if not ref.isdecimal():
            raise Undeliverable(self.provider, "id", "that is no message id")
        answer = await self._http.fetch(f"{self._url}/{ref}/content", self._headers, LARGEST, WITHIN_S)
        if answer.status == 202:
            raise TryLater(self.provider, "202", "LINE is still making it ready")
        return content_of(self.provider, answer)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()
