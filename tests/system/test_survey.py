"""A survey on a real gateway that was killed while the question was due: asked once when it is back, and rated."""

import re
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tests.system.gateway_process import GatewayProcess, MailServer, wait_for
from tests.system.test_main_way import CUSTOMER, FREEZER, RULES, warm_up

MAILS = "SELECT template, state FROM notifications WHERE state = 'accepted' ORDER BY id"


def test_a_survey_that_was_due_while_the_gateway_was_dead_is_sent_once_and_rated_on_the_page(tmp_path: Path) -> None:
    with MailServer() as mail:
        extra = '[notifiers.survey]\nenabled = true\nafter = "0s"\n'
        with GatewayProcess(tmp_path, mail, RULES, extra) as gateway:
            gateway.register(customers=[CUSTOMER], devices=[FREEZER])
            warm_up(gateway)
            wait_for(lambda: len(gateway.rows(MAILS)) == 1, "the first mail")
            gateway.publish("devices/freezer-1/status", {"temperature": -17.5, "ts": time.time()})
            wait_for(lambda: len(gateway.rows(MAILS)) == 2, "the second mail")
            gateway.kill()
            gateway.start()
            wait_for(lambda: len(gateway.rows(MAILS)) == 3, "the survey")
            assert [row["template"] for row in gateway.rows(MAILS)] == ["fault_opened", "fault_resolved", "survey"]
            body = mail.mails[2].get_body(("plain",))
            assert body is not None
            link = re.search(r"http://\S+(?=#rate)", body.get_content())
            assert link is not None
            with urllib.request.urlopen(link[0], timeout=10) as page:  # noqa: S310
                assert 'id="rate"' in page.read().decode()
            form = urllib.parse.urlencode({"satisfaction": 5}).encode()
            origin = {"Origin": f"http://127.0.0.1:{gateway.web_port}"}
            request = urllib.request.Request(f"{link[0]}/rate", form, origin)  # noqa: S310
            with urllib.request.urlopen(request, timeout=10) as page:  # noqa: S310
                assert page.status == 200
            assert gateway.rows("SELECT satisfaction FROM survey_answers") == [{"satisfaction": 5}]
            assert len(mail.mails) == 3
