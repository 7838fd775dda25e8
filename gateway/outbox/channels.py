"""Which channels there are, and which have a provider here."""

from collections.abc import Callable, Mapping

from gateway.config import Notifiers

_PROVIDED: Mapping[str, Callable[[Notifiers], bool]] = {
    "email": lambda settings: settings.email is not None,
    "sms": lambda settings: settings.twilio is not None,
    "whatsapp": lambda settings: (
        settings.whatsapp is not None or (settings.twilio is not None and settings.twilio.whatsapp_sender is not None)
    ),
    "telegram": lambda settings: settings.telegram is not None,
    "line": lambda settings: settings.line is not None,
    "push": lambda settings: settings.fcm is not None,
    "webpush": lambda settings: settings.webpush is not None,
    "webhook": lambda settings: settings.webhook is not None,
    "apprise": lambda settings: settings.apprise is not None,
    # It needs no provider: naming it among the channels is all there is to set.
    "inbox": lambda _: True,
}
CHANNELS = tuple(_PROVIDED)
"""Every channel that a message may stand on."""


def configured_channels(settings: Notifiers) -> list[str]:
    """Return the channels that have a provider, in the company's order."""
    return [channel for channel in settings.channels if channel in _PROVIDED and _PROVIDED[channel](settings)]
