"""No message of whatever kind makes a decoder raise, and what is decoded keeps the promises of ``Event``."""

import json
import math
from dataclasses import replace

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from device_models.decoders.payload import MAX_DEPTH, MAX_TEXT
from device_models.decoders.protocol import DecodeContext, Decoded, Decoder
from device_models.event import Message, Rejection
from tests.device_models.decoders.reading import ARRIVAL, DECODERS, EVERY, dispatcher

_FIELD_NAMES = """
ts lat lon acc code _type tst batt vel cog event desc Time Epoch StatusSNS StatusSTS StatusTIM ENERGY TempUnit
ZbReceived ZbInfo LwReceived Device Name LastSeen LastSeenEpoch Uptime 0x1234 last_seen state type data
friendly_name definition level message response_time update voltage
"""
_SPECIAL_TEXTS = """
location transition lwt steps beacon status cmd request encrypted waypoint online offline C F km/h
2026-03-01T10:00:00 2026-03-01T10:00:00Z 9T09:29:01 device_leave device_interview error warning
"""
_SPECIAL_LEVELS = """
devices owntracks tele stat cmnd tasmota discovery zigbee2mqtt bridge a b status location lwt commands event cmd
STATE SENSOR RESULT LWT POWER STATUS8 LOGGING INFO1 availability set get state logging info health response
request devices groups l2
"""
_NAMES = st.sampled_from(_FIELD_NAMES.split())
_TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(_SPECIAL_TEXTS.split()),
)
_NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.sampled_from([0, -1, 1.7e9, 1.7e12, 91, 1e308]))
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES | st.text(max_size=8), inner, max_size=6),
    max_leaves=20,
)
_OBJECTS = st.dictionaries(_NAMES | st.text(max_size=8), _JSON, max_size=8)


def _as_text(value: object) -> bytes:
    # The standard library writes NaN, Infinity, lone surrogates and huge integers: just what must be withstood.
    return json.dumps(value).encode("utf-8", "surrogatepass")


_PAYLOADS = st.one_of(
    st.binary(max_size=200), _OBJECTS.map(_as_text), _JSON.map(_as_text), _TEXTS.map(lambda text: text.encode())
)
_LEVELS = st.one_of(
    st.sampled_from(_SPECIAL_LEVELS.split()),
    st.text(max_size=6),
)
_TOPICS = st.lists(_LEVELS, min_size=1, max_size=6).map("/".join)


def _check(outcome: object) -> None:
    assert isinstance(outcome, Decoded | Rejection)
    if isinstance(outcome, Rejection):
        assert 0 < len(outcome.reason) < 1_000
        return
    assert outcome.events or outcome.note
    for event in outcome.events:
        assert event.device_id
        assert event.observed_at.utcoffset() is not None
        for name, value in event.values.items():
            assert type(value) in (bool, int, float, str), name
            assert not isinstance(value, float) or math.isfinite(value)
            assert not isinstance(value, str) or len(value) <= MAX_TEXT
        assert set(event.units) <= set(event.values)
        orjson.dumps(event.as_dict())


@settings(max_examples=400, deadline=None)
@given(_TOPICS, _PAYLOADS, st.booleans())
def test_any_message_is_decoded_or_rejected(topic: str, payload: bytes, retained: bool) -> None:
    _check(EVERY.decode(Message(topic, payload, ARRIVAL, retained=retained)))


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(DECODERS), _TOPICS, _PAYLOADS)
def test_a_decoder_that_is_given_any_topic_at_all_decodes_or_rejects(
    decoder: Decoder, topic: str, payload: bytes
) -> None:
    for topic_filter in ("", "#", "a/+/#"):
        _check(decoder.decode(Message(topic, payload, ARRIVAL), DecodeContext(topic_filter)))


@settings(max_examples=200, deadline=None)
@given(_TOPICS, _PAYLOADS)
def test_decoding_again_gives_the_same_answer(topic: str, payload: bytes) -> None:
    message = Message(topic, payload, ARRIVAL)
    assert EVERY.decode(message) == EVERY.decode(replace(message)) == dispatcher().decode(message)


@given(st.integers(0, 3 * MAX_DEPTH))
def test_nesting_is_decoded_to_the_bound_and_refused_beyond(depth: int) -> None:
    payload = b'{"a":' * depth + b'{"v":1}' + b"}" * depth
    outcome = EVERY.decode(Message("devices/x/status", payload, ARRIVAL))
    assert isinstance(outcome, Decoded) == (depth < MAX_DEPTH)
