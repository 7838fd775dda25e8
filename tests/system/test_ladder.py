"""The ladder with real servers: an SMS that Twilio accepts and never delivers is followed by a mail."""

import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from notifiers.transports.twilio_callbacks import signature
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for
from tests.system.test_main_way import CUSTOMER, FREEZER, RULES, warm_up

AUTH = "0123456789abcdef0123456789abcdef"


class TwilioApi(BaseHTTPRequestHandler):
    """Accepts each message, as POST …/Messages.json does, and never delivers it."""

    def do_POST(self) -> None:
        """Take one message."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"sid": "SM00000000000000000000000000000001", "status": "queued"}'
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def twilio() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), TwilioApi)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def report(gateway: GatewayProcess, sid: str, status: str) -> None:
    """Post a receipt as Twilio does, signed."""
    url = f"http://127.0.0.1:{gateway.web_port}/webhooks/twilio/status"
    form = [("MessageSid", sid), ("MessageStatus", status)]
    request = urllib.request.Request(
        url, urllib.parse.urlencode(form).encode(), {"X-Twilio-Signature": signature(AUTH, url, form)}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200


def test_a_critical_sms_that_is_never_delivered_is_followed_by_a_mail_and_neither_comes_twice(
    tmp_path: Path, twilio: str
) -> None:
    extra = (
        f'[notifiers.twilio]\naccount = "AC1"\ntoken = "{AUTH}"\nsender = "+15005550006"\nbase_url = "{twilio}"\n'
        '[notifiers.no_receipt_after]\ncritical = "2s"\n'
    )
    person = CUSTOMER | {"phone": "+5511961234567", "preferred_channel": "sms"}
    rules = RULES.replace("severity: major", "severity: critical")
    with MailServer() as mail, GatewayProcess(tmp_path, mail, rules, extra) as gateway:
        gateway.register(customers=[person], devices=[FREEZER])
        # Twilio reaches us: its silence about the next one means something.
        report(gateway, "SM00000000000000000000000000000000", "delivered")
        warm_up(gateway)
        wait_for(lambda: gateway.rows("SELECT 1 FROM notifications WHERE state = 'accepted'"), "the SMS to be accepted")
        [message] = wait_for(lambda: mail.mails, "the mail", within_s=60)
        body = message.get_body(("plain",))
        assert body is not None
        assert "You may have received this already." in body.get_content()
        accepted = "SELECT 1 FROM notifications WHERE state = 'accepted' AND channel = 'email'"
        wait_for(lambda: gateway.rows(accepted), "the mail to be accepted")
        report(gateway, "SM00000000000000000000000000000001", "delivered")
        report(gateway, "SM00000000000000000000000000000001", "failed")
        rows = gateway.rows("SELECT channel, state FROM notifications ORDER BY id")
        assert [(row["channel"], row["state"]) for row in rows] == [("sms", "delivered"), ("email", "accepted")]
        assert len(mail.mails) == 1
