"""gateway/ingest/filters.py against a plain reading of MQTT 3.1.1 §4.7, by exhaustion over small topics."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from gateway.ingest.filters import covers, disjoint, matches, overlap

LEVELS = ("a", "b", "", "$x")
TOPICS = ["/".join(levels) for depth in (1, 2, 3, 4) for levels in product(LEVELS, repeat=depth)]


def _filters() -> st.SearchStrategy[str]:
    levels = st.lists(st.sampled_from([*LEVELS, "+"]), min_size=0, max_size=3)
    joined = st.builds(lambda head, rest: "/".join([*head, *(["#"] if rest else [])]), levels, st.booleans())
    return joined.filter(bool)


@given(_filters())
def test_matching_agrees_with_paho(topic_filter: str) -> None:
    # paho lets + and # match a first level that begins with $, which §4.7.2 forbids; those topics are left out.
    plain = [topic for topic in TOPICS if not topic.startswith("$")]
    assert [matches(topic_filter, t) for t in plain] == [topic_matches_sub(topic_filter, t) for t in plain]


@given(_filters(), _filters())
def test_two_filters_overlap_just_when_a_topic_is_matched_by_both(one: str, other: str) -> None:
    assert overlap(one, other) == any(matches(one, topic) and matches(other, topic) for topic in TOPICS)


@given(_filters(), _filters())
def test_a_filter_that_covers_another_matches_all_its_topics(wide: str, narrow: str) -> None:
    if covers(wide, narrow):
        assert all(matches(wide, topic) for topic in TOPICS if matches(narrow, topic))


@given(st.lists(_filters(), min_size=1, max_size=6))
def test_disjoint_filters_match_each_wanted_topic_exactly_once(filters: list[str]) -> None:
    subscribed = disjoint(filters)
    for topic in TOPICS:
        copies = sum(matches(topic_filter, topic) for topic_filter in subscribed)
        assert copies <= 1
        if any(matches(topic_filter, topic) for topic_filter in filters):
            assert copies == 1


@pytest.mark.parametrize(
    ("filters", "subscribed"),
    [
        (["devices/#", "devices/+/status", "tele/+/STATE"], ("devices/#", "tele/+/STATE")),
        (["a/+", "+/b"], ("+/+",)),
        (["a/b", "a/c"], ("a/b", "a/c")),
        (["#", "$SYS/#"], ("#", "$SYS/#")),
        (["a/+/c", "a/b/#"], ("a/+/#",)),
    ],
)
def test_filters_are_widened_no_more_than_needed(filters: list[str], subscribed: tuple[str, ...]) -> None:
    assert disjoint(filters) == subscribed


@pytest.mark.parametrize("topic_filter", ["a/#/b", "a+/b", "", "$share/relays/devices/#"])
def test_a_filter_that_cannot_be_subscribed_is_refused(topic_filter: str) -> None:
    with pytest.raises(ValueError, match=r"filter|level|shared"):
        disjoint([topic_filter])
