"""What the web is given by the service: one frozen bundle, so that a test can stand in for any part."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from aiohttp import web
from prometheus_client import CollectorRegistry

from device_models.profile import DeviceProfile
from device_models.registry import Device
from gateway.cases.self_help import Help
from gateway.clock import Clock
from gateway.commands import Commands
from gateway.config import Notifiers
from gateway.help_desks.hook import HelpDeskHook
from gateway.history import History
from gateway.rulebook.desk import RuleDesk
from gateway.settings.in_force import Setting
from gateway.settings.login import Oidc
from gateway.texts.desk import TextDesk
from gateway.web.links import LinkSigner
from notifiers.callbacks import CallbackReader
from notifiers.message import Rendered
from notifiers.transports.twilio_callbacks import Form
from notifiers.understanding.translator import Translation
from rules.detect import Detector


class ReadStore(Protocol):
    """The store's reading side; it blocks, so it is only used in a thread."""

    def read(self) -> AbstractContextManager[sa.Connection]:
        """Open a consistent view."""
        ...


class Live(Protocol):
    """The feed of committed changes."""

    def subscribe(self) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        """Yield what each commit changed: ``kind`` (case | device | notification | offer | rejection | hold | rules)

        and the ``id`` of each.
        """
        ...


@dataclass(frozen=True, slots=True)
class BreakOption:
    """One thing a visitor of the demo can do to the physics."""

    id: str
    title: str
    explains: str
    targets: Sequence[tuple[str, str]]
    """(id, label) of what it can be done to."""


class SimulatorControl(Protocol):
    """The demo's hand on the simulated world; None outside the demo."""

    def options(self) -> Sequence[BreakOption]:
        """What can be broken now."""
        ...

    async def act(self, option: str, target: str) -> str:
        """Do it and return a sentence for the visitor. Raises ValueError for what does not exist."""
        ...

    def story(self) -> Mapping[str, Any] | None:
        """The last act's way from topic to phone.

        ``title``; ``entries``: [{``at``, ``kind``, ``text``, ``href``}]; ``unwarned``: what would have happened.
        """
        ...


@dataclass(frozen=True, slots=True)
class WebDeps:
    """All that the pages, the API and the webhooks need."""

    store: ReadStore
    commands: Commands
    clock: Clock
    history: History
    live: Live
    links: LinkSigner
    secret: str = field(repr=False)
    """Signs CSRF tokens; links have keys of their own."""
    public_url: str
    """Where customers and providers reach us, without a slash at the end. https makes cookies Secure."""
    profiles: Mapping[str, DeviceProfile]
    preview: Callable[[int], Awaitable[Rendered]]
    """The text of a notification that has not been sent. Raises LookupError where there is no such notification."""
    explain: Callable[[str], Awaitable[Sequence[Mapping[str, Any]]]]
    """Why / why not, one mapping for each rule on a device: ``rule``, ``state``, ``why`` and what it saw."""
    status: Callable[[], Mapping[str, Any]]
    """``broker``, ``relay``, ``pipeline``, ``outbox``, ``history``: each a mapping of plain values, with ``ok`` and
    ``detail``; ``rules``: ``digest``, ``loaded_at``, ``errors`` (sentences) and ``live``
    ([{``id``, ``kind``, ``profile``, ``severity``, ``purpose``, ``title``, ``when``, ``shadow``, ``file``}])."""
    explain_at: Callable[[str, datetime], Awaitable[Sequence[Mapping[str, Any]]]] | None = None
    """The same at a moment that has passed, from history. Raises LookupError, HistoryError."""
    detector: Callable[[], Detector] | None = None
    """The rules in force."""
    rule_desk: RuleDesk | None = None
    """Where rules are written."""
    text_desk: TextDesk | None = None
    """Where messages and articles are worded."""
    devices: Mapping[str, Device] = field(default_factory=dict)
    """The registered devices by id, as the writer knows them."""
    notifiers: Notifiers = field(default_factory=Notifiers)
    """Which channels there are, and how a messenger is opened from the customer's page."""
    teams_with_dates: Collection[str] = ()
    """Those of which a feed of service dates is configured."""
    opening: Callable[[int], Awaitable[str]] | None = None
    """How an answer to a case may begin, in the customer's language; empty where there is nothing to say."""
    helps: Callable[[sa.Connection, Any, str], Help | None] | None = None
    """(connection, case, locale) → the self-help article for a case, with the steps that were tried."""
    translate: Callable[[str, str], Awaitable[Translation]] | None = None
    """(text, language) → it in that language; None without a translator. Raises TryLater, Undeliverable."""
    configuration: Callable[[], Sequence[Setting]] = tuple
    """What is configured, and who says so; secrets hidden."""
    brand: str = "Proactive Support"
    mode: str = "approve"
    """off | approve | auto: what becomes of messages by default."""
    tiles_url: str | None = None
    """Leaflet's URL template of a map's tiles; None draws the fleet on a plain graticule."""
    tiles_attribution: str = ""
    second_factor_for: Collection[str] = ()
    """Roles to whom nothing but their account opens before an authenticator is set up."""
    require_if_match: bool = False
    """Whether programs must say what they saw (If-Match) before they change it."""
    oidc: Oidc | None = None
    """The identity provider at which staff may log in."""
    local_login: bool = True
    """Whether passwords of ours let in others than ``break_glass`` names."""
    break_glass: Collection[str] = ()
    simulator: SimulatorControl | None = None
    twilio_verify: Callable[[str, Form, str], bool] | None = None
    """(exact public URL, form as received, signature) → genuine; None, while Twilio is not configured, refuses all."""
    callbacks: Mapping[str, CallbackReader] = field(default_factory=dict)
    """What reads each configured provider's posts, by the end of the address that it posts to."""
    push_key: str | None = None
    """What the page's script hands to ``pushManager.subscribe`` as ``applicationServerKey``; None: no Web Push here."""
    help_desks: Mapping[str, HelpDeskHook] = field(default_factory=dict)
    """Those that post back, by name."""
    metrics: CollectorRegistry = field(default_factory=CollectorRegistry)

    def password_counts(self, user: str) -> bool:
        """Tell whether a password of ours may let this user in."""
        return self.local_login or user in self.break_glass


DEPS = web.AppKey("deps", WebDeps)
