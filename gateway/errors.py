"""The error that keeps the gateway from starting."""


class StartRefused(Exception):
    """It would run wrongly or unsafely as configured; the message says what and how to mend it."""
