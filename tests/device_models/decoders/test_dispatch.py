import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.decoders.dispatch import Dispatcher, Route
from device_models.decoders.protocol import DecodeContext, Decoded
from device_models.decoders.topics import base_depth, checked_filter
from device_models.event import Message, Rejection
from tests.device_models.decoders.reading import message, rejected


class _Named:
    default_topics = ()

    def __init__(self, name: str) -> None:
        self.name = name

    def decode(self, message: Message, context: DecodeContext) -> Decoded | Rejection:
        return Decoded(note=f"{self.name} {context.topic_filter}")


def _claims(*filters: str) -> Dispatcher:
    return Dispatcher([Route(f, _Named(str(n))) for n, f in enumerate(filters)])


@pytest.mark.parametrize(
    ("filters", "topic", "claimed_by"),
    [
        (["#", "a/#", "a/+", "a/b"], "a/b", "a/b"),
        (["#", "a/#", "a/+"], "a/b", "a/+"),
        (["#", "a/#"], "a/b/c", "a/#"),
        (["a/#"], "a", "a/#"),
        (["+/b", "a/#"], "a/b", "a/#"),
        (["+/b/c", "a/+/d"], "a/b/c", "+/b/c"),
        (["+/+"], "/x", "+/+"),
        (["a/+"], "a/", "a/+"),
    ],
)
def test_the_most_specific_filter_claims_a_topic(filters: list[str], topic: str, claimed_by: str) -> None:
    outcome = _claims(*filters).decode(message(topic, b"x"))
    assert isinstance(outcome, Decoded)
    assert outcome.note == f"{filters.index(claimed_by)} {claimed_by}"


def test_of_two_equal_filters_the_one_declared_first_counts() -> None:
    decoder = _claims("a/+", "a/+").decoder_of("a/b")
    assert decoder is not None
    assert decoder.name == "0"


@pytest.mark.parametrize(
    ("filters", "topic"), [(["#", "+/x"], "$SYS/x"), (["a/+"], "a/b/c"), (["a"], "b"), (["a/b"], "a")]
)
def test_a_topic_that_no_filter_matches_is_claimed_by_nobody(filters: list[str], topic: str) -> None:
    assert _claims(*filters).decoder_of(topic) is None


def test_a_dollar_topic_is_claimed_by_a_filter_that_names_it() -> None:
    assert _claims("$aws/things/+/shadow/#").decoder_of("$aws/things/x/shadow/update") is not None


def test_an_unclaimed_topic_is_refused_and_the_filters_are_named() -> None:
    reason = rejected("homeassistant/sensor/x/config", {})
    assert reason.startswith("topic: no decoder claims it; the topic filters are devices/+/status, ")


def test_wildcards_in_a_topic_are_not_taken_for_a_filter() -> None:
    assert _claims("a/+").decoder_of("a/#") is not None
    assert _claims("a/b").decoder_of("a/+") is None


@pytest.mark.parametrize("topic_filter", ["", "a/#/b", "a#", "a+/b", "a\0b"])
def test_an_invalid_filter_is_refused(topic_filter: str) -> None:
    with pytest.raises(ValueError, match=r"topic filter|must be"):
        Dispatcher([Route(topic_filter, _Named("x"))])


def _matches(topic_filter: str, topic: str) -> bool:
    """MQTT 3.1.1 §4.7, written the plain way."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for index, level in enumerate(wanted):
        if level == "#":
            return len(levels) >= index
        if index >= len(levels) or level not in ("+", levels[index]):
            return False
    return len(wanted) == len(levels)


_levels = st.lists(st.sampled_from(["a", "b", "$x", ""]), min_size=1, max_size=4)
_filters = st.builds(
    lambda levels, tail: "/".join(levels + tail),
    st.lists(st.sampled_from(["a", "b", "$x", "", "+"]), min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
).filter(bool)


@given(st.lists(_filters, max_size=6), _levels.map("/".join).filter(bool))
def test_a_topic_is_claimed_exactly_when_one_of_the_filters_matches_it(filters: list[str], topic: str) -> None:
    decoder = _claims(*filters).decoder_of(topic)
    matching = [n for n, topic_filter in enumerate(filters) if _matches(topic_filter, topic)]
    assert (decoder is not None) == bool(matching)
    if decoder is not None:
        assert int(decoder.name) in matching


@given(st.text(string.ascii_letters + "/+#", max_size=12))
def test_a_checked_filter_is_returned_unchanged_or_refused(text: str) -> None:
    try:
        checked = checked_filter(text)
    except ValueError:
        return
    assert checked == text


@pytest.mark.parametrize(
    ("topic_filter", "depth"),
    [
        ("", 1),
        ("owntracks/#", 1),
        ("owntracks/+/+", 1),
        ("+/owntracks/#", 2),
        ("site/+/owntracks/#", 3),
        ("fleet/x/#", 2),
        ("#", 0),
    ],
)
def test_the_base_topic_ends_with_the_ecosystems_usual_level_or_the_first_literals(
    topic_filter: str, depth: int
) -> None:
    assert base_depth(topic_filter, "owntracks") == depth
