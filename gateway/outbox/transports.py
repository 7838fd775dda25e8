"""The transports that the configuration asks for, and what reads their posts."""

from collections.abc import Sequence
from pathlib import Path

from gateway.config import Config, ConfigError
from gateway.settings.providers import WhatsAppTemplate
from notifiers.callbacks import CallbackReader
from notifiers.transports import Transport
from notifiers.transports.apprise import AppriseTransport
from notifiers.transports.fcm import FcmTransport
from notifiers.transports.inbox import InboxTransport
from notifiers.transports.line import LineTransport
from notifiers.transports.line_callbacks import LineCallbacks
from notifiers.transports.smtp import SmtpTransport
from notifiers.transports.telegram import TelegramTransport
from notifiers.transports.telegram_callbacks import TelegramCallbacks
from notifiers.transports.twilio import TwilioTransport
from notifiers.transports.webhook import WebhookCallbacks, WebhookTransport
from notifiers.transports.whatsapp import WhatsAppTransport
from notifiers.transports.whatsapp_callbacks import WhatsAppCallbacks
from notifiers.transports.whatsapp_templates import Template


def make_transports(config: Config) -> list[Transport]:
    """Make one transport for each configured provider.

    Raises ConfigError where a provider's settings cannot be read. Must be called on the event loop.
    """
    settings = config.notifiers
    transports: list[Transport] = []
    try:
        if settings.email is not None:
            transports.append(SmtpTransport(settings.email.url.get_secret_value(), settings.email.sender))
        if settings.twilio is not None:
            twilio = settings.twilio
            transports.append(
                TwilioTransport(
                    twilio.account,
                    twilio.token.get_secret_value(),
                    twilio.sender,
                    twilio.whatsapp_sender,
                    whatsapp_templates=_templates(twilio.whatsapp_content_sid, ("en",), twilio.whatsapp_templates),
                    base_url=twilio.base_url,
                )
            )
        if settings.telegram is not None:
            telegram = settings.telegram
            transports.append(TelegramTransport(telegram.token.get_secret_value(), base_url=telegram.base_url))
        if settings.line is not None:
            transports.append(LineTransport(settings.line.token.get_secret_value(), base_url=settings.line.base_url))
        if settings.whatsapp is not None:
            whatsapp = settings.whatsapp
            transports.append(
                WhatsAppTransport(
                    whatsapp.phone_number_id,
                    whatsapp.token.get_secret_value(),
                    templates=_templates(whatsapp.template, whatsapp.template_languages, whatsapp.templates),
                    version=whatsapp.version,
                    base_url=whatsapp.base_url,
                )
            )
        if settings.fcm is not None:
            fcm = settings.fcm
            transports.append(FcmTransport(_content(fcm.credentials, "fcm.credentials"), base_url=fcm.base_url))
        if settings.webpush is not None:
            # It takes half a second to load, which only those who use it should wait for.
            from notifiers.transports.web_push import WebPushTransport

            push = settings.webpush
            transports.append(WebPushTransport(_content(push.key, "webpush.key"), push.subject, push.push_services))
        if settings.apprise is not None:
            transports.append(AppriseTransport(settings.apprise.schemes))
        if "inbox" in settings.channels:
            transports.append(InboxTransport())
        if settings.webhook is not None:
            transports.append(WebhookTransport(settings.webhook.url, [settings.webhook.secret.get_secret_value()]))
    except ValueError as error:
        raise ConfigError(f"notifiers: {error}") from error
    _one_each(transports)
    return transports


def _templates(plain: str | None, languages: tuple[str, ...], more: Sequence[WhatsAppTemplate]) -> list[Template]:
    first = [Template(plain, languages)] if plain else []
    return [*first, *(Template(one.name, one.languages, frozenset(one.purposes), one.buttons) for one in more)]


def push_key(config: Config) -> str | None:
    """Return the public key that browsers subscribe with, None where Web Push is not set up."""
    section = config.notifiers.webpush
    if section is None:
        return None
    from notifiers.transports.web_push import application_server_key, load_vapid_key

    try:
        return application_server_key(load_vapid_key(_content(section.key, "webpush.key")))
    except ValueError as error:
        raise ConfigError(f"notifiers.webpush.key: {error}") from error


def make_callback_readers(config: Config) -> dict[str, CallbackReader]:
    """Make what reads the posts of each configured provider, by the end of the address that it posts to.

    Raises ConfigError where a secret cannot be used.
    """
    settings = config.notifiers
    readers: list[CallbackReader] = []
    try:
        if settings.telegram is not None:
            readers.append(TelegramCallbacks(settings.telegram.secret.get_secret_value()))
        if settings.line is not None:
            readers.append(LineCallbacks(settings.line.secret.get_secret_value()))
        if settings.whatsapp is not None:
            whatsapp = settings.whatsapp
            secret, token = whatsapp.app_secret.get_secret_value(), whatsapp.verify_token.get_secret_value()
            readers.append(WhatsAppCallbacks(secret, token, whatsapp.phone_number_id))
        if settings.webhook is not None:
            readers.append(WebhookCallbacks([settings.webhook.secret.get_secret_value()]))
    except ValueError as error:
        raise ConfigError(f"notifiers: {error}") from error
    return {reader.provider: reader for reader in readers}


def _content(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"notifiers.{setting}: {path} cannot be read: {error.strerror}") from error


def _one_each(transports: Sequence[Transport]) -> None:
    """Two providers for one channel would leave it to chance which one a customer hears from."""
    serves: dict[str, str] = {}
    for transport in transports:
        for channel in transport.channels:
            if channel in serves:
                raise ConfigError(f"notifiers: {serves[channel]} and {transport.name} both serve {channel}; keep one")
            serves[channel] = transport.name
