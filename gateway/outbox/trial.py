"""A message to somebody of the staff, to see how it arrives: past the outbox, kept nowhere."""

import secrets
from collections.abc import Awaitable, Callable, Sequence

from device_models.purpose import Purpose
from gateway.clock import Clock
from notifiers.message import Outgoing, Rendered
from notifiers.transports import Transport


def trial_sender(transports: Sequence[Transport], clock: Clock) -> Callable[[str, str, Rendered], Awaitable[None]]:
    """Return what hands one message over by whatever serves its channel.

    What it returns raises NotifierError, and LookupError where nothing serves the channel.
    """

    async def send(channel: str, address: str, rendered: Rendered) -> None:
        transport = next((one for one in transports if channel in one.channels), None)
        if transport is None:
            raise LookupError(f"nothing here serves {channel}; set a provider up for it")
        key = f"test-{secrets.token_hex(8)}"
        await transport.send(Outgoing(key, channel, address, rendered, Purpose.NEWS, clock.now()))

    return send
