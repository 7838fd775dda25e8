"""Pictures, recordings and documents that came by WhatsApp's Cloud API.

Source: developers.facebook.com, WhatsApp Business Platform, Cloud API, "Media": GET /<media id> names a URL, which is
good for five minutes and wants the same token.
"""

from urllib.parse import urlsplit

from notifiers.errors import Undeliverable, Unknown
from notifiers.transports.http import HttpClient
from notifiers.transports.media import GONE, download
from notifiers.transports.whatsapp_errors import refused

_METAS = (".fbsbx.com", ".facebook.com", ".whatsapp.net", ".fbcdn.net")
"""Where Meta keeps files: our token goes nowhere else."""


class WhatsAppMedia:
    """Fetches for one app."""

    provider = "whatsapp_cloud"

    def __init__(self, token: str, *, version: str = "v23.0", base_url: str = "https://graph.facebook.com") -> None:
        """See ``WhatsAppTransport``."""
        self._base, self._version = base_url.rstrip("/"), version
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = HttpClient(self.provider)

    async def fetch(self, ref: str) -> bytes:
        """See ``MediaSource``."""
        if not ref.isdecimal():
            raise Undeliverable(self.provider, "id", "that is no media id")
        answer = await self._http.request("GET", f"{self._base}/{self._version}/{ref}", b"", self._headers)
        if answer.status in GONE:
            raise Undeliverable(self.provider, f"http_{answer.status}", "the provider has it no longer")
        if answer.status != 200:
            raise refused(answer)
        url = str(answer.json().get("url", ""))
        parts = urlsplit(url)
        known = parts.scheme == "https" and f".{parts.hostname}".endswith(_METAS)
        if not url:
            raise Unknown(self.provider, "no_url", "it names no URL of the file")
        if not known and not url.startswith(f"{self._base}/"):
            raise Undeliverable(self.provider, "url", "the file lies outside Meta's own hosts")
        return await download(self._http, url, self._headers)

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()
