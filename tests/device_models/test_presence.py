from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from device_models.event import Event, EventKind, TimeSource, Value
from device_models.presence import Presence

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def said(second: int, online: bool | None = None, *, retained: bool = False) -> Event:
    values: dict[str, Value] = {} if online is None else {"online": online}
    kind = EventKind.STATUS if online is None else EventKind.PRESENCE
    at = T0 + timedelta(seconds=second)
    return Event("d", kind, at, at, TimeSource.ARRIVAL, "native", values, retained=retained)


def after(*events: Event) -> Presence:
    presence = Presence()
    for event in events:
        presence = presence.after(event)
    return presence


def test_nothing_heard_is_neither_online_nor_offline() -> None:
    assert Presence().online is None


def test_the_will_says_offline_and_the_next_word_says_online() -> None:
    assert after(said(0), said(5, False)) == Presence(T0, T0 + timedelta(seconds=5))
    assert after(said(0), said(5, False), said(6)).online is True


def test_connect_before_the_old_sessions_will_ends_online_with_the_next_word() -> None:
    assert after(said(0, True), said(1, False), said(2)).online is True


def test_a_will_is_no_sign_of_life() -> None:
    assert after(said(0), said(9, False)).last_heard_at == T0


def test_an_offline_word_of_the_same_moment_is_news_and_an_earlier_one_is_not() -> None:
    assert after(said(5), said(5, False)).online is False
    assert after(said(5), said(4, False)).online is True


def test_the_first_offline_word_counts_since_when() -> None:
    assert after(said(0), said(5, False), said(7, False)).offline_since == T0 + timedelta(seconds=5)


def test_a_retained_word_counts_only_until_the_device_is_heard() -> None:
    assert after(said(0, False, retained=True)).online is False
    assert after(said(0, True, retained=True)) == Presence()
    assert after(said(0), said(1, False, retained=True)).online is True


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from([None, True, False])), max_size=10))
def test_presence_survives_json_and_never_forgets_when_it_heard_last(said_: list[tuple[int, bool | None]]) -> None:
    presence, latest = Presence(), None
    for second, online in said_:
        presence = presence.after(said(second, online))
        if online is not False:
            latest = max(latest or T0, T0 + timedelta(seconds=second))
    assert presence.last_heard_at == latest
    assert Presence.from_json(presence.to_json()) == presence
