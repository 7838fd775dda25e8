"""Commands by which customers come in, prove addresses and say how they want to be reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from device_models.purpose import Purpose


@dataclass(frozen=True, slots=True)
class MakeClaimCodes:
    """Make a code for each device, to be printed; its result is ``[{"device_id", "code"}]``, shown this once."""

    device_ids: Sequence[str]
    by: str
    valid_for: timedelta | None = None
    """None: until used."""


@dataclass(frozen=True, slots=True)
class StartClaim:
    """Somebody holds a product's code and names an address; a check is sent there, and nothing else happens.

    Its result is ``{"token"}``, which the code that they receive goes with.
    """

    code: str = field(repr=False)
    channel: str
    address: str = field(repr=False)
    name: str = field(repr=False)
    locale: str
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class SendCheck:
    """Send a customer a code: to an address that they add, or to one of theirs to prove who holds their link.

    Its result is ``{"token"}``.
    """

    customer_id: str
    channel: str
    address: str | None = field(default=None, repr=False)
    """A new address; None: theirs on ``channel``."""


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """Somebody gives back the code that was sent to an address.

    Its result is ``{"right", "left"}`` (attempts that are left), and where it is right ``{"kind", "customer_id"}``.
    """

    token: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class MakeLinkCode:
    """Make the code that a customer brings along to a messenger; its result is the code.

    Refused with ``link.unproved`` where nobody proved who they are and somebody can.
    """

    customer_id: str
    channel: str
    proved: bool
    """Whether who asks has given back a code that was sent to a proven address of the customer."""


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """Somebody wrote to us on ``channel`` with a link code: the address is that customer's. Result: their id."""

    channel: str
    address: str = field(repr=False)
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DropAddress:
    """A customer is not to be reached there any more."""

    customer_id: str
    channel: str


@dataclass(frozen=True, slots=True)
class SaveSettings:
    """How a customer wants to be reached, by themselves. None leaves a thing as it is."""

    customer_id: str
    locale: str | None = None
    timezone: str | None = None
    quiet_hours: str | None = None
    """``22:00-07:00``; empty: none."""
    preferred_channel: str | None = None
    """Empty: whatever suits best."""
    purposes: Mapping[Purpose, bool] | None = None
    """Whether messages of a purpose are to come; one that is not named stays. Safety cannot be refused."""
    channel_choices: Mapping[Purpose, str] | None = None
    """By purpose a channel with a proven address of theirs; empty: whatever suits best. One not named stays."""
    location: bool | None = None


@dataclass(frozen=True, slots=True)
class RevokeLinks:
    """All links that were sent to a customer until now stop working."""

    customer_id: str
    by: str


@dataclass(frozen=True, slots=True)
class SendLink:
    """Send a customer a new link to their page, once a day at most."""

    customer_id: str


@dataclass(frozen=True, slots=True)
class ForgetChecks:
    """Forget checks that are over, and the addresses of those who never answered."""


EnrolmentCommand = (
    MakeClaimCodes
    | StartClaim
    | SendCheck
    | AnswerCheck
    | MakeLinkCode
    | LinkAddress
    | DropAddress
    | SaveSettings
    | RevokeLinks
    | SendLink
    | ForgetChecks
)
