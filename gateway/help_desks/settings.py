"""The sections ``[[help_desks]]`` of the configuration. Docs: docs/help-desks.md."""

from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from gateway.settings.section import Section


class HelpDesk(Section):
    """A help desk in which each case has a ticket."""

    kind: Literal["zendesk", "freshdesk"]
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")] = ""
    """Where it stands is kept under this name; None given: the kind."""
    url: str
    """The account's own address: ``https://acme.zendesk.com``."""
    user: str = ""
    """Zendesk: the mail address that the token is of."""
    token: SecretStr
    webhook_secret: SecretStr | None = None
    """Signs what Zendesk posts, or is what Freshdesk's rule sends; None: nothing comes back from there."""
    requester_email: str = ""
    """Freshdesk wants one for each ticket: an address of the company's own."""

    @model_validator(mode="before")
    @classmethod
    def _named_by_kind(cls, data: object) -> object:
        if isinstance(data, dict) and not data.get("name") and isinstance(data.get("kind"), str):
            return {**data, "name": data["kind"]}
        return data

    @model_validator(mode="after")
    def _has_its_login(self) -> Self:
        if self.kind == "zendesk" and not self.user:
            raise ValueError("user is missing: the mail address that the API token is of")
        if self.kind == "freshdesk" and not self.requester_email:
            raise ValueError("requester_email is missing: Freshdesk wants a requester for each ticket")
        return self
