"""Files that lie with a chat provider: what gives them out."""

from typing import Protocol

from notifiers.attachment import LARGEST
from notifiers.errors import Undeliverable
from notifiers.transports.http import Answer, HttpClient, refusal

WITHIN_S = 60.0
"""For one try: ten megabytes at 1.4 Mbit/s."""
GONE = (404, 410)


class MediaSource(Protocol):
    """Gives out what came with messages by one provider."""

    @property
    def provider(self) -> str:
        """As ``Inbound.provider`` has it."""
        ...

    async def fetch(self, ref: str) -> bytes:
        """Return a file by ``Media.ref``; of one beyond ``LARGEST`` one byte more.

        Raises TryLater and Unknown, after which it may be asked for again, and Undeliverable.
        """
        ...

    async def close(self) -> None:
        """Let go of connections; no fetch may follow."""
        ...


async def download(http: HttpClient, url: str, headers: dict[str, str]) -> bytes:
    """GET one file; raises as ``MediaSource.fetch``."""
    return content_of(http.provider, await http.fetch(url, headers, LARGEST, WITHIN_S))


def content_of(provider: str, answer: Answer) -> bytes:
    """Return the file in an answer; raises what the provider's refusal means."""
    if answer.status in GONE:
        raise Undeliverable(provider, f"http_{answer.status}", "the provider has it no longer")
    if answer.status != 200:
        raise refusal(provider, answer)
    return answer.body
