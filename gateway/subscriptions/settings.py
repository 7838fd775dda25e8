"""The sections ``[[subscriptions]]`` of the configuration. Docs: docs/subscriptions.md."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from gateway.settings.section import Section
from notifiers.transports.webhook import secret_key


def _secret(value: SecretStr) -> SecretStr:
    secret_key(value.get_secret_value())
    return value


class Subscription(Section):
    """A system of the company's that is told what happens to cases, as CloudEvents."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    """Where it stands is kept under this name: a new name begins with what happens from then on."""
    url: str
    secret: Annotated[SecretStr, AfterValidator(_secret)]
    """``whsec_`` and the base64 of 24 to 64 random bytes; it signs each event (Standard Webhooks)."""
    events: tuple[str, ...] = ()
    """Kinds of timeline entries, such as ``opened``; empty: all of them."""
    texts: bool = False
    """Whether what people wrote goes along."""
