"""The configuration: one TOML file, each key also an environment variable (``GATEWAY_STORE__URL``)."""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)

from device_models.duration import Duration, parse_duration
from device_models.purpose import Purpose, Severity
from gateway.errors import StartRefused
from gateway.help_desks.settings import HelpDesk
from gateway.settings.contact import Caps, Learning, Offers, QuietHours, Survey
from gateway.settings.in_force import Origin, Setting, lines_in, settings_in_force
from gateway.settings.login import Oidc
from gateway.settings.prices import Prices
from gateway.settings.providers import Apprise, Fcm, Line, Mailbox, Telegram, WebPush, WhatsApp, WhatsAppTemplate
from gateway.settings.section import Section as _Section
from gateway.subscriptions.settings import Subscription

_PREFIX = "GATEWAY_"
_OF_COMMANDS = frozenset(("GATEWAY_NEW_PASSWORD", "GATEWAY_TOKEN", "GATEWAY_WATCH_USERNAME", "GATEWAY_WATCH_PASSWORD"))
"""Read by one command each, and no setting."""
_SIZES = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class ConfigError(StartRefused):
    """The configuration is wrong; the message has a line for each mistake, with file and line."""


def parse_size(value: object) -> int:
    """Read ``20 GB`` as bytes.

    Raises ValueError for anything that is not a number with KB, MB, GB or TB.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]B)", str(value).strip())
    if not match:
        raise ValueError(f"'{value}' is no size; write it like 20 GB")
    return int(float(match[1]) * _SIZES[match[2]])


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"'{value}' is not of the form 127.0.0.1:8080")
    return value


Listen = Annotated[str, AfterValidator(_listen)]
Size = Annotated[int, BeforeValidator(parse_size)]
Mode = Literal["off", "approve", "auto"]


class Login(_Section):
    """One device's (or application's) login at the embedded broker."""

    username: str
    password: SecretStr
    device_id: str | None = None
    """It may publish below its own id only; None with no ``topics``: to every topic (a hub, a test client)."""
    topics: tuple[str, ...] = ()
    """Topic filters it may publish to besides, such as a hub's."""


class Broker(_Section):
    """The embedded broker."""

    listen: Listen = "127.0.0.1:1883"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    logins: tuple[Login, ...] = ()
    sync_interval: Annotated[str, Field(pattern=r"^(always|\d+(ms|s|m))$")] = "2m"
    """How often the log is written through to the disk: ``always`` survives a power cut and costs most of the rate."""


class Relay(_Section):
    """A customer's own broker whose messages are carried into the log."""

    url: str
    username: str | None = None
    password: SecretStr | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    client_id: str = "proactive-support-gateway"
    topics: tuple[str, ...] = ("#",)


class StreamSection(_Section):
    """The log; without ``url`` the embedded one."""

    url: str | None = None


def _store_url(url: str) -> str:
    # The address is not repeated: it may hold a password.
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://", "postgres://")):
        raise ValueError("write it like sqlite:///path/to/file or postgresql://user:password@host/database")
    return url


class StoreSection(_Section):
    """The database; without ``url`` SQLite below ``data_dir``."""

    url: Annotated[str, AfterValidator(_store_url)] | None = None


class HistorySection(_Section):
    """The history store; without ``url`` an embedded table."""

    url: str | None = None
    token: SecretStr | None = None
    org: str = ""
    bucket: str = "devices"
    query: Literal["flux", "influxql"] = "flux"


class Web(_Section):
    """Console, customer's page, API and webhooks."""

    listen: Listen = "127.0.0.1:8080"
    public_url: str | None = None
    """What customers' links begin with; None: ``http://`` and ``listen``."""
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_tls_proxy: bool = False
    """A reverse proxy in front ends TLS; without it an address beyond loopback needs ``tls_cert`` and ``tls_key``."""
    second_factor_for: tuple[Literal["viewer", "agent", "lead", "admin"], ...] = ()
    """Roles that must set up an authenticator before anything else opens to them."""
    oidc: Oidc | None = None
    """The company's own identity provider, beside passwords of ours or instead of them."""
    local_login: bool = True
    """Whether passwords of ours let anybody in."""
    break_glass: tuple[str, ...] = ()
    """Users whose password lets them in all the same, for the day on which the provider is down."""
    require_if_match: bool = False
    """Whether programs must send If-Match with what they change (428 without)."""
    map_tiles: str | None = None
    """Tile URL template such as ``https://tiles.example.com/{z}/{x}/{y}.png``; None: a map without a base."""

    @model_validator(mode="after")
    def _some_way_in(self) -> Self:
        if not self.local_login and self.oidc is None:
            raise ValueError("local_login = false needs [web.oidc], else nobody could log in")
        return self


