"""Pictures, recordings and documents that were sent to a Telegram bot.

Source: core.telegram.org/bots/api: getFile (files of up to 20 MB; ``file_path`` is good for an hour), then
``/file/bot<token>/<file_path>``. The token stands in both addresses: neither is ever logged.
"""

from urllib.parse import quote

import orjson

from notifiers.errors import Undeliverable, Unknown
from notifiers.transports.http import HttpClient, refusal
from notifiers.transports.media import download

_HEADERS = {"Content-Type": "application/json"}


class TelegramMedia:
    """Fetches for one bot."""

    provider = "telegram"

    def __init__(self, token: str, *, base_url: str = "https://api.telegram.org") -> None:
        """See ``TelegramTransport``."""
        base = base_url.rstrip("/")
        self._get_file, self._files = f"{base}/bot{token}/getFile", f"{base}/file/bot{token}/"
        self._http = HttpClient(self.provider)

    async def fetch(self, ref: str) -> bytes:
        """See ``MediaSource``."""
        answer = await self._http.post(self._get_file, orjson.dumps({"file_id": ref}), _HEADERS)
        if answer.status == 400:
            raise Undeliverable(self.provider, "400", "Telegram gives it out no longer, or it is larger than 20 MB")
        if answer.status != 200:
            raise refusal(self.provider, answer)
        result = answer.json().get("result")
        path = result.get("file_path") if isinstance(result, dict) else None
        if not isinstance(path, str) or not path:
            raise Unknown(self.provider, "no_path", "it names no path of the file")
        if ".." in path.split("/"):
            raise Undeliverable(self.provider, "path", "the file's path leads elsewhere")
        return await download(self._http, self._files + quote(path), {})

    async def close(self) -> None:
        """Close kept connections."""
        await self._http.close()
