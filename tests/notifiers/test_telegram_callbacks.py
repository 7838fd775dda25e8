import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifiers.inbound import Blocking, Inbound, Media
from notifiers.link_codes import new_link_code, read_link_code, telegram_link
from notifiers.replies import Intent, read_reply
from notifiers.transports.telegram_callbacks import TelegramCallbacks

AT = datetime(2025, 3, 3, 14, 2, tzinfo=UTC)
SECRET = "a-secret-of-our-own_123"
CALLBACKS = TelegramCallbacks(SECRET)
ANA = {"id": 987654321, "is_bot": False, "first_name": "Ana"}
CHAT = {"id": 987654321, "type": "private"}


def read(**update: Any) -> Any:
    return CALLBACKS.read(json.dumps({"update_id": 10000, **update}).encode(), AT)


def written(text: str, **more: Any) -> Inbound:
    [inbound] = read(message={"message_id": 7, "from": ANA, "chat": CHAT, "date": 1, "text": text, **more}).items
    assert isinstance(inbound, Inbound)
    return inbound


@pytest.mark.parametrize("given_secret", ["", "wrong", SECRET + "x", SECRET[:-1], "ünïcode"])
def test_only_the_agreed_secret_is_believed(given_secret: str) -> None:
    assert CALLBACKS.is_genuine({"X-Telegram-Bot-Api-Secret-Token": SECRET}, b"{}", AT)
    assert not CALLBACKS.is_genuine({"X-Telegram-Bot-Api-Secret-Token": given_secret}, b"{}", AT)
    assert not CALLBACKS.is_genuine({}, b"{}", AT)


def test_a_message_is_read_with_what_it_answers() -> None:
    inbound = written("It cools again", reply_to_message={"message_id": 5})

    assert (inbound.provider_id, inbound.channel, inbound.address) == ("update:10000", "telegram", "987654321")
    assert (inbound.text, inbound.answers, inbound.keyword) == ("It cools again", "987654321:5", None)
    assert "cools" not in repr(inbound)


def test_a_tapped_button_is_its_label_for_people_and_its_id_for_us() -> None:
    keyboard = {"inline_keyboard": [[{"text": "Erledigt", "callback_data": "done"}]]}
    message = {"message_id": 5, "chat": CHAT, "reply_markup": keyboard}
    reading = read(callback_query={"id": "4382bfdwdsb323b2d9", "from": ANA, "message": message, "data": "done"})

    [inbound] = reading.items
    assert (inbound.text, inbound.keyword, inbound.answers) == ("Erledigt", "done", "987654321:5")
    assert reading.response == {"method": "answerCallbackQuery", "callback_query_id": "4382bfdwdsb323b2d9"}


def test_the_start_button_asks_for_help_and_consents_to_nothing() -> None:
    assert read_reply(written("/start").keyword or "").intent is Intent.HELP
    assert written("/stop").keyword is None
    assert read_reply(written("/stop").text).intent is Intent.STOP


def test_a_deep_links_code_comes_back() -> None:
    code = new_link_code()

    assert telegram_link("@acme_bot", code) == f"https://t.me/acme_bot?start={code}"
    assert written(f"/start {code}").link_code == code
    assert read_link_code(f"Hello! {code.lower()} please") == code
    assert [read_link_code(text) for text in ("", "LINK-", "LINK-0OIL1AAAAAAA", f"{code}A")] == [None] * 4


@pytest.mark.parametrize(("status", "blocked"), [("kicked", True), ("left", True), ("member", False)])
def test_who_blocks_the_bot_is_not_written_to_and_who_lets_it_in_again_is(status: str, blocked: bool) -> None:
    change = {"chat": CHAT, "from": ANA, "date": 1, "new_chat_member": {"user": {"id": 1}, "status": status}}

    assert read(my_chat_member=change).items == (Blocking("telegram", "telegram", "987654321", blocked),)


def test_the_largest_of_a_picture_is_named_and_its_caption_read() -> None:
    sizes = [{"file_id": "small", "file_size": 900}, {"file_id": "large", "file_size": 90_000}]
    [inbound] = read(message={"message_id": 7, "from": ANA, "chat": CHAT, "photo": sizes, "caption": "frost"}).items

    assert (inbound.text, inbound.media) == ("frost", (Media("photo", "large", "", 90_000),))


def test_a_recording_and_a_place_are_named() -> None:
    voice, place = {"file_id": "v1", "duration": 4}, {"latitude": 1.0, "longitude": 2.0}
    [inbound] = read(message={"message_id": 8, "from": ANA, "chat": CHAT, "voice": voice, "location": place}).items

    assert inbound.media == (Media("voice message", "v1"), Media("place"))


@pytest.mark.parametrize(
    "update",
    [
        {},
        {"edited_message": {"text": "x"}},
        {"message": {"chat": CHAT, "from": {**ANA, "is_bot": True}, "text": "x"}},
        {"message": {"chat": CHAT, "from": ANA}},
        {"message": "x"},
        {"callback_query": {"id": "1", "data": "done"}},
        {"my_chat_member": {"chat": CHAT, "new_chat_member": {"status": "restricted"}}},
    ],
)
def test_what_is_not_for_us_is_left_out(update: dict[str, Any]) -> None:
    assert read(**update).items == ()


@given(st.binary(max_size=200) | st.from_type(dict[str, int]).map(lambda data: json.dumps(data).encode()))
def test_whatever_comes_is_read_without_an_error(body: bytes) -> None:
    CALLBACKS.read(body, AT)


@pytest.mark.parametrize("secret", ["", "short", "x" * 257, "with a space in it....", "ünïcode-ünïcode-ü"])
def test_a_secret_that_telegram_would_not_take_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"notifiers\.telegram\.secret"):
        TelegramCallbacks(secret)
