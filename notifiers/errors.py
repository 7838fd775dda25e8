"""What can go wrong in sending, named by what the outbox does next.

No text here ever holds a secret, an address or words of a provider's answer (Twilio's messages repeat the
number, SMTP servers the mailbox): a code and our own sentence are enough to act on.
"""

from enum import StrEnum


class NotifierError(Exception):
    """A message was not, or not surely, taken over."""

    def __init__(self, provider: str, code: str, advice: str) -> None:
        """Keep what a person needs to mend it.

        Args:
            provider: name of the transport.
            code: the provider's code (``21610``, ``5.1.1``) or a word of ours (``read_timeout``).
            advice: a sentence that says what happened and what to do.
        """
        super().__init__(f"{provider}: {code}: {advice}")
        self.provider = provider
        self.code = code
        self.advice = advice


class TryLater(NotifierError):
    """Refused before it was accepted: connection refused, 429, 503, wrong password. Sending again is safe."""

    def __init__(
        self,
        provider: str,
        code: str,
        advice: str,
        retry_after_s: float | None = None,
        *,
        about_recipient: bool = False,
    ) -> None:
        """Keep what a person needs, and how long to wait.

        Args:
            provider: name of the transport.
            code: the provider's code or a word of ours.
            advice: a sentence that says what happened and what to do.
            retry_after_s: the wait the provider asked for, None where it named none.
            about_recipient: it is this recipient's turn that has not come; others may be written to meanwhile.
        """
        super().__init__(provider, code, advice)
        self.retry_after_s = retry_after_s
        self.about_recipient = about_recipient


class Unknown(NotifierError):
    """Written, and no clear answer came: read timeout, reset, 500. Sending again may tell the customer twice."""


class Because(StrEnum):
    """What an undeliverable message fails on, so that the right thing is mended."""

    ADDRESS = "address"
    """This address will never work: mark it dead, go to the next channel."""
    OPTED_OUT = "opted_out"
    """The person told the provider to stop: record the objection on this channel."""
    NO_MARKETING = "no_marketing"
    """The person told the provider to stop offers and news: record that objection; all else still reaches them."""
    MESSAGE = "message"
    """This message or its settings: a person looks at the dead letter."""
    EXPIRED = "expired"
    """Its time ran out before it was handed over."""


class Undeliverable(NotifierError):
    """Trying again cannot help: unknown number, blocked sender, expired push token."""

    def __init__(self, provider: str, code: str, advice: str, because: Because = Because.MESSAGE) -> None:
        """``because`` tells a dead address from a bad message."""
        super().__init__(provider, code, advice)
        self.because = because


class Unwritten(Undeliverable):
    """Undeliverable as we know ourselves, so the provider was not asked: this says nothing of how it stands."""
