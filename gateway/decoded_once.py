"""The pipeline and the history read the same log; what one of them has decoded the other need not decode again."""

from collections.abc import Callable
from threading import Lock

from device_models.decoders.protocol import Decoded
from device_models.event import Message, Rejection

Decode = Callable[[Message], Decoded | Rejection]

MOST_KEPT = 5_000
"""Messages by which one reader may be ahead of the other; beyond it they are decoded twice, which is no harm."""


class DecodedOnce:
    """Decodes for two readers in threads of their own, which need not keep pace."""

    def __init__(self, decode: Decode, most: int = MOST_KEPT) -> None:
        self._decode = decode
        self._most = most
        self._kept: dict[int, tuple[Message, Decoded | Rejection]] = {}
        self._lock = Lock()

    def __call__(self, message: Message) -> Decoded | Rejection:
        """Decode ``message``, or take what the other reader kept of it; an exception of the decoder is its caller's."""
        if not message.sequence:
            return self._decode(message)
        with self._lock:
            kept = self._kept.pop(message.sequence, None)
        # The sequence is the message's identity in the log, unless the log began anew.
        if kept is not None and kept[0] == message:
            return kept[1]
        decoded = self._decode(message)
        with self._lock:
            self._kept[message.sequence] = (message, decoded)
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return decoded