class Paths(_Section):
    """Files beside the ones that come with the product."""

    paths: tuple[Path, ...] = ()
    builtin: bool = True
    """Whether those that come with the product are used as well."""


class DecoderSection(_Section):
    """One ecosystem's decoder."""

    topics: tuple[str, ...] | None = None
    """MQTT topic filters; None: the decoder's usual ones."""
    timezone: str | None = None
    """Zone of stamps that name none; None: arrival time is used."""
    unknown_devices: Literal["reject", "quarantine", "register"] = "quarantine"


class Email(_Section):
    """Mail by SMTP."""

    url: SecretStr
    sender: str


class Twilio(_Section):
    """SMS and WhatsApp by Twilio."""

    account: str
    token: SecretStr
    sender: str
    whatsapp_sender: str | None = None
    whatsapp_content_sid: str | None = None
    """An approved utility template (HX…) whose ``{{1}}`` takes the message: WhatsApp refuses free text to whoever has
    not written within 24 hours."""
    whatsapp_templates: tuple[WhatsAppTemplate, ...] = ()
    """More of them: for offers and news, in other languages, and with buttons."""
    base_url: str = "https://api.twilio.com"


class Webhook(_Section):
    """Messages handed to a system of your own, signed (Standard Webhooks)."""

    url: str
    secret: SecretStr


class InboundMail(_Section):
    """Mails that customers answer with, and bounces, handed on by the company's mail server (LMTP)."""

    listen: Listen = "127.0.0.1:2424"
    """Loopback only: whoever connects is believed about who wrote."""
    authserv_id: Annotated[str, Field(min_length=1, pattern=r"^\S+$")]
    """The name by which that server signs its ``Authentication-Results``; no other is believed."""


class Outside(_Section):
    """A service that is asked over HTTP."""

    url: str
    token: SecretStr | None = None
    """Sent as the service wants it: a bearer token, or LibreTranslate's ``api_key``."""
    timeout: Duration = parse_duration("10s")


class Approval(_Section):
    """What waits for a person's word although messages go out by themselves otherwise."""

    severities: tuple[Severity, ...] = ()
    """Messages of these severities."""
    first_use: bool = False
    """The first message made from a template in a language, and again once the template was changed."""
    second_person: tuple[Severity, ...] = ()
    """Severities for which two people have to approve."""


class Notifiers(_Section):
    """Reaching customers."""

    mode: Mode = "approve"
    """``off``: nobody is told; ``approve``: a person lets each message go; ``auto``: at once."""
    modes: dict[Purpose, Mode] = Field(default_factory=dict)
    """Mode by purpose, where it differs."""
    trust_imported: bool = True
    """Whether an address that was imported counts as its owner's; otherwise it is written to once they proved it."""
    channels: tuple[str, ...] = (
        "whatsapp",
        "line",
        "telegram",
        "sms",
        "push",
        "webpush",
        "email",
        "webhook",
        "apprise",
    )
    """The company's order of preference, used when nothing better is known of a customer."""
    email: Email | None = None
    no_receipt_after: dict[Severity, Duration] = Field(
        default_factory=lambda: {Severity.CRITICAL: parse_duration("15m")}
    )
    """By severity, how long an accepted message may go without a receipt before the next channel is used as well; a
    severity that is not named waits for ever. Safety notices wait no longer than what is critical."""
    inbound_mail: InboundMail | None = None
    apprise: Apprise | None = None
    fcm: Fcm | None = None
    approval: Approval = Field(default_factory=Approval)
    templates: tuple[Path, ...] = ()
    """Folders with templates of your own, ``partials/`` and ``layouts/`` among them; a file replaces ours."""
    translations: tuple[Path, ...] = ()
    """Folders with catalogues of your own, ``de.po``; a text replaces ours."""
    articles: tuple[Path, ...] = ()
    """Folders of self-help articles of your own, before those that come with the product."""
    staff_language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] = "en"
    """What the people who answer read; messages in other languages are translated into it."""
    translator: Outside | None = None
    """LibreTranslate, or whatever speaks its form of HTTP; None: messages are shown as they were written."""
    classifier: Outside | None = None
    """A model that says what a message is about where our own cues are not sure; None: a person reads it."""
    line: Line | None = None
    mailbox: Mailbox | None = None
    per_second: dict[str, Annotated[float, Field(gt=0, le=10_000)]] = Field(default_factory=dict)
    """By channel, how many messages a second go to its provider at most, where it is not the provider's usual."""
    telegram: Telegram | None = None
    twilio: Twilio | None = None
    webhook: Webhook | None = None
    webpush: WebPush | None = None
    whatsapp: WhatsApp | None = None
    learning: Learning = Field(default_factory=Learning)
    prices: Prices = Field(default_factory=Prices)
    caps: Caps = Field(default_factory=Caps)
    digest: tuple[Literal[Purpose.FAULT, Purpose.MAINTENANCE], ...] = (Purpose.MAINTENANCE,)
    """Purposes whose messages to one customer become one where several may go at once; what is major never waits."""
    quiet_hours: QuietHours = Field(default_factory=QuietHours)
    survey: Survey = Field(default_factory=Survey)


class Brand(_Section):
    """How messages and the customer's page name the company."""

    name: str = "Your service team"
    support_name: str = "the service team"


class Cases(_Section):
    """Cases and their clock."""

    respond_within: dict[Severity, Duration] = Field(
        default_factory=lambda: {
            Severity.CRITICAL: parse_duration("15m"),
            Severity.MAJOR: parse_duration("1h"),
            Severity.MINOR: parse_duration("8h"),
            Severity.INFO: parse_duration("24h"),
        }
    )
    """Time to the first response (SLA) by severity."""
    storm_openings: int = Field(default=200, ge=0)
    """More cases than so many within ``storm_within`` are held under one; 0: never."""
    storm_within: Duration = parse_duration("10m")


class Dates(_Section):
    """Free service dates of one store or team."""

    team: str
    feed: str
    """A CSV or iCalendar file, or an http(s) address of one; read every five minutes."""
    timezone: str = "UTC"
    """Of times that name none."""


