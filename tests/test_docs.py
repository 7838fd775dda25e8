"""The documentation speaks of everything there is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.cli import app
from gateway.config import Config, Email, HistorySection, InboundMail, Login, Relay, Twilio, Webhook
from gateway.settings.providers import Apprise, Fcm, Line, Mailbox, Telegram, WebPush, WhatsApp

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCS = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)


def settings(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings(field.annotation)


MODELS = (
    Config,
    Relay,
    Email,
    InboundMail,
    Twilio,
    Webhook,
    Apprise,
    Fcm,
    Line,
    Mailbox,
    Telegram,
    WebPush,
    WhatsApp,
    Login,
    HistorySection,
)
SETTINGS = sorted({name for model in MODELS for name in settings(model)})
COMMANDS = sorted(
    [str(command.name) for command in app.registered_commands] + [str(group.name) for group in app.registered_groups]
)


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_stands_in_the_docs(setting: str) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{re.escape(setting)}\b", text)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_stands_in_the_docs(command: str) -> None:
    assert f"gateway {command}" in DOCS


def test_links_between_the_documents_lead_somewhere() -> None:
    broken = [
        f"{path.name}: {target}"
        for path in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []
