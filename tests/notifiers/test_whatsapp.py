from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from device_models.purpose import Purpose
from notifiers.errors import Because, TryLater, Undeliverable, Unknown, Unwritten
from notifiers.message import Accepted, Button, Outgoing
from notifiers.transports.whatsapp import WhatsAppTransport
from notifiers.transports.whatsapp_templates import Template
from tests.notifiers.making import NOW, outgoing
from tests.notifiers.provider_servers import NUMBER, WHATSAPP_SENDER, WHATSAPP_TOKEN, WhatsAppApi, graph_error
from tests.notifiers.servers import Answer, http_server


def message(**changes: object) -> Outgoing:
    return outgoing(**({"channel": "whatsapp", "address": NUMBER, "session_open": True} | changes))


def transport(url: str, **more: Any) -> WhatsAppTransport:
    return WhatsAppTransport(WHATSAPP_SENDER, WHATSAPP_TOKEN, base_url=url, **more)


async def test_within_a_day_of_the_customers_message_free_text_is_sent() -> None:
    api = WhatsAppApi(in_session={NUMBER})
    async with http_server(api) as server:
        made = transport(server.url, templates=[Template("gateway_update")])
        accepted = await made.send(message())
        await made.close()

    assert accepted == Accepted("whatsapp_cloud", "wamid.HBgL0001")
    assert api.messages == [
        {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": NUMBER,
            "biz_opaque_callback_data": message().key,
            "type": "text",
            "text": {"preview_url": False, "body": message().rendered.text},
        }
    ]


async def test_answers_can_be_tapped() -> None:
    api = WhatsAppApi(in_session={NUMBER})
    buttons = (Button("done", "Feito"), Button("later", "Mais tarde, quando eu puder"))
    async with http_server(api) as server:
        made = transport(server.url)
        await made.send(message(rendered=replace(message().rendered, buttons=buttons)))
        await made.close()

    [done, later] = api.messages[0]["interactive"]["action"]["buttons"]
    assert done == {"type": "reply", "reply": {"id": "done", "title": "Feito"}}
    assert len(later["reply"]["title"]) == 20


async def test_more_answers_than_buttons_are_a_list() -> None:
    api = WhatsAppApi(in_session={NUMBER})
    buttons = tuple(Button(f"rating_{score}", f"{score}: muito bom ou algo parecido") for score in range(5, 0, -1))
    async with http_server(api) as server:
        made = transport(server.url)
        await made.send(message(rendered=replace(message().rendered, buttons=buttons, menu="Escolher")))
        await made.close()

    sent = api.messages[0]["interactive"]
    assert (sent["type"], sent["action"]["button"]) == ("list", "Escolher")
    [section] = sent["action"]["sections"]
    assert [row["id"] for row in section["rows"]] == [button.id for button in buttons]


@pytest.mark.parametrize(("language", "code"), [("pt", "pt_BR"), ("pt-BR", "pt_BR"), ("de", "de"), ("ja", "en")])
async def test_later_the_approved_template_says_it_in_the_nearest_language(language: str, code: str) -> None:
    api = WhatsAppApi(templates={("gateway_update", approved) for approved in ("en", "de", "pt_BR")})
    async with http_server(api) as server:
        made = transport(server.url, templates=[Template("gateway_update", ("en", "de", "pt_BR"))])
        rendered = replace(message().rendered, language=language, text="Line one.\n\n\tLine two.")
        await made.send(message(session_open=False, rendered=rendered))
        await made.close()

    assert api.messages[0]["template"] == {
        "name": "gateway_update",
        "language": {"code": code},
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Line one. Line two."}]}],
    }


DONE_LATER = (Button("done", "Erledigt"), Button("later", "Später"))
TEMPLATES = (
    Template("update", ("en", "de")),
    Template("service", ("de",), frozenset({Purpose.MAINTENANCE}), ("done", "later")),
    Template("offers", ("en",), frozenset({Purpose.OFFER, Purpose.NEWS})),
)


