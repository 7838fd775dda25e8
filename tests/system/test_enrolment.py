"""Coming in, with real servers: a gateway of its own, a mail server, a browser's requests, and a link in a mail."""

import re
import urllib.parse
import urllib.request
from email.message import EmailMessage
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app
from gateway.commands import Upsert
from gateway.config import load_config
from gateway.control import submit_command
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for

RULES = """
rules:
  - id: too-warm
    kind: condition
    when: temperature > 30
    for: 1m
"""


def ask(url: str, **form: str) -> tuple[str, str]:
    """Send a form (or ask for a page, without one) as a browser does; return the last address and its text."""
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(url, data=data, timeout=30) as answer:  # noqa: S310  (our own gateway)
        return answer.url, answer.read().decode()


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def test_a_sticker_a_mail_and_a_code_make_a_customer_who_is_welcomed_by_mail(tmp_path: Path) -> None:
    with MailServer() as mail:
        gateway = GatewayProcess(tmp_path, mail, RULES)
        gateway.start()
        try:
            config = load_config(gateway.config_file)
            submit_command(config, Upsert("devices", ({"id": "s-1", "name": "Cellar sensor"},), by="test"))
            made = CliRunner().invoke(app, ["devices", "claim-codes", "s-1", "-c", str(gateway.config_file)])
            assert made.exit_code == 0, made.output
            claim = re.search(r"http://\S+/claim/(\S+)", made.output)
            assert claim is not None
            base = f"http://127.0.0.1:{gateway.web_port}"
            form = {
                "code": claim[1],
                "name": "Dora",
                "channel": "email",
                "address": "dora@maar.example",
                "language": "en",
            }
            check, page = ask(f"{base}/claim", **form)
            assert "Enter the code" in page
            wait_for(lambda: len(mail.mails) == 1, "the check")
            assert mail.mails[0]["To"] == "dora@maar.example"
            assert "/p/" not in text_of(mail.mails[0])
            code = re.search(r"\b\d{6}\b", text_of(mail.mails[0]))
            assert code is not None
            settings, page = ask(check, code=code[0])
            assert "Hello Dora" in page
            assert "/settings" in settings
            wait_for(lambda: len(mail.mails) == 2, "the welcome")
            assert "Cellar sensor" in text_of(mail.mails[1])
            own = re.search(r"http://\S+/p/\S+", text_of(mail.mails[1]))
            assert own is not None
            assert "Hello Dora" in ask(own[0])[1]
        finally:
            gateway.stop()
