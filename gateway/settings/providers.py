"""The sections ``[notifiers.<provider>]`` of the chat providers. Docs: docs/configuration.md, docs/messages.md."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from device_models.purpose import Purpose
from gateway.settings.section import Section


class Telegram(Section):
    """A Telegram bot."""

    token: SecretStr
    """As BotFather gives it."""
    secret: SecretStr
    """What setWebhook was given; Telegram brings it along with each update."""
    bot: str | None = None
    """The bot's user name, which the customer's page links to."""
    base_url: str = "https://api.telegram.org"


class Line(Section):
    """A LINE official account."""

    token: SecretStr
    """Channel access token."""
    secret: SecretStr
    """Channel secret, which signs what LINE posts."""
    account_id: str | None = None
    """The basic id (``@…``), which the customer's page links to."""
    base_url: str = "https://api.line.me"
    data_url: str = "https://api-data.line.me"
    """Where pictures and recordings of customers are given out."""


class Fcm(Section):
    """Push to the company's own app, by Firebase Cloud Messaging."""

    credentials: Path
    """The service account's JSON file."""
    base_url: str = "https://fcm.googleapis.com"


class WebPush(Section):
    """Push to the browsers in which customers allowed it."""

    key: Path
    """A P-256 private key in PEM; with another one every subscription is lost."""
    subject: str
    """Whom a push service writes to when something goes wrong: ``mailto:help@acme.example``."""
    push_services: tuple[str, ...] = (
        "fcm.googleapis.com",
        ".push.services.mozilla.com",
        ".push.apple.com",
        ".notify.windows.com",
    )
    """Hosts that a subscription may name (with a dot in front: all below), or whole origins."""


class Apprise(Section):
    """Other services, by the Apprise library."""

    schemes: tuple[str, ...]
    """Those that customers' addresses may have: ``["signal", "matrixs"]``."""


class Mailbox(Section):
    """A mailbox that customers' answers and bounces come to, read by IMAP."""

    url: SecretStr
    """``imaps://user:password@imap.example.com/INBOX``."""
    authserv_id: Annotated[str, Field(min_length=1, pattern=r"^\S+$")]
    """The name by which the mailbox's server signs its ``Authentication-Results``; no other is believed."""


class WhatsAppTemplate(Section):
    """A message template that Meta approved, whose body is ``{{1}}``."""

    name: Annotated[str, Field(min_length=1)]
    """Meta's name; with Twilio the content's SID (``HX…``)."""
    languages: Annotated[tuple[str, ...], Field(min_length=1)] = ("en",)
    """In which it was approved, as Meta writes them (``pt_BR``)."""
    purposes: Annotated[tuple[Purpose, ...], Field(min_length=1)] = tuple(p for p in Purpose if not p.needs_opt_in)
    """What it carries: Meta wants the category *marketing* for offers and news."""
    buttons: tuple[str, ...] = ()
    """Ids of its quick replies in their order; it is used for messages with these very buttons."""


class WhatsApp(Section):
    """A number of a WhatsApp Business account, by Meta's Cloud API."""

    phone_number_id: str
    token: SecretStr
    app_secret: SecretStr
    """Signs what Meta posts."""
    verify_token: SecretStr
    """What Meta's verification request must bring."""
    number: str | None = None
    """The sender in E.164, which the customer's page links to."""
    template: str | None = None
    """An approved utility template whose body is ``{{1}}``: outside 24 hours nothing else is taken."""
    template_languages: tuple[str, ...] = ("en",)
    """In which Meta approved it, as Meta writes them (``pt_BR``)."""
    templates: tuple[WhatsAppTemplate, ...] = ()
    """More of them: for offers and news, and with buttons."""
    version: str = "v23.0"
    base_url: str = "https://graph.facebook.com"
