"""gateway/ingest/topics.py: topics survive the log whatever is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ingest.topics import (
    DEVICE_PREFIX,
    ENCODED_SUBJECT,
    QOS0_PREFIX,
    RELAY_PREFIX,
    filter_subjects,
    log_address,
    logged_topic,
    subject_of,
    topic_of,
)

ANY_TOPIC = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
TOPIC_FOR_NATS = st.text(st.sampled_from("ab./*>+$é 　\v".replace(" ", "")), min_size=1)


@pytest.mark.parametrize(
    ("topic", "subject"),
    [
        ("devices/a/status", "devices.a.status"),
        ("/a", "/.a"),
        ("a/", "a./"),
        ("a//b", "a./.b"),
        ("///", "/./././"),
        ("a.b/c", "a//b.c"),
        ("..", "////"),
        ("a/.b/", "a.//b./"),
        ("grün/é", "grün.é"),
    ],
)
def test_a_topic_maps_to_the_subject_that_nats_server_gives_it(topic: str, subject: str) -> None:
    assert subject_of(topic) == subject
    assert topic_of(subject) == topic


@given(TOPIC_FOR_NATS)
def test_a_topic_comes_back_from_its_subject(topic: str) -> None:
    assert topic_of(subject_of(topic)) == topic


@given(TOPIC_FOR_NATS, TOPIC_FOR_NATS)
def test_two_topics_never_share_a_subject(one: str, other: str) -> None:
    assert (subject_of(one) == subject_of(other)) == (one == other)


@pytest.mark.parametrize("topic", ["", "with space", "tab\tbed", "line\nfeed", "nul\0"])
def test_a_topic_that_nats_server_refuses_has_no_subject(topic: str) -> None:
    with pytest.raises(ValueError, match="topic"):
        subject_of(topic)


@given(st.sampled_from([DEVICE_PREFIX, QOS0_PREFIX, RELAY_PREFIX]), ANY_TOPIC)
def test_every_topic_has_an_address_in_the_log_and_comes_back_from_it(prefix: str, topic: str) -> None:
    subject, headers = log_address(prefix, topic)
    assert logged_topic(subject, headers) == topic
    assert not set(subject) & set(" \t\n\r\v\f")
    assert all(value.isascii() and value.isprintable() for value in headers.values())


@pytest.mark.parametrize("topic", ["a b", "a/*/b", ">", "a" * 60_000, "é" * 600, "vertical\vtab"])
def test_a_topic_that_a_nats_client_cannot_send_travels_in_a_header(topic: str) -> None:
    assert log_address(RELAY_PREFIX, topic)[0] == ENCODED_SUBJECT


@pytest.mark.parametrize(
    ("topic_filter", "subjects"),
    [
        ("devices/d1/#", ("devices.d1", "devices.d1.>")),
        ("tele/+/STATE", ("tele.*.STATE",)),
        ("#", (">",)),
        ("/a.b/+", ("/.a//b.*",)),
    ],
)
def test_a_topic_filter_becomes_the_subjects_of_a_permission(topic_filter: str, subjects: tuple[str, ...]) -> None:
    assert filter_subjects(topic_filter) == subjects


@pytest.mark.parametrize("topic_filter", ["devices/*/#", "devices/>/status"])
def test_a_device_named_like_a_wildcard_gets_no_permission(topic_filter: str) -> None:
    with pytest.raises(ValueError, match="wildcards of nats-server"):
        filter_subjects(topic_filter)
