from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from notifiers.receipts import SendState, advance

_REPORTED = st.sampled_from(
    [SendState.ACCEPTED, SendState.DELIVERED, SendState.READ, SendState.FAILED, SendState.UNKNOWN]
)


@given(current=st.sampled_from(SendState), reports=st.lists(_REPORTED, max_size=8))
def test_a_report_never_moves_a_send_back(current: SendState, reports: list[SendState]) -> None:
    order = list(SendState)
    for report in reports:
        after = advance(current, report)
        assert order.index(after) >= order.index(current)
        assert after in (current, report)
        current = after


@given(reports=st.lists(_REPORTED, min_size=1, max_size=6), data=st.data())
def test_the_end_is_the_same_in_any_order_and_however_often_reports_come(
    reports: list[SendState], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(reports))
    repeated = [*shuffled, *data.draw(st.lists(st.sampled_from(reports), max_size=4))]

    assert reduce(advance, reports, SendState.HANDED_OVER) == reduce(advance, repeated, SendState.HANDED_OVER)


def test_a_late_acceptance_does_not_undo_a_delivery() -> None:
    assert advance(SendState.DELIVERED, SendState.ACCEPTED) is SendState.DELIVERED


def test_an_unknown_send_is_settled_by_whatever_comes() -> None:
    for report in (SendState.ACCEPTED, SendState.FAILED, SendState.DELIVERED):
        assert advance(SendState.UNKNOWN, report) is report


def test_a_message_that_was_read_did_not_fail() -> None:
    assert advance(SendState.FAILED, SendState.READ) is SendState.READ
    assert advance(SendState.READ, SendState.FAILED) is SendState.READ


def test_only_arrival_and_failure_settle_a_send() -> None:
    assert {state for state in SendState if state.settled} == {SendState.FAILED, SendState.DELIVERED, SendState.READ}
    assert {state for state in SendState if state.reached} == {SendState.DELIVERED, SendState.READ}
