"""The customer's links: what was signed is read back, and nothing else is."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose
from gateway.web.links import CustomerLink, LinkError, LinkExpiredError, LinkSigner

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
KEYS = {"1": "a" * 32, "2": "b" * 32}


class Time:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> datetime:
        return self.now


def signer(time: Time, keys: dict[str, str] | None = None, current: str = "1") -> LinkSigner:
    return LinkSigner(keys or KEYS, current, time, "https://help.example/", max_age=timedelta(days=90))


@given(
    st.text(min_size=1, max_size=60),
    st.none() | st.integers(min_value=1, max_value=2**62),
    st.none() | st.sampled_from(Purpose),
)
def test_a_link_is_read_back_as_it_was_made(customer: str, case_id: int | None, purpose: Purpose | None) -> None:
    links = signer(Time())
    token = links.token(customer, case_id, purpose)
    assert "/" not in token
    assert links.read(token) == CustomerLink(customer, case_id, purpose, T0)


@given(st.data())
def test_a_link_with_any_other_character_is_refused(data: st.DataObject) -> None:
    links = signer(Time())
    token = links.token("c-1", 7, Purpose.FAULT)
    place = data.draw(st.integers(min_value=0, max_value=len(token) - 1))
    other = data.draw(st.sampled_from("abcXYZ019-_.").filter(lambda c: c != token[place]))
    changed = token[:place] + other + token[place + 1 :]
    # The last character of a base64 text carries bits that count for nothing.
    if place == len(token) - 1:
        return
    with pytest.raises(LinkError):
        links.read(changed)


@given(st.text(max_size=200))
def test_whatever_somebody_types_is_no_link(text: str) -> None:
    with pytest.raises(LinkError):
        signer(Time()).read(text)


def test_an_old_link_expires_but_still_says_stop() -> None:
    time = Time()
    links = signer(time)
    token = links.token("c-1", 7)
    time.now = T0 + timedelta(days=91)
    with pytest.raises(LinkExpiredError):
        links.read(token)
    assert links.read(token, even_expired=True) == CustomerLink("c-1", 7, issued_at=T0)


def test_taking_a_key_away_revokes_its_links_and_no_others() -> None:
    time = Time()
    old, new = signer(time).token("c-1"), signer(time, current="2").token("c-1")
    without = signer(time, {"2": KEYS["2"]}, "2")
    assert without.read(new) == CustomerLink("c-1", issued_at=T0)
    with pytest.raises(LinkError):
        without.read(old)


def test_a_link_of_another_installation_is_refused() -> None:
    foreign = signer(Time(), {"1": "c" * 32}).token("c-1", 7)
    with pytest.raises(LinkError):
        signer(Time()).read(foreign)


def test_urls_begin_with_the_public_address() -> None:
    links = signer(Time())
    assert links.page_url("c-1", 7).startswith("https://help.example/p/1.")
    assert links.stop_url("c-1", 7, Purpose.OFFER).endswith("/stop")


@pytest.mark.parametrize(("keys", "current"), [({"1": "short"}, "1"), (KEYS, "3"), ({"a.b": "x" * 32}, "a.b")])
def test_a_key_that_cannot_protect_anybody_is_refused(keys: dict[str, str], current: str) -> None:
    with pytest.raises(ValueError, match="links:"):
        LinkSigner(keys, current, Time(), "https://help.example")
