"""Two readers of one log share what was decoded, and neither depends on the other's pace."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from device_models.decoders.protocol import Decoded
from device_models.event import Message, Rejection
from gateway.decoded_once import DecodedOnce

AT = datetime(2026, 3, 1, tzinfo=UTC)


def counted() -> tuple[Callable[[Message], Decoded | Rejection], list[int]]:
    seen: list[int] = []

    def decode(message: Message) -> Decoded:
        seen.append(message.sequence)
        return Decoded((), note=message.payload.decode())

    return decode, seen


def message(sequence: int, payload: bytes = b"x") -> Message:
    return Message("devices/a/status", payload, AT, sequence)


def test_the_second_reader_of_a_message_takes_what_the_first_decoded() -> None:
    decode, seen = counted()
    once = DecodedOnce(decode)
    first = [once(message(n)) for n in range(1, 6)]
    assert [once(message(n)) for n in range(1, 6)] == first
    assert seen == [1, 2, 3, 4, 5]


def test_a_reader_far_behind_decodes_for_itself_and_no_more_is_kept_than_may_be() -> None:
    decode, seen = counted()
    once = DecodedOnce(decode, most=3)
    for n in range(1, 11):
        once(message(n))
    assert len(once._kept) == 3
    once(message(1))
    assert seen == [*range(1, 11), 1]


def test_another_message_under_the_same_number_is_decoded() -> None:
    decode, _ = counted()
    once = DecodedOnce(decode)
    once(message(1, b"old"))
    said = once(message(1, b"new"))
    assert isinstance(said, Decoded)
    assert said.note == "new"


def test_what_has_no_number_is_not_kept() -> None:
    decode, seen = counted()
    once = DecodedOnce(decode)
    once(message(0))
    once(message(0))
    assert seen == [0, 0]
    assert once._kept == {}


def test_an_exception_is_raised_to_each_reader() -> None:
    def broken(_: Message) -> Decoded:
        raise ZeroDivisionError

    once = DecodedOnce(broken)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            once(message(1))
