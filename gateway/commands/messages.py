"""Messages to the customer and from the customer, and what providers say of them. See ``gateway.commands``."""

from dataclasses import dataclass, field
from typing import Any, Literal

from device_models.purpose import Purpose
from notifiers.attachment import Attachment
from notifiers.errors import Because
from notifiers.inbound import Media
from notifiers.replies import Intent


@dataclass(frozen=True, slots=True)
class Reply:
    """An agent's answer; it goes where the customer last wrote, else on their channel of choice."""

    case_id: int
    text: str
    by: str
    translation: str | None = None
    """What goes out instead, in the customer's language; the agent's own words are kept beside it."""
    seen: int | None = None
    """The newest message its writer has read; one that somebody else sent since refuses it. None: not asked."""
    waits: bool = False
    """It is the customer's turn then: service levels stand until they write."""
    files: tuple[Attachment, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Approve:
    """Let a waiting message go; ``text`` replaces the template's wording."""

    notification_id: int
    by: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Discard:
    """Never send this message: one that waits for approval, is held, or is a dead letter."""

    notification_id: int
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resend:
    """Try a dead or unknown message again, by a person's decision."""

    notification_id: int
    by: str
    address: str | None = field(default=None, repr=False)
    """The customer's address on the message's channel, mended; None: as it is."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Stop (or release) all that goes out at once. ``discard`` drops what was kept instead of sending it."""

    on: bool
    by: str
    discard: bool = False


@dataclass(frozen=True, slots=True)
class CustomerWrote:
    """A message from a customer: by webhook, mail or their page. Deduped by (provider, provider_id)."""

    provider: str
    provider_id: str
    channel: str
    address: str
    """The sender's address on ``channel``; for the page the customer's id."""
    text: str
    case_id: int | None = None
    """Known where they answered on a case's page."""
    customer_id: str | None = None
    keyword: str | None = None
    """What is read for STOP, DONE and their like where that is not all of the text: a mail has closing phrases."""
    answers: str | None = None
    """The provider's id of the message of ours that it answers, where they chose one."""
    opt_out: Intent | None = None
    """STOP, START or HELP, whatever the words, where the provider has obeyed and answered it itself."""
    link_code: str | None = field(default=None, repr=False)
    """Set where it links this address to a customer (``notifiers.link_codes``)."""
    claims: str = field(default="", repr=False)
    """The sender's address as the message has it, where nobody vouches for it."""
    claims_case_id: int | None = None
    """The case whose message it answers, where its sender is not known to be part of it."""
    files: tuple[Attachment, ...] = field(default=(), repr=False)
    media: tuple[Media, ...] = field(default=(), repr=False)
    """What lies with the provider and is fetched once the message is kept."""


@dataclass(frozen=True, slots=True)
class MediaFetched:
    """A file of a message has come from its provider."""

    file_id: int
    file: Attachment


@dataclass(frozen=True, slots=True)
class MediaNotFetched:
    """A file of a message has not come."""

    file_id: int
    reason: str
    for_good: bool = False
    """Asking again cannot help."""
    wait_s: float | None = None
    """How long the provider asked to wait."""


@dataclass(frozen=True, slots=True)
class StepTried:
    """A customer tried a step of the article for their case; the device is watched from now on."""

    case_id: int
    customer_id: str
    step: int
    """Its index, 0 is the first."""
    via: str = "page"


@dataclass(frozen=True, slots=True)
class WatchSteps:
    """The periodic look at devices whose customers tried a step. Its result is how many were told of it."""


@dataclass(frozen=True, slots=True)
class SendSurveys:
    """The periodic look at faults that ended a while ago. Its result is how many customers are asked about them."""


@dataclass(frozen=True, slots=True)
class MessageTagged:
    """A model outside said what a message is about, where our own cues were not sure."""

    inbound_id: int
    tags: Any
    """``notifiers.understanding.understand.Tags``; None: it could not say."""


@dataclass(frozen=True, slots=True)
class MessageTranslated:
    """The translator answered; ``text`` None: it gave up for good."""

    inbound_id: int
    text: str | None = field(repr=False)
    source: str | None
    """The language it found, None where it did not say."""


@dataclass(frozen=True, slots=True)
class AskLater:
    """A service outside could not be asked about a message; it is asked again, or given up after some tries."""

    inbound_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class JoinMessage:
    """Put a message that joined no case into one, by a person's word."""

    inbound_id: int
    case_id: int
    by: str


@dataclass(frozen=True, slots=True)
class DiscardMessage:
    """Drop a message that joined no case, with its text and its sender's address."""

    inbound_id: int
    by: str


@dataclass(frozen=True, slots=True)
class ForgetUnjoined:
    """Drop what joined no case and nobody decided on for long. Its result is how many messages that were."""


@dataclass(frozen=True, slots=True)
class ChannelBlocked:
    """A person shut us out of a channel, or let us in again, with the provider's own switch."""

    provider: str
    channel: str
    address: str = field(repr=False)
    blocked: bool
    purposes: tuple[Purpose, ...] = ()
    """What it is about; empty: all messages on that channel."""


@dataclass(frozen=True, slots=True)
class MailArrived:
    """A person's mail, by LMTP. Deduped by its Message-ID."""

    message_id: str
    address: str = field(repr=False)
    """From, lower case; empty where it cannot be told."""
    verified: bool
    """Whether our mail server found that the address is whose mail it is."""
    text: str = field(repr=False)
    keyword: str = field(repr=False)
    """See ``CustomerWrote``."""
    references: tuple[str, ...]
    """Message-IDs it answers, the nearest first."""
    files: tuple[Attachment, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class MailBounced:
    """A mail server gave up on a mail of ours."""

    message_ids: tuple[str, ...]
    recipients: tuple[str, ...] = field(repr=False)
    """Lower case; one of them must be whom we wrote to, since anybody can send a bounce."""
    status: str
    """Enhanced status code, ``5.1.1``."""


@dataclass(frozen=True, slots=True)
class ServiceAnswered:
    """ "done" resets the plan and closes the notice; "later" mutes it for a week."""

    case_id: int
    answer: Literal["done", "later"]
    by: str


@dataclass(frozen=True, slots=True)
class SetConsent:
    """STOP (``granted=False``) or START for purposes; heeded before anything else is handed over."""

    customer_id: str
    purposes: tuple[Purpose, ...]
    granted: bool
    source: str


@dataclass(frozen=True, slots=True)
class ReceiptArrived:
    """A provider reports on a message it accepted. Deduped; may only move the message forward."""

    provider: str
    provider_id: str
    state: str
    error_code: str | None = None
    because: Because = Because.MESSAGE
    """What it failed on, where it failed."""
    key: str | None = None
    """``Outgoing.key`` where the provider gives it back: it finds a send whose answer was lost."""
    billed_as: str | None = None
    """What the provider bills the message as, where it says so; see ``Receipt.billed_as``."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """The outbox is about to send: consent, expiry and hold are checked again in this very transaction."""

    notification_id: int
    paused: frozenset[str] = frozenset()
    """Channels that nothing may be written on now; what is urgent takes another one."""
    down: frozenset[str] = frozenset()
    """Those of them that have been down for so long that everything takes another one."""


@dataclass(frozen=True, slots=True)
class HandOverFailed:
    """A fault of ours kept a message from being handed over: it is put aside alone, for a person."""

    notification_id: int
    fault: str
    """The kind of error."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took the message."""

    notification_id: int
    provider: str
    provider_id: str
    state: str = "accepted"


@dataclass(frozen=True, slots=True)
class SendFailed:
    """The provider refused, did not answer clearly, or asked to wait."""

    notification_id: int
    outcome: Literal["try_later", "unknown", "undeliverable"]
    reason: str
    retry_after_s: float | None = None
    because: Because = Because.MESSAGE
    """What an undeliverable one fails on."""
    code: str = ""
    """The provider's."""


@dataclass(frozen=True, slots=True)
class NoReceipt:
    """These messages were accepted, and no receipt came in time: the ladder's next channel is due."""

    notification_ids: tuple[int, ...]
    reporting: frozenset[str]
    """Channels whose transport can report delivery."""


@dataclass(frozen=True, slots=True)
class SettleOutcomes:
    """Learn from messages whose time to be answered is over; its result is how many."""


MessageCommand = (
    Reply
    | Approve
    | Discard
    | Resend
    | Hold
    | CustomerWrote
    | StepTried
    | WatchSteps
    | SendSurveys
    | MessageTagged
    | MessageTranslated
    | AskLater
    | JoinMessage
    | DiscardMessage
    | ForgetUnjoined
    | ChannelBlocked
    | MailArrived
    | MailBounced
    | ServiceAnswered
    | SetConsent
    | ReceiptArrived
    | HandOver
    | Sent
    | HandOverFailed
    | MediaFetched
    | MediaNotFetched
    | SendFailed
    | NoReceipt
    | SettleOutcomes
)
