"""Files that lie with chat providers, against servers that give them out as the providers do."""

import base64
from collections.abc import Callable

import pytest

from notifiers.attachment import LARGEST
from notifiers.errors import NotifierError, TryLater, Undeliverable, Unknown
from notifiers.transports.line_media import LineMedia
from notifiers.transports.media import MediaSource
from notifiers.transports.telegram_media import TelegramMedia
from notifiers.transports.twilio_media import TwilioMedia
from notifiers.transports.whatsapp_media import WhatsAppMedia
from tests.notifiers.provider_servers import LINE_TOKEN, TELEGRAM_TOKEN, WHATSAPP_TOKEN, graph_error
from tests.notifiers.servers import Answer, Request, http_server, json_answer

ACCOUNT, AUTH_TOKEN = "AC" + "0" * 32, "twilio-auth-token"
JPEG = b"\xff\xd8\xff a leak"
TWILIO_PATH = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/MM1/Media/ME1"
MADE: dict[str, Callable[[str], MediaSource]] = {
    "twilio": lambda url: TwilioMedia(ACCOUNT, AUTH_TOKEN, base_url=url),
    "telegram": lambda url: TelegramMedia(TELEGRAM_TOKEN, base_url=url),
    "line": lambda url: LineMedia(LINE_TOKEN, data_url=url),
    "whatsapp": lambda url: WhatsAppMedia(WHATSAPP_TOKEN, base_url=url),
}
REFS: dict[str, Callable[[str], str]] = {
    "twilio": lambda url: url + TWILIO_PATH,
    "telegram": lambda _: "AgACAgIAAxkB",
    "line": lambda _: "354718705033693859",
    "whatsapp": lambda _: "1003383421387256",
}


def providers(content: bytes, url: Callable[[], str]) -> Callable[[Request], Answer | str]:
    """All four at once, as their paths tell them apart."""

    def behaviour(request: Request) -> Answer:
        authorization = request.headers.get("authorization", "")
        match request.method, request.path:
            case "GET", path if path == TWILIO_PATH:
                basic = "Basic " + base64.b64encode(f"{ACCOUNT}:{AUTH_TOKEN}".encode()).decode()
                there = ("Location", f"{url()}/twilio-files/ME1?signed=1")
                return Answer(307, b"", (there,)) if authorization == basic else Answer(401)
            case "GET", "/twilio-files/ME1?signed=1":
                # Where the file lies nobody is to see the account's token.
                return Answer(200, content) if not authorization else Answer(400)
            case "POST", path if path == f"/bot{TELEGRAM_TOKEN}/getFile":
                if request.body != b'{"file_id":"AgACAgIAAxkB"}':
                    return json_answer(400, {"ok": False, "error_code": 400, "description": "Bad Request"})
                return json_answer(200, {"ok": True, "result": {"file_id": "A", "file_path": "photos/file 0.jpg"}})
            case "GET", path if path == f"/file/bot{TELEGRAM_TOKEN}/photos/file%200.jpg":
                return Answer(200, content)
            case "GET", "/v2/bot/message/354718705033693859/content":
                return Answer(200, content) if authorization == f"Bearer {LINE_TOKEN}" else Answer(401)
            case "GET", "/v23.0/1003383421387256":
                named = {"url": f"{url()}/whatsapp_business/attachments/?mid=1", "mime_type": "image/jpeg"}
                return (
                    json_answer(200, named)
                    if authorization == f"Bearer {WHATSAPP_TOKEN}"
                    else graph_error(401, 190, "")
                )
            case "GET", "/whatsapp_business/attachments/?mid=1":
                return Answer(200, content) if authorization == f"Bearer {WHATSAPP_TOKEN}" else Answer(404)
            case _:
                return Answer(404)

    return behaviour


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("content", [JPEG, bytes(LARGEST + 5)])
async def test_a_file_is_given_out_to_us_alone_and_read_no_further_than_it_may_be(name: str, content: bytes) -> None:
    where = ""
    async with http_server(providers(content, lambda: where)) as server:
        where = server.url
        source = MADE[name](server.url)
        assert await source.fetch(REFS[name](server.url)) == content[: LARGEST + 1]
        await source.close()


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(404), Undeliverable),
        (Answer(410), Undeliverable),
        (Answer(429, b"", (("Retry-After", "30"),)), TryLater),
        (Answer(503), (TryLater, Unknown)),
        (Answer(401), TryLater),
        ("reset", Unknown),
    ],
)
async def test_each_refusal_says_whether_to_ask_again_and_no_secret(
    name: str, answer: Answer | str, error: type[NotifierError] | tuple[type[NotifierError], ...]
) -> None:
    async with http_server(answer) as server:
        source = MADE[name](server.url)
        with pytest.raises(error) as refused:
            await source.fetch(REFS[name](server.url))
        await source.close()
    for secret in (TELEGRAM_TOKEN, LINE_TOKEN, WHATSAPP_TOKEN, AUTH_TOKEN):
        assert secret not in str(refused.value)


async def test_line_is_asked_again_while_it_makes_a_recording_ready() -> None:
    async with http_server(Answer(202)) as server:
        source = MADE["line"](server.url)
        with pytest.raises(TryLater):
            await source.fetch("354718705033693859")
        await source.close()


async def test_our_tokens_go_to_the_providers_alone() -> None:
    async with http_server(json_answer(200, {"url": "https://files.evil.example/x"})) as server:
        whatsapp, twilio = MADE["whatsapp"](server.url), MADE["twilio"](server.url)
        with pytest.raises(Undeliverable, match="outside Meta"):
            await whatsapp.fetch("1003383421387256")
        with pytest.raises(Undeliverable, match="not one of our account's"):
            await twilio.fetch("https://api.twilio.com.evil.example/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1")
        assert len(server.requests) == 1
        await whatsapp.close()
        await twilio.close()
