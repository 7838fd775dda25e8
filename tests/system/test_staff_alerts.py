"""Staff alerts with real servers: a critical fault, a mail to whoever is on call, a kill in between, the link taken."""

import re
import urllib.parse
import urllib.request
from pathlib import Path

from gateway.commands import SaveUser
from gateway.commands.staff import SaveContacts, SaveRota
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for
from tests.system.test_main_way import CUSTOMER, FREEZER, RULES, warm_up

ON_CALL = {"level": 1, "hours": "24/7", "people": ["mia"]}


def test_whoever_is_on_call_is_mailed_once_and_takes_it_by_the_link_though_the_gateway_is_killed(
    tmp_path: Path,
) -> None:
    with MailServer() as mail:
        gateway = GatewayProcess(tmp_path, mail, RULES.replace("severity: major", "severity: critical"))
        gateway.submit(SaveUser("mia", "hash", "agent", by="test"))
        gateway.submit(SaveContacts("mia", (("email", "mia@acme.example"),), "mia"))
        gateway.submit(SaveRota("Night", "Europe/Berlin", (ON_CALL,), "lea"))
        gateway.register(customers=[{**CUSTOMER, "objections": ["fault"]}], devices=[FREEZER])
        with gateway:
            warm_up(gateway)
            [message] = wait_for(lambda: mail.mails, "the mail to whoever is on call")
            wait_for(lambda: gateway.rows("SELECT 1 FROM notifications WHERE state = 'accepted'"), "its acceptance")
            gateway.kill()
            gateway.start()
            body = message.get_body(("plain",))
            assert body is not None
            assert message["To"] == "mia@acme.example"
            assert "is too warm (Garage freezer), critical, #1" in body.get_content()
            url = re.search(r"http://\S+/a/\S+", body.get_content())
            assert url is not None
            taken = urllib.parse.urlencode({"answer": "take"}).encode()
            with urllib.request.urlopen(url[0], taken, timeout=10) as answer:  # noqa: S310
                assert "It is yours." in answer.read().decode()
            [alert] = gateway.rows("SELECT state, acknowledged_by FROM staff_alerts")
            assert (alert["state"], alert["acknowledged_by"]) == ("acknowledged", "mia")
            kinds = [row["kind"] for row in gateway.rows("SELECT kind FROM timeline WHERE case_id = 1 ORDER BY id")]
            assert kinds.count("staff_alerted") == 1
            # Who takes the alert has the case.
            assert kinds[-2:] == ["staff_acknowledged", "acknowledged"]
            assert len(mail.mails) == 1
