"""Every other service that Apprise knows (Signal, Matrix, ntfy, Pushover, …); the address is an Apprise URL.

Source: github.com/caronc/apprise. It tells whether all went well and nothing else: no id, no receipts, no reason. So
whatever goes wrong after it began is unknown (apprise#1685: an error may follow a delivery). The URL holds secrets: it
is never logged, and Apprise's own log, which repeats parts of it, is silenced.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from notifiers.errors import Because, Unknown, Unwritten
from notifiers.message import Accepted, Outgoing
from notifiers.receipts import SendState
from notifiers.transports.lifetime import seconds_left

_AT_ONCE = 4


class AppriseTransport:
    """Hands messages to Apprise, in threads of its own."""

    name = "apprise"
    repeatable = False
    per_second = 2.0
    channels = frozenset({"apprise"})
    reports: frozenset[SendState] = frozenset()

    def __init__(self, schemes: Sequence[str], *, timeout_s: float = 30.0) -> None:
        """Allow the Apprise ``schemes`` (``signal``, ``matrixs``) and no other.

        Among those that Apprise knows are some that post to any address or act on this very machine. Raises ValueError
        where the package is not installed, or a scheme is unknown to it.
        """
        try:
            import apprise
        except ImportError:
            raise ValueError(
                "notifiers.apprise: Apprise is not installed; pip install 'proactive-support-gateway[apprise]'"
            ) from None
        # At each level: its debug log holds the message, its warnings parts of the address.
        logging.getLogger("apprise").disabled = True
        known = apprise.Apprise().details()["schemas"]
        names = {
            str(scheme) for one in known for key in ("protocols", "secure_protocols") for scheme in (one[key] or ())
        }
        if unknown := sorted(set(schemes) - names):
            raise ValueError(f"notifiers.apprise.schemes: Apprise knows no {', '.join(unknown)}")
        if not schemes:
            raise ValueError("notifiers.apprise.schemes: name those that customers' addresses may have")
        self._make = apprise.Apprise
        self._text = apprise.NotifyFormat.TEXT
        self._schemes = frozenset(schemes)
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="apprise")

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one message over; see ``Transport.send``."""
        seconds_left(self.name, outgoing)
        scheme = outgoing.address.partition("://")[0].casefold()
        service = self._make()
        if scheme not in self._schemes or not service.add(outgoing.address):
            advice = "is no Apprise URL of the schemes that notifiers.apprise allows"
            raise Unwritten(self.name, "url", advice, Because.ADDRESS)

        def notify() -> bool:
            body, title = outgoing.rendered.text, outgoing.rendered.subject
            return bool(service.notify(body=body, title=title, body_format=self._text))

        running = asyncio.get_running_loop().run_in_executor(self._threads, notify)
        try:
            async with asyncio.timeout(self._timeout_s):
                went = await running
        except TimeoutError:
            raise Unknown(self.name, "timeout", "it did not come back in time; the message may have gone") from None
        except Exception:  # noqa: BLE001 - whatever one of a hundred plugins raises; its words may hold the URL
            raise Unknown(self.name, "plugin", "its plugin failed; look there before sending again") from None
        if not went:
            raise Unknown(self.name, "failed", "it says no more than that it failed; look there before sending again")
        return Accepted(self.name, hashlib.sha256(outgoing.key.encode()).hexdigest()[:32])

    async def close(self) -> None:
        """Wait for no thread: each is bounded by Apprise's own time-outs."""
        self._threads.shutdown(wait=False, cancel_futures=True)
