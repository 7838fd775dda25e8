"""The transports that the configuration asks for."""

from gateway.config import Config, ConfigError
from notifiers.transports import Transport
from notifiers.transports.smtp import SmtpTransport
from notifiers.transports.twilio import TwilioTransport
from notifiers.transports.webhook import WebhookTransport


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
                    whatsapp_content_sid=twilio.whatsapp_content_sid,
                    base_url=twilio.base_url,
                )
            )
        if settings.webhook is not None:
            transports.append(WebhookTransport(settings.webhook.url, [settings.webhook.secret.get_secret_value()]))
    except ValueError as error:
        raise ConfigError(f"notifiers: {error}") from error
    return transports