class Log(_Section):
    """The gateway's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Config(_Section):
    """Everything that can be set, with its default."""

    data_dir: Path = Path("data")
    data_budget: Size = parse_size("20 GB")
    broker: Broker = Field(default_factory=Broker)
    relay: tuple[Relay, ...] = ()
    stream: StreamSection = Field(default_factory=StreamSection)
    store: StoreSection = Field(default_factory=StoreSection)
    history: HistorySection = Field(default_factory=HistorySection)
    web: Web = Field(default_factory=Web)
    rules: Paths = Field(default_factory=Paths)
    profiles: Paths = Field(default_factory=Paths)
    decoders: dict[str, DecoderSection] = Field(default_factory=dict)
    ignore_topics: tuple[str, ...] = ()
    """Topic filters of messages that are not meant for the gateway: dropped instead of rejected."""
    notifiers: Notifiers = Field(default_factory=Notifiers)
    offers: Offers = Field(default_factory=Offers)
    brand: Brand = Field(default_factory=Brand)
    cases: Cases = Field(default_factory=Cases)
    subscriptions: tuple[Subscription, ...] = ()
    help_desks: tuple[HelpDesk, ...] = ()
    dates: tuple[Dates, ...] = ()
    log: Log = Field(default_factory=Log)
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def in_force(self) -> list[Setting]:
        """Every setting with its source, secrets hidden."""
        return settings_in_force(self, self._origin)

    @property
    def public_url(self) -> str:
        """Where customers and providers reach the web, without a slash at the end."""
        scheme = "https" if self.web.tls_cert else "http"
        return (self.web.public_url or f"{scheme}://{self.web.listen}").rstrip("/")

    @property
    def store_url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.store.url or f"sqlite:///{(self.data_dir / 'gateway.sqlite').absolute()}"


def load_config(path: Path | None, environ: Mapping[str, str] = os.environ) -> Config:
    """Read the TOML file at ``path`` (None: defaults alone) and lay the environment over it.

    Relative paths in the file are meant from the file's folder. Raises ConfigError naming file and line.
    """
    text = ""
    if path is not None:
        try:
            # Some editors put a byte order mark in front, which TOML does not know.
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: is no UTF-8; save the file in that encoding") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    lines = dict(lines_in(data, lambda loc: _line_of(text, loc)))
    overlaid = _overlay(data, environ)
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(_describe(e, path, text, overlaid) for e in error.errors())) from error
    read = _beside(config, path.parent) if path else config
    read._origin = Origin(path.name if path else "", lines, overlaid)
    return read


def _overlay(data: dict[str, Any], environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Write ``GATEWAY_A__B=value`` into ``data["a"]["b"]``; return which variable set which key."""
    overlaid: dict[tuple[str, ...], str] = {}
    for variable, value in environ.items():
        if not variable.startswith(_PREFIX) or variable in _OF_COMMANDS:
            continue
        keys = tuple(variable.removeprefix(_PREFIX).lower().split("__"))
        if keys[0] not in Config.model_fields:
            raise ConfigError(f"environment: {variable} names no setting; see docs/configuration.md")
        table = data
        for key in keys[:-1]:
            table = table.setdefault(key, {})
        table[keys[-1]] = _parse_value(value)
        overlaid[keys] = variable
    return overlaid


def _parse_value(value: str) -> Any:
    """Read a value as TOML would (lists, numbers, true), else as the text it is."""
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _describe(error: Any, path: Path | None, text: str, overlaid: Mapping[tuple[str, ...], str]) -> str:
    keys = tuple(str(part) for part in error["loc"])
    message = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = "there is no such setting; see docs/configuration.md"
    elif error["type"] == "tuple_type":
        message = """is no list; write it like ["one", "two"]"""
    elif error["type"] == "path_type":
        message = "is no path; write it in quotes"
    if keys in overlaid:
        return f"environment {overlaid[keys]}: {message}"
    return f"{path or 'configuration'}:{_line_of(text, error['loc'])}: {'.'.join(keys)}: {message}"


def _line_of(text: str, loc: tuple[str | int, ...]) -> int:
    """Find the line of a key, else of its table; tomllib keeps no positions. 1 where neither stands in the file."""
    table: str | None = ""
    seen: dict[str, int] = {}
    names = [part for part in loc if isinstance(part, str)]
    wanted_index = next((part for part in loc if isinstance(part, int)), 0)
    best = 1
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if header := re.match(r"\[\[?\s*([^\]]+?)\s*\]\]?", stripped):
            table = header[1]
            seen[table] = seen.get(table, -1) + 1
            if names and table == ".".join(names[: len(table.split("."))]) and seen[table] <= wanted_index:
                best = number
        elif key := re.match(r"([A-Za-z0-9_\-\"'.]+)\s*=", stripped):
            here = [*(table.split(".") if table else []), key[1].strip("\"'")]
            repeated = seen.get(table or "", 0)
            if names[: len(here)] == here and repeated in (0, wanted_index):
                return number
    return best


def _beside(config: Config, folder: Path) -> Config:
    """Read relative paths from the configuration's own folder, so that it works from anywhere."""

    def moved(value: Any) -> Any:
        if isinstance(value, Path):
            return value if value.is_absolute() else folder / value
        if isinstance(value, tuple):
            return tuple(moved(part) for part in value)
        if isinstance(value, BaseModel):
            return value.model_copy(update={name: moved(getattr(value, name)) for name in type(value).model_fields})
        return value

    return Config.model_validate(moved(config)) if folder != Path() else config
