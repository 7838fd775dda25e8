from dataclasses import replace
from datetime import timedelta

import pytest

from notifiers.errors import Because, TryLater, Undeliverable, Unknown
from notifiers.message import Button, Outgoing
from notifiers.transports.line import LineTransport, retry_key
from tests.notifiers.making import NOW, outgoing
from tests.notifiers.provider_servers import LINE_TOKEN, LINE_USER, LineApi
from tests.notifiers.servers import RESET, Answer, Request, http_server, json_answer


def message(**changes: object) -> Outgoing:
    return outgoing(**({"channel": "line", "address": LINE_USER} | changes))


async def test_a_message_is_pushed_as_line_documents_it() -> None:
    api = LineApi()
    buttons = (Button("done", "完了"), Button("later", "あとで思い出させてください。よろしくお願いします"))
    async with http_server(api) as server:
        transport = LineTransport(LINE_TOKEN, base_url=server.url)
        accepted = await transport.send(message(rendered=replace(message().rendered, buttons=buttons)))
        await transport.close()

    assert (accepted.provider, accepted.provider_id) == ("line", "461230966842064897")
    assert server.requests[0].headers["x-line-retry-key"] == retry_key(message().key)
    [sent] = api.messages
    assert sent["to"] == LINE_USER
    assert sent["messages"][0]["text"] == message().rendered.text
    assert sent["messages"][0]["quickReply"]["items"][0]["action"]["data"] == "done 完了"


async def test_a_message_whose_answer_was_lost_is_sent_again_and_arrives_once() -> None:
    api, lost = LineApi(), [True]

    def loses_the_first_answer(request: Request) -> Answer | str:
        answer = api(request)
        return RESET if lost and lost.pop() else answer

    async with http_server(loses_the_first_answer) as server:
        transport = LineTransport(LINE_TOKEN, base_url=server.url)
        with pytest.raises(Unknown):
            await transport.send(message())
        again = await transport.send(message())
        await transport.close()

    assert transport.repeatable
    assert again.provider_id == "461230966842064897"
    assert len(api.messages) == 1


async def test_two_messages_have_two_keys() -> None:
    assert retry_key("case:1:a") != retry_key("case:1:b")
    assert retry_key("case:1:a") == retry_key("case:1:a")


@pytest.mark.parametrize(
    ("status", "data", "error", "because"),
    [
        (400, {"message": "The property, 'to', in the request body is invalid"}, Undeliverable, Because.ADDRESS),
        (400, {"message": "x", "details": [{"property": "to", "message": "y"}]}, Undeliverable, Because.ADDRESS),
        (400, {"message": "x", "details": [{"property": "messages[0].text"}]}, Undeliverable, Because.MESSAGE),
        (401, {"message": "Authentication failed"}, TryLater, None),
        (403, {"message": "Access to this API is not available for your account"}, TryLater, None),
        (409, {"message": "Conflict"}, Undeliverable, Because.MESSAGE),
        (429, {"message": "The API rate limit has been exceeded. Try again later."}, TryLater, None),
        (429, {"message": "You have reached your monthly limit."}, TryLater, None),
        (500, {"message": "Internal Server Error"}, Unknown, None),
    ],
)
async def test_each_refusal_says_what_to_do_next(
    status: int, data: dict[str, object], error: type[Exception], because: Because | None
) -> None:
    async with http_server(json_answer(status, data)) as server:
        transport = LineTransport(LINE_TOKEN, base_url=server.url)
        with pytest.raises(error) as raised:
            await transport.send(message())
        await transport.close()

    assert getattr(raised.value, "because", None) is because
    if "monthly" in str(data):
        assert getattr(raised.value, "retry_after_s", None) == 3600.0


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"address": "ana"}, Because.ADDRESS),
        ({"rendered": replace(outgoing().rendered, text="x" * 5001)}, Because.MESSAGE),
        ({"expires_at": NOW - timedelta(seconds=1)}, Because.EXPIRED),
    ],
)
async def test_what_cannot_arrive_is_not_tried(changes: dict[str, object], because: Because) -> None:
    async with http_server(Answer()) as server:
        transport = LineTransport(LINE_TOKEN, base_url=server.url)
        with pytest.raises(Undeliverable) as refused:
            await transport.send(message(**changes))
        await transport.close()

    assert refused.value.because is because
    assert server.requests == []


@pytest.mark.parametrize("token", ["", "short", "with a space in it............", "x" * 30 + "\n"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match=r"notifiers\.line\.token"):
        LineTransport(token)
