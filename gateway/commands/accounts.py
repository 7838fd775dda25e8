"""Commands about staff accounts; see ``gateway.commands``. Secrets arrive hashed or encrypted, never as they are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

BY_THEMSELVES = "forgotten password"
"""Who made a link that somebody asked for who said they forgot their password."""


@dataclass(frozen=True, slots=True)
class OpenAccountLink:
    """Let a person set their own password: an invitation, or a reset. An earlier link of theirs ends.

    One that somebody asked for who forgot it (``by`` is ``BY_THEMSELVES``) ends its like alone: a stranger who knows
    a name must not end what an admin sent.
    """

    token_hash: str
    user_name: str
    role: str | None
    """What a new user may do; None: the user is known and keeps their role."""
    expires_at: datetime
    by: str
    forget_second_factor: bool = False
    """The authenticator is lost as well."""
    email: str | None = field(default=None, repr=False)
    """Of a new user: where to mail them."""


@dataclass(frozen=True, slots=True)
class UseAccountLink:
    """Set the password that a link is for, once; every session of theirs ends. Its result is the user's name."""

    token_hash: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """A user sets their own password; their other sessions end."""

    user_name: str
    password_hash: str
    keep_session: str | None


@dataclass(frozen=True, slots=True)
class SetEmail:
    """Where a user is mailed about their own account; None: nowhere."""

    user_name: str
    email: str | None = field(repr=False)
    by: str


@dataclass(frozen=True, slots=True)
class SetLanguage:
    """What language the console speaks to a user; None: their browser's."""

    user_name: str
    language: str | None


@dataclass(frozen=True, slots=True)
class EndSessions:
    """End sessions of a user. Its result is how many ended."""

    user_name: str
    by: str
    session_id: str | None = None
    """The first letters of one session's hash; None: all."""
    keep_session: str | None = None
    """The hash of the one that goes on."""


@dataclass(frozen=True, slots=True)
class SetSecondFactor:
    """From now on the user's password wants a code of their authenticator beside it."""

    user_name: str
    sealed_secret: str
    step: int
    """Time step of the code that proved it."""
    recovery_hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UseSecondFactor:
    """Use up a code: an authenticator's time step, or a recovery code. Refused where it was used before."""

    user_name: str
    step: int | None = None
    recovery_hash: str | None = None


@dataclass(frozen=True, slots=True)
class DropSecondFactor:
    """The password alone is enough again."""

    user_name: str
    by: str


@dataclass(frozen=True, slots=True)
class SetRole:
    """Change what a user may do."""

    user_name: str
    role: str
    by: str


@dataclass(frozen=True, slots=True)
class SetDisabled:
    """Shut a user out, at once, or let them in again. What they did stays in their name."""

    user_name: str
    disabled: bool
    by: str


@dataclass(frozen=True, slots=True)
class DropApiToken:
    """End an API token."""

    token_id: str
    """The first letters of its hash."""
    by: str


@dataclass(frozen=True, slots=True)
class SignInOutside:
    """Let in whom the identity provider vouches for; a first time binds them to a user. Its result is the user's name.

    Refused, with what to do, where nobody invited them, where the name is another user's, and for who is shut out.
    """

    issuer: str
    subject: str
    name: str
    """What the provider calls them; it only counts the first time."""
    role: str | None
    """What their groups say, set at each log-in; None: roles are given here."""
    new_role: str | None
    """What somebody gets whom nobody invited; None: they are refused."""
    session: "SaveSession"
    """Its ``user_name`` is put in by who runs this."""
    teams: Mapping[str, bool] = field(default_factory=dict)
    """What their groups say of teams, set at each log-in; those that it does not name are given here."""


@dataclass(frozen=True, slots=True)
class BindOutside:
    """From now on this user may log in at the provider as well."""

    user_name: str
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class HandToProvider:
    """Password, authenticator and identity of a user are forgotten: who has their name at the provider is them next."""

    user_name: str
    by: str


@dataclass(frozen=True, slots=True)
class EndOutsideSessions:
    """The provider says that somebody logged out there. Its result is how many sessions ended."""

    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class SaveUser:
    """Create a user or set their password and role."""

    name: str
    password_hash: str
    role: str
    by: str


@dataclass(frozen=True, slots=True)
class SaveSession:
    """Log a user in; or out, with ``expires_at`` None."""

    token_hash: str
    user_name: str
    expires_at: datetime | None
    browser: str | None = None
    """Its User-Agent, for the user to tell sessions apart; likewise where it came from."""
    address: str | None = field(default=None, repr=False)
    way: str = "password"
    """How they got in: ``password`` or ``provider``."""


@dataclass(frozen=True, slots=True)
class SaveApiToken:
    """Store a hashed API token."""

    token_hash: str
    name: str
    role: str
    by: str


AccountCommand = (
    OpenAccountLink
    | UseAccountLink
    | ChangePassword
    | EndSessions
    | SetSecondFactor
    | UseSecondFactor
    | DropSecondFactor
    | SetRole
    | SetDisabled
    | DropApiToken
    | SetEmail
    | SetLanguage
    | BindOutside
    | HandToProvider
    | EndOutsideSessions
    | SignInOutside
)
RegisterCommand = SaveUser | SaveSession | SaveApiToken
