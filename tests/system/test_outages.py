"""What fails around the gateway: mail servers, the disk, the operator's own brake. Nothing is lost, nothing doubled."""

import asyncio
import resource
import subprocess
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.system.forked import Forked
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for

RULES = """
rules:
  - id: too-warm
    kind: condition
    profile: freezer
    when: temperature > -12
    clear_when: temperature < -15
    title: {en: "is too warm"}
"""
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def register(gateway: GatewayProcess, *names: str) -> None:
    """One customer with one freezer for each name."""
    gateway.register(
        customers=[{"id": name, "name": name.title(), "email": f"{name}@example.com"} for name in names],
        devices=[{"id": f"freezer-{name}", "profile": "freezer", "customer_id": name} for name in names],
    )


def warm(gateway: GatewayProcess, name: str) -> None:
    """Let a healthy freezer become too warm."""
    for celsius in (-18, -8):
        gateway.publish(f"devices/freezer-{name}/status", {"temperature": celsius})


def states(gateway: GatewayProcess) -> dict[str, str]:
    """State of each customer's message."""
    rows = gateway.rows("SELECT customer_id, state FROM notifications")
    assert len({row["customer_id"] for row in rows}) == len(rows), "a message was doubled"
    return {row["customer_id"]: row["state"] for row in rows}


