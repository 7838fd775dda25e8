from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox.pace import FAILURES_TO_OPEN, FIRST_OPEN_S, LONG_DOWN_S, LONGEST_OPEN_S, Pace


def failing(times: int, at_s: float = 0.0) -> Pace:
    pace = Pace(10)
    for _ in range(times):
        pace.fails(at_s, "connect")
    return pace


def test_some_failures_in_a_row_open_it_and_one_message_tries() -> None:
    pace = failing(FAILURES_TO_OPEN - 1)
    assert (pace.is_open(), pace.wait_s(0)) == (False, 0)
    pace.fails(0, "connect")
    assert (pace.is_open(), pace.wait_s(0)) == (True, FIRST_OPEN_S)
    assert pace.wait_s(FIRST_OPEN_S) == 0
    pace.begin()
    assert pace.wait_s(FIRST_OPEN_S) > 0
    pace.works()
    assert (pace.is_open(), pace.wait_s(FIRST_OPEN_S)) == (False, 0)


def test_one_that_goes_on_failing_is_tried_less_and_less() -> None:
    pace, now_s, waits = failing(FAILURES_TO_OPEN), 0.0, []
    for _ in range(8):
        waits.append(pace.wait_s(now_s))
        now_s += waits[-1]
        pace.begin()
        pace.fails(now_s, "connect")
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_OPEN_S
    assert pace.is_down_for_long(LONG_DOWN_S)
    assert not failing(1).is_down_for_long(LONG_DOWN_S)


def test_a_wait_that_was_asked_for_is_kept_in_full() -> None:
    pace = Pace(10)
    pace.fails(0, "429", 35.0)
    assert (pace.wait_s(0), pace.wait_s(34), pace.wait_s(35)) == (35.0, 1.0, 0.0)
    pace.fails(0, "429", 7200.0)
    assert pace.wait_s(7000) == 200.0


def test_a_message_that_was_taken_meanwhile_does_not_shorten_a_wait_that_was_asked_for() -> None:
    pace = Pace(10)
    pace.fails(0, "429", 120.0)
    pace.works()
    assert pace.wait_s(1) == 119.0
    assert pace.says(1) == "paused for 119 s as it asked (429)"


def test_one_that_wants_nothing_for_long_is_not_waited_for_any_longer_than_one_that_is_down() -> None:
    pace = Pace(10)
    pace.fails(0, "429", 7200.0)
    pace.works()
    assert not pace.is_down_for_long(LONG_DOWN_S - 1)
    assert pace.is_down_for_long(LONG_DOWN_S)
    assert not pace.is_down_for_long(7200.0)


def test_a_refusal_of_one_message_says_that_the_provider_works() -> None:
    pace = failing(FAILURES_TO_OPEN - 1)
    pace.works()
    pace.fails(0, "connect")
    assert not pace.is_open()


def test_a_message_that_was_never_written_leaves_the_trial_to_the_next() -> None:
    pace = failing(FAILURES_TO_OPEN)
    pace.begin()
    pace.let_go()
    assert pace.wait_s(FIRST_OPEN_S) == 0
    assert pace.is_open()


@given(st.lists(st.floats(0, 5), min_size=1, max_size=200), st.floats(0.5, 50))
def test_no_second_sees_more_than_its_share_and_one_burst(gaps_s: list[float], per_second: float) -> None:
    pace, now_s, turns = Pace(per_second), 0.0, []
    for gap_s in gaps_s:
        now_s += gap_s
        while (wait_s := pace.turn_s(now_s)) > 0:
            now_s += wait_s
        turns.append(now_s)
    most = per_second + max(1.0, per_second) + 1
    assert all(sum(begin <= turn < begin + 1 for turn in turns) <= most for begin in turns)


def test_it_says_how_it_stands() -> None:
    assert Pace(1).says(0) == "well"
    assert failing(2).says(0) == "2 failures in a row (connect)"
    assert failing(FAILURES_TO_OPEN).says(0).startswith("open: 5 failures in a row (connect), tried again in 15 s")
    paused = Pace(1)
    paused.fails(0, "429", 20)
    assert paused.says(5) == "paused for 15 s as it asked (429)"