@pytest.mark.parametrize(
    ("purpose", "buttons", "name", "language"),
    [
        (Purpose.FAULT, (), "update", "de"),
        (Purpose.MAINTENANCE, DONE_LATER, "service", "de"),
        (Purpose.MAINTENANCE, DONE_LATER[:1], "update", "de"),
        (Purpose.FAULT, DONE_LATER, "update", "de"),
        (Purpose.OFFER, (), "offers", "en"),
    ],
)
async def test_each_purpose_has_its_template_with_the_messages_own_buttons(
    purpose: Purpose, buttons: tuple[Button, ...], name: str, language: str
) -> None:
    api = WhatsAppApi(templates={(one.name, code) for one in TEMPLATES for code in one.languages})
    api.quick_replies["service"] = 2
    async with http_server(api) as server:
        made = transport(server.url, templates=TEMPLATES)
        rendered = replace(message().rendered, language="de", buttons=buttons)
        await made.send(message(session_open=False, rendered=rendered, purpose=purpose))
        await made.close()

    sent = api.messages[0]["template"]
    assert (sent["name"], sent["language"]["code"]) == (name, language)
    payloads = [one["parameters"][0]["payload"] for one in sent["components"][1:]]
    assert payloads == (["done", "later"] if name == "service" else [])


async def test_a_utility_template_carries_no_offer() -> None:
    async with http_server(WhatsAppApi()) as server:
        made = transport(server.url, templates=TEMPLATES[:2])
        with pytest.raises(Unwritten) as refused:
            await made.send(message(session_open=False, purpose=Purpose.OFFER))
        await made.close()

    assert refused.value.code == "131047"
    assert server.requests == []


async def test_without_a_template_it_goes_by_another_channel_after_a_day() -> None:
    async with http_server(WhatsAppApi()) as server:
        made = transport(server.url)
        with pytest.raises(Undeliverable) as refused:
            await made.send(message(session_open=False))
        await made.close()

    assert (refused.value.code, refused.value.because) == ("131047", Because.MESSAGE)
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "code", "error", "because"),
    [
        (400, 131047, Undeliverable, Because.MESSAGE),
        (400, 131049, Undeliverable, Because.MESSAGE),
        (400, 131050, Undeliverable, Because.NO_MARKETING),
        (400, 131026, Undeliverable, Because.MESSAGE),
        (404, 132001, Undeliverable, Because.MESSAGE),
        (400, 100, Undeliverable, Because.MESSAGE),
        (400, 999999, Undeliverable, Because.MESSAGE),
        (429, 130429, TryLater, None),
        (429, 80007, TryLater, None),
        (400, 131056, TryLater, None),
        (400, 131048, TryLater, None),
        (503, 131016, TryLater, None),
        (401, 190, TryLater, None),
        (403, 10, TryLater, None),
        (403, 200, TryLater, None),
        (500, 131000, Unknown, None),
        (500, 1, Unknown, None),
        (502, 0, TryLater, None),
    ],
)
async def test_each_refusal_says_what_to_do_next(
    status: int, code: int, error: type[Exception], because: Because | None
) -> None:
    async with http_server(graph_error(status, code, "Something about")) as server:
        made = transport(server.url)
        with pytest.raises(error) as raised:
            await made.send(message())
        await made.close()

    assert raised.value.code == str(code)  # type: ignore[attr-defined] # every error here is a NotifierError
    assert getattr(raised.value, "because", None) is because
    if code == 131056:
        assert getattr(raised.value, "retry_after_s", None) == 6.0


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"address": "5511987654321"}, Because.ADDRESS),
        ({"rendered": replace(outgoing().rendered, text="x" * 4097)}, Because.MESSAGE),
        ({"expires_at": NOW - timedelta(seconds=1)}, Because.EXPIRED),
    ],
)
async def test_what_cannot_arrive_is_not_tried(changes: dict[str, object], because: Because) -> None:
    async with http_server(Answer()) as server:
        made = transport(server.url)
        with pytest.raises(Undeliverable) as refused:
            await made.send(message(**changes))
        await made.close()

    assert refused.value.because is because
    assert server.requests == []


@pytest.mark.parametrize("body", [b"", b"{}", b'{"messages": []}', b'{"messages": [{"id": 7}]}'])
async def test_an_acceptance_without_an_id_is_unknown(body: bytes) -> None:
    async with http_server(Answer(200, body)) as server:
        made = transport(server.url)
        with pytest.raises(Unknown):
            await made.send(message())
        await made.close()


def test_settings_that_cannot_be_used_are_refused() -> None:
    for wrong in (("+5511", "t"), (WHATSAPP_SENDER, ""), (WHATSAPP_SENDER, "a b")):
        with pytest.raises(ValueError, match=r"notifiers\.whatsapp"):
            WhatsAppTransport(*wrong)
