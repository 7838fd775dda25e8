from dataclasses import replace
from datetime import timedelta

import pytest

from notifiers.errors import Because, TryLater, Undeliverable, Unknown
from notifiers.message import Accepted, Button, Outgoing
from notifiers.transports.telegram import TelegramTransport
from tests.notifiers.making import NOW, outgoing
from tests.notifiers.provider_servers import CHAT, TELEGRAM_TOKEN, TelegramApi, telegram_flood
from tests.notifiers.servers import Answer, http_server, json_answer

BUTTONS = (Button("done", "Erledigt"), Button("later", "Später"))


def message(**changes: object) -> Outgoing:
    return outgoing(**({"channel": "telegram", "address": CHAT} | changes))


async def test_a_message_is_posted_as_the_bot_api_documents_it() -> None:
    api = TelegramApi()
    async with http_server(api) as server:
        transport = TelegramTransport(TELEGRAM_TOKEN, base_url=server.url)
        first = await transport.send(message())
        second = await transport.send(message())
        await transport.close()

    assert [first, second] == [Accepted("telegram", f"{CHAT}:1"), Accepted("telegram", f"{CHAT}:2")]
    text = message().rendered.text
    assert api.messages[0] == {"chat_id": CHAT, "text": text, "link_preview_options": {"is_disabled": True}}


async def test_answers_can_be_tapped() -> None:
    api = TelegramApi()
    async with http_server(api) as server:
        transport = TelegramTransport(TELEGRAM_TOKEN, base_url=server.url)
        await transport.send(message(rendered=replace(message().rendered, buttons=BUTTONS)))
        await transport.close()

    [[done], [later]] = api.messages[0]["reply_markup"]["inline_keyboard"]
    assert (done, later["callback_data"]) == ({"text": "Erledigt", "callback_data": "done"}, "later")


async def test_the_wait_that_is_asked_for_is_kept() -> None:
    async with http_server(telegram_flood(35)) as server:
        transport = TelegramTransport(TELEGRAM_TOKEN, base_url=server.url)
        with pytest.raises(TryLater) as later:
            await transport.send(message())
        await transport.close()

    assert later.value.retry_after_s == 35.0


@pytest.mark.parametrize(
    ("status", "words", "error", "because"),
    [
        (403, "Forbidden: bot was blocked by the user", Undeliverable, Because.OPTED_OUT),
        (403, "Forbidden: user is deactivated", Undeliverable, Because.ADDRESS),
        (403, "Forbidden: bot can't initiate conversation with a user", Undeliverable, Because.ADDRESS),
        (400, "Bad Request: chat not found", Undeliverable, Because.ADDRESS),
        (400, "Bad Request: can't parse entities", Undeliverable, Because.MESSAGE),
        (401, "Unauthorized", TryLater, None),
        (404, "Not Found", TryLater, None),
        (429, "Too Many Requests", TryLater, None),
        (503, "Service Unavailable", TryLater, None),
        (500, "Internal Server Error", Unknown, None),
        (502, "Bad Gateway", Unknown, None),
    ],
)
async def test_each_refusal_says_what_to_do_next(
    status: int, words: str, error: type[Exception], because: Because | None
) -> None:
    async with http_server(json_answer(status, {"ok": False, "error_code": status, "description": words})) as server:
        transport = TelegramTransport(TELEGRAM_TOKEN, base_url=server.url)
        with pytest.raises(error) as raised:
            await transport.send(message())
        await transport.close()

    assert getattr(raised.value, "because", None) is because
    assert words not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"address": "Ana"}, Because.ADDRESS),
        ({"rendered": replace(outgoing().rendered, text="❄" * 4097)}, Because.MESSAGE),
        ({"expires_at": NOW - timedelta(seconds=1)}, Because.EXPIRED),
    ],
)
async def test_what_cannot_arrive_is_not_tried(changes: dict[str, object], because: Because) -> None:
    async with http_server(Answer()) as server:
        transport = TelegramTransport(TELEGRAM_TOKEN, base_url=server.url)
        with pytest.raises(Undeliverable) as refused:
            await transport.send(message(**changes))
        await transport.close()

    assert refused.value.because is because
    assert server.requests == []


@pytest.mark.parametrize("body", [b"", b"[]", b'{"ok": true}', b'{"ok": true, "result": {"message_id": "x"}}'])
async def test_an_acceptance_without_an_id_is_unknown(body: bytes) -> None:
    async with http_server(Answer(200, body)) as server:
        transport = TelegramTransport(TELEGRAM_TOKEN, base_url=server.url)
        with pytest.raises(Unknown):
            await transport.send(message())
        await transport.close()


@pytest.mark.parametrize("token", ["", "secret", "123:short", TELEGRAM_TOKEN + "/x", TELEGRAM_TOKEN + "\n"])
def test_a_token_of_another_form_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValueError, match=r"notifiers\.telegram\.token") as refused:
        TelegramTransport(token)

    assert not token or token not in str(refused.value)
