from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.message_count import MOST_MISSED, WINDOW, MessageCount, number_of

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def counted(*numbers: int, modulo: int | None = None, stamped: bool = False) -> MessageCount:
    """Each message a second later than the one before, by the device's own clock where it is ``stamped``."""
    times = [T0 + timedelta(seconds=i) if stamped else None for i in range(len(numbers))]
    count = MessageCount(numbers[0], latest=times[0])
    for number, at in zip(numbers[1:], times[1:], strict=True):
        count = count.after(number, at, modulo)
    return count


@pytest.mark.parametrize(
    ("numbers", "missed", "restarts"),
    [
        ((7,), 0, 0),
        ((7, 8, 9), 0, 0),
        ((7, 8, 12), 3, 0),
        ((7, 9, 8), 0, 0),
        ((7, 9, 8, 8, 7), 0, 0),
        ((7, 10, 6), 2, 0),
        ((500, 501, 3, 4), 0, 1),
        ((0, WINDOW), WINDOW - 1, 0),
        ((0, WINDOW, 1), WINDOW - 2, 0),
        ((10, 10 + MOST_MISSED), MOST_MISSED - 1, 0),
        ((10, 11 + MOST_MISSED), 0, 1),
    ],
)
def test_what_never_came_is_missed_and_what_comes_late_is_not(
    numbers: tuple[int, ...], missed: int, restarts: int
) -> None:
    count = counted(*numbers)
    assert (count.missed, count.restarts) == (missed, restarts)


def test_a_counter_of_two_bytes_goes_round() -> None:
    count = counted(65_533, 65_534, 2, 65_535, modulo=65_536)
    assert (count.last, count.missed, count.restarts) == (2, 2, 0)


def test_a_device_that_restarts_every_few_messages_is_told_from_repetitions_by_its_stamps() -> None:
    assert counted(0, 1, 2, 0, 1, 0, 1, stamped=True).restarts == 2
    assert counted(0, 1, 2, 0, 1, 0, 1).restarts == 0


@given(st.permutations(range(100, 100 + WINDOW)), st.data())
def test_the_order_in_which_neighbours_arrive_changes_no_count(order: list[int], data: st.DataObject) -> None:
    lost = data.draw(st.sets(st.sampled_from(order), max_size=10))
    repeated = data.draw(st.lists(st.sampled_from(order), max_size=5))
    arrived = [number for number in order if number not in lost]
    count = counted(99, *arrived, *(number for number in repeated if number not in lost), 100 + WINDOW)
    assert (count.missed, count.restarts) == (len(lost), 0)


@given(st.lists(st.integers(0, 2**53 - 1), min_size=1, max_size=30), st.sampled_from([None, 256, 65_536]))
def test_whatever_a_device_sends_the_count_survives_the_store(numbers: list[int], modulo: int | None) -> None:
    count = counted(*numbers, modulo=modulo, stamped=True)
    assert count.missed >= 0
    assert MessageCount.from_json(count.to_json()) == count


@pytest.mark.parametrize("said", [None, True, "7", -1, 7.5, float(2**53), 1e300])
def test_what_is_no_number_of_a_message_is_not_counted(said: object) -> None:
    assert number_of({"seq": said} if said is not None else {}, "seq") is None
