"""Which channels have a provider here."""

from gateway.config import Notifiers


def configured_channels(settings: Notifiers) -> list[str]:
    """Return the channels that have a provider, in the company's order."""
    twilio = settings.twilio
    has = {
        "email": settings.email is not None,
        "sms": twilio is not None,
        "whatsapp": settings.whatsapp is not None or (twilio is not None and twilio.whatsapp_sender is not None),
        "telegram": settings.telegram is not None,
        "line": settings.line is not None,
        "push": settings.fcm is not None,
        "webpush": settings.webpush is not None,
        "webhook": settings.webhook is not None,
        "apprise": settings.apprise is not None,
        # It needs no provider: naming it among the channels is all there is to set.
        "inbox": True,
    }
    return [channel for channel in settings.channels if has.get(channel, False)]
