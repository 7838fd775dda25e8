import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.inbound import Blocking, Media
from notifiers.transports.line_callbacks import LineCallbacks, signature

AT = datetime(2025, 3, 3, 14, 2, tzinfo=UTC)
SECRET = "8c570fa6dd201bb328f1c1eac23a96d8"
CALLBACKS = LineCallbacks(SECRET)
USER = "U8189cf6745fc0d808977bdb0b9f22995"
# The example of LINE's documentation, "Verify webhook signature".
BODY = b'{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}'
SIGNATURE = "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs="


def read(*events: dict[str, Any]) -> Any:
    body = json.dumps({"destination": "x", "events": events}).encode()
    return CALLBACKS.read(body, AT).items


def event(type_: str, event_id: str = "01FZ74A0TDDPYRVKNK77XKC3ZR", **more: Any) -> dict[str, Any]:
    source = {"type": "user", "userId": USER}
    return {"type": type_, "webhookEventId": event_id, "source": source, "mode": "active", **more}


def test_the_signature_is_that_of_lines_own_example() -> None:
    assert signature(SECRET, BODY) == SIGNATURE
    assert CALLBACKS.is_genuine({"X-Line-Signature": SIGNATURE}, BODY, AT)


@pytest.mark.parametrize(
    ("body", "header"), [(BODY + b" ", SIGNATURE), (BODY, SIGNATURE.lower()), (BODY, ""), (BODY, "ünïcode")]
)
def test_anything_changed_is_refused(body: bytes, header: str) -> None:
    assert not CALLBACKS.is_genuine({"X-Line-Signature": header}, body, AT)


def test_messages_and_taps_are_read_in_their_order() -> None:
    text = {"id": "1", "type": "text", "text": "冷えてきました", "quotedMessageId": "461230966842064897"}
    first, second = read(event("message", message=text), event("postback", "01F2", postback={"data": "done 完了"}))

    assert (first.channel, first.address, first.text) == ("line", USER, "冷えてきました")
    assert (first.provider_id, first.answers) == ("01FZ74A0TDDPYRVKNK77XKC3ZR", "461230966842064897")
    assert (second.text, second.keyword, second.provider_id) == ("完了", "done", "01F2")


def test_a_redelivered_event_keeps_its_identity() -> None:
    once = event("message", message={"id": "1", "type": "text", "text": "x"}, deliveryContext={"isRedelivery": False})
    again = once | {"deliveryContext": {"isRedelivery": True}}

    assert read(once)[0].provider_id == read(again)[0].provider_id


def test_who_blocks_the_account_is_not_written_to() -> None:
    assert read(event("unfollow"), event("follow")) == (
        Blocking("line", "line", USER, blocked=True),
        Blocking("line", "line", USER, blocked=False),
    )


def test_a_picture_or_file_is_named_where_line_gives_it_out() -> None:
    lies_elsewhere = {"id": "2", "type": "image", "contentProvider": {"type": "external"}}
    picture = {"id": "1", "type": "image", "contentProvider": {"type": "line"}}
    paper = {"id": "3", "type": "file", "fileName": "bill.pdf", "fileSize": 2138}
    found = read(*(event("message", message=message) for message in (picture, lies_elsewhere, paper)))

    assert [(one.text, one.media) for one in found] == [
        ("", (Media("photo", "1"),)),
        ("", (Media("photo"),)),
        ("", (Media("document", "3", "bill.pdf", 2138),)),
    ]


def test_a_link_code_that_the_customer_sent_is_found() -> None:
    [inbound] = read(event("message", message={"type": "text", "text": "LINK-23456789ABCD"}))

    assert inbound.link_code == "LINK-23456789ABCD"


def test_what_is_not_for_us_is_left_out() -> None:
    assert read(event("unsend"), event("message") | {"source": {"type": "group"}}, {"type": "message"}) == ()


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_without_an_error(body: bytes) -> None:
    CALLBACKS.read(body, AT)
    CALLBACKS.read(b'{"events": [%s]}' % json.dumps(body.decode("latin-1")).encode(), AT)
