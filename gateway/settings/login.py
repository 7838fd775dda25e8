"""The section ``[web.oidc]``: logging in at the company's own identity provider. Docs: docs/console.md."""

from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from device_models.duration import Duration, parse_duration
from gateway.loopback import is_loopback
from gateway.settings.section import Section

RoleName = Literal["viewer", "agent", "lead", "admin"]


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if parts.query or parts.fragment or not parts.hostname:
        raise ValueError(f"'{value}' is no issuer; write it as the provider does, like https://login.example.com/realm")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        raise ValueError(f"'{value}' is no https address; only a provider on this machine may speak http")
    return value


def _scopes(value: tuple[str, ...]) -> tuple[str, ...]:
    if "openid" not in value:
        raise ValueError('must hold "openid"; without it the provider says nothing about who logs in')
    return value


class Oidc(Section):
    """An OpenID Connect provider at which staff log in."""

    issuer: Annotated[str, AfterValidator(_issuer)]
    """Exactly as the provider writes it; its discovery document lies below it."""
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = None
    """None: a public client, which PKCE alone protects."""
    label: Annotated[str, Field(min_length=1, max_length=60)] = "single sign-on"
    """What the button says: ``Log in with …``."""
    scopes: Annotated[tuple[str, ...], AfterValidator(_scopes)] = ("openid", "profile", "email")
    name_claim: str = "preferred_username"
    """The claim that names a person here; ``email`` counts only where the provider says it is verified."""
    role_claim: str = "groups"
    """The claim that holds groups, a text or a list; dots lead inside: ``realm_access.roles``."""
    roles: dict[str, RoleName] = Field(default_factory=dict)
    """Role by group; the one that may do most counts, and is set anew at each log-in. None named: roles stay ours."""
    default_role: RoleName | None = None
    """For those in none of the groups; None: they are not let in."""
    teams: dict[str, str] = Field(default_factory=dict)
    """Team by group, in ``role_claim`` as well: whoever logs in joins and leaves these teams by it, and no other."""
    people: Literal["invited", "anyone"] = "invited"
    """``anyone`` with a role gets in, or only whom an admin invited by name."""
    require_amr: tuple[str, ...] = ()
    """One of these must be among the ways in which the provider checked who it is (``mfa``, ``otp``, ``hwk``)."""
    leeway: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(minutes=10))] = parse_duration("60s")
    """How far the provider's clock and ours may differ."""