def command(gateway: GatewayProcess, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``gateway …`` with the gateway's own configuration."""
    out, err = gateway.folder / "stdout", gateway.folder / "stderr"
    for file in (out, err):
        file.write_bytes(b"")
    status = Forked([*arguments, "-c", str(gateway.config_file)], out, err).wait()
    return subprocess.CompletedProcess(arguments, status, out.read_text("utf-8"), err.read_text("utf-8"))


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


def test_a_mail_server_that_is_down_at_first_gets_the_mail_when_it_is_up(tmp_path: Path) -> None:
    mail = MailServer()
    with GatewayProcess(tmp_path, mail, RULES) as gateway:
        register(gateway, "ana")
        warm(gateway, "ana")
        [row] = wait_for(
            lambda: gateway.rows("SELECT state, reason FROM notifications WHERE attempts = 1 AND state = 'queued'"),
            "the first attempt to fail",
        )
        assert row["reason"] == "it takes no connection; check that it is up"
        with mail:
            wait_for(lambda: states(gateway) == {"ana": "accepted"}, "the next attempt")
            assert [message["To"] for message in mail.mails] == ["ana@example.com"]


class MoodyMailServer(MailServer):
    """Answers each recipient as its address says, a 4xx only once."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take or refuse one recipient."""
        self.asked[address] += 1
        if address.startswith("nobody"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("busy") and self.asked[address] == 1:
            return "451 4.7.1 greylisted"
        envelope.rcpt_tos.append(address)
        return "250 fine"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Take or refuse one mail."""
        if envelope.rcpt_tos[0].startswith("spam"):
            return "554 5.7.1 refused by content"
        return await super().handle_DATA(server, session, envelope)


def test_a_mail_server_that_refuses_is_asked_again_or_not_as_its_code_says(tmp_path: Path) -> None:
    with MoodyMailServer() as mail, GatewayProcess(tmp_path, mail, RULES) as gateway:
        names = ("busy", "nobody", "spam", "ana")
        register(gateway, *names)
        for name in names:
            warm(gateway, name)
        wanted = {"busy": "accepted", "nobody": "dead", "spam": "dead", "ana": "accepted"}
        wait_for(lambda: states(gateway) == wanted, "each message's end")
        assert mail.asked == {"busy@example.com": 2} | {f"{name}@example.com": 1 for name in names[1:]}
        assert sorted(str(message["To"]) for message in mail.mails) == ["ana@example.com", "busy@example.com"]
        assert not gateway.api("/api/status")["outbox"]["ok"]
        [case] = gateway.rows("SELECT id FROM cases WHERE customer_id = 'nobody'")
        timeline = gateway.api(f"/api/cases/{case['id']}")["timeline"]
        assert ("dead", "there is no such mailbox") in {
            (entry["kind"], entry["body"].get("reason")) for entry in timeline
        }


class SluggishMailServer(MailServer):
    """Takes its time over one recipient's mail."""

    def __init__(self) -> None:
        super().__init__()
        self.has_slow_one = threading.Event()
        self.goes_on = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Answer the slow one only once told to."""
        if envelope.rcpt_tos[0].startswith("slow"):
            self.has_slow_one.set()
            await asyncio.to_thread(self.goes_on.wait, 60)
        return await super().handle_DATA(server, session, envelope)


def test_a_mail_that_takes_long_holds_up_nobody_elses(tmp_path: Path) -> None:
    with SluggishMailServer() as mail, GatewayProcess(tmp_path, mail, RULES) as gateway:
        register(gateway, "slow", "ana")
        warm(gateway, "slow")
        assert mail.has_slow_one.wait(30)
        warm(gateway, "ana")
        wait_for(lambda: mail.mails, "the other's mail", within_s=15)
        assert [message["To"] for message in mail.mails] == ["ana@example.com"]
        mail.goes_on.set()
        wait_for(lambda: states(gateway) == {"slow": "accepted", "ana": "accepted"}, "the slow one")
        assert len(mail.mails) == 2


def fill_disk(gateway: GatewayProcess) -> None:
    """Let no file of the gateway's own process grow any more; SQLite meets that as it meets a full disk."""
    size = (gateway.folder / "data/gateway.sqlite-wal").stat().st_size
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def free_disk(gateway: GatewayProcess) -> None:
    resource.prlimit(gateway.pid, resource.RLIMIT_FSIZE, UNLIMITED)


def restart(gateway: GatewayProcess) -> None:
    gateway.kill()
    gateway.start()


@pytest.mark.parametrize("then", [free_disk, restart])
def test_while_the_disk_is_full_the_log_keeps_what_is_acknowledged_and_the_rest_follows(
    tmp_path: Path, mail: MailServer, then: Callable[[GatewayProcess], None]
) -> None:
    with GatewayProcess(tmp_path, mail, RULES) as gateway:
        register(gateway, "ana", "bea")
        fill_disk(gateway)
        warm(gateway, "ana")
        warm(gateway, "bea")
        wait_for(lambda: '"store.cannot_write"' in gateway.log.read_text(encoding="utf-8"), "the operator to be told")
        with urllib.request.urlopen(f"http://127.0.0.1:{gateway.web_port}/healthz", timeout=10) as answer:
            assert answer.status == 200
        assert gateway.rows("SELECT 1 FROM cases") == []
        then(gateway)
        wait_for(lambda: states(gateway) == {"ana": "accepted", "bea": "accepted"}, "what was held up")
        assert sorted(str(message["To"]) for message in mail.mails) == ["ana@example.com", "bea@example.com"]
        assert len(gateway.rows("SELECT 1 FROM cases")) == 2


def test_the_brake_keeps_what_would_go_out_and_letting_go_sends_it_once(tmp_path: Path, mail: MailServer) -> None:
    with GatewayProcess(tmp_path, mail, RULES) as gateway:
        register(gateway, "ana", "bea")
        held = command(gateway, "hold")
        assert (held.returncode, held.stdout) == (0, "Held: nothing goes out. 0 messages wait.\n"), held.stderr
        warm(gateway, "ana")
        warm(gateway, "bea")
        wait_for(lambda: states(gateway) == {"ana": "queued", "bea": "queued"}, "the messages to be written")
        restart(gateway)
        [before] = gateway.rows("SELECT version FROM positions")
        assert "2 messages wait" in command(gateway, "hold").stdout
        [after] = gateway.rows("SELECT version FROM positions")
        assert after["version"] - before["version"] < 20, "it tries to send all the time"
        assert gateway.api("/api/status")["outbox"]["held"]
        assert (states(gateway), mail.mails) == ({"ana": "queued", "bea": "queued"}, [])
        assert "2 messages were let go" in command(gateway, "hold", "--release").stdout
        wait_for(lambda: states(gateway) == {"ana": "accepted", "bea": "accepted"}, "both mails")
        assert len(mail.mails) == 2


def test_a_second_gateway_on_the_same_data_says_whose_it_is_and_leaves_it_alone(
    tmp_path: Path, mail: MailServer
) -> None:
    with GatewayProcess(tmp_path, mail, RULES) as gateway:
        register(gateway, "ana")
        second = command(gateway, "run")
        assert second.returncode == 1
        assert f"is in use by the gateway with process id {gateway.pid}" in second.stderr
        assert "set another data_dir" in second.stderr
        warm(gateway, "ana")
        wait_for(lambda: mail.mails, "the first one to go on")


@pytest.mark.parametrize(
    ("section", "advice"),
    [("broker", ["tls_cert", "broker"]), ("web", ["web.tls_cert and web.tls_key", "passwords would travel in clear"])],
)
def test_a_listener_that_strangers_reach_without_tls_is_refused_with_the_remedy(
    tmp_path: Path, mail: MailServer, section: str, advice: list[str]
) -> None:
    gateway = GatewayProcess(tmp_path, mail, RULES)
    text = gateway.config_file.read_text(encoding="utf-8")
    gateway.config_file.write_text(
        text.replace(f'[{section}]\nlisten = "127.0.0.1', f'[{section}]\nlisten = "0.0.0.0'), encoding="utf-8"
    )
    refused = command(gateway, "run")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr, refused.stderr
    for words in advice:
        assert words in refused.stderr
