import json
import logging

import pytest

from notifiers.errors import Because, Undeliverable, Unknown
from notifiers.message import Outgoing
from notifiers.transports.apprise import AppriseTransport
from tests.notifiers.making import outgoing
from tests.notifiers.servers import HANG, RESET, Answer, closed_port, http_server

SECRET = "very-secret-password"


def message(url: str, **changes: object) -> Outgoing:
    host = url.removeprefix("http://")
    return outgoing(**({"channel": "apprise", "address": f"json://ana:{SECRET}@{host}/hook?cto=1&rto=1"} | changes))


async def test_a_message_goes_by_the_service_that_the_address_names() -> None:
    transport = AppriseTransport(["json"])
    async with http_server(Answer(200)) as server:
        accepted = await transport.send(message(server.url))
        await transport.close()

    [request] = server.requests
    sent = json.loads(request.body)
    assert (sent["title"], sent["message"]) == (outgoing().rendered.subject, outgoing().rendered.text)
    assert (accepted.provider, accepted.state) == ("apprise", "accepted")


@pytest.mark.parametrize("behaviour", [Answer(500), Answer(400), HANG, RESET])
async def test_whatever_goes_wrong_later_is_unknown_and_nothing_leaks(
    behaviour: Answer | str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    transport = AppriseTransport(["json"])
    caplog.set_level(logging.DEBUG)
    async with http_server(behaviour) as server:
        with pytest.raises(Unknown) as raised:
            await transport.send(message(server.url))
        await transport.close()

    said = str(raised.value) + caplog.text + "".join(capfd.readouterr())
    assert SECRET not in said
    assert "warmed" not in said
    assert len(server.requests) == 1


async def test_a_service_that_does_not_come_back_is_unknown() -> None:
    transport = AppriseTransport(["json"], timeout_s=0.2)
    async with http_server(HANG) as server:
        with pytest.raises(Unknown) as raised:
            await transport.send(message(server.url))
        await transport.close()

    assert raised.value.code == "timeout"


@pytest.mark.parametrize("address", ["", "Ana", "json://", "syslog://", "xml://127.0.0.1/", "file:///etc/passwd"])
async def test_an_address_of_another_scheme_is_not_tried(address: str) -> None:
    transport = AppriseTransport(["json"])
    with pytest.raises(Undeliverable) as refused:
        await transport.send(message(f"http://127.0.0.1:{closed_port()}", address=address))
    await transport.close()

    assert refused.value.because is Because.ADDRESS


def test_schemes_are_to_be_named_and_known() -> None:
    with pytest.raises(ValueError, match="Apprise knows no telepathy"):
        AppriseTransport(["json", "telepathy"])
    with pytest.raises(ValueError, match=r"notifiers\.apprise\.schemes"):
        AppriseTransport([])
