from importlib.metadata import EntryPoint

import pytest

from device_models.decoders import native
from device_models.decoders.protocol import Decoded
from device_models.event import Message, Rejection
from gateway.config import DecoderSection
from gateway.decoders import GROUP, DecoderError, build_dispatcher, installed, load
from tests.device_models.decoders.reading import message


def _decoder_of(topic: str, **sections: DecoderSection) -> str | None:
    decoder = build_dispatcher(sections).decoder_of(topic)
    return decoder.name if decoder else None


def test_the_products_decoders_are_found_by_their_entry_points() -> None:
    assert {"native", "owntracks", "tasmota", "zigbee2mqtt"} <= set(installed())


def test_without_configuration_every_decoder_claims_its_usual_topics() -> None:
    assert _decoder_of("devices/x/status") == "native"
    assert _decoder_of("owntracks/mia/pixel") == "owntracks"
    assert _decoder_of("tele/plug/STATE") == "tasmota"
    assert _decoder_of("zigbee2mqtt/lamp") == "zigbee2mqtt"
    assert _decoder_of("other/x") is None


def test_configured_topics_replace_the_usual_ones_and_an_empty_list_switches_off() -> None:
    fleet = DecoderSection(topics=("fleet/+/+",))
    assert _decoder_of("fleet/mia/pixel", owntracks=fleet) == "owntracks"
    assert _decoder_of("owntracks/mia/pixel", owntracks=fleet) is None
    assert _decoder_of("tele/plug/STATE", tasmota=DecoderSection(topics=())) is None


def test_a_configured_decoder_comes_before_one_that_claims_the_same_filter_by_default() -> None:
    assert _decoder_of("tele/plug/STATE", native=DecoderSection(topics=("tele/#",))) == "native"


def test_the_configured_zone_reaches_the_decoder() -> None:
    dispatcher = build_dispatcher({"tasmota": DecoderSection(timezone="Europe/Berlin")})
    outcome = dispatcher.decode(message("tele/x/STATE", {"Time": "2026-02-01T12:00:00"}))
    assert isinstance(outcome, Decoded)
    assert outcome.events[0].observed_at.hour == 11


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ({"homie": DecoderSection()}, r"\[decoders.homie\]: no such decoder is installed; there are native, "),
        ({"tasmota": DecoderSection(timezone="Mars/Olympus")}, r"\[decoders.tasmota\]: timezone: 'Mars/Olympus'"),
        ({"native": DecoderSection(topics=("a/#/b",))}, r"\[decoders\]: 'a/#/b': # must be the whole last level"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_section(sections: dict[str, DecoderSection], reason: str) -> None:
    with pytest.raises(DecoderError, match=reason):
        build_dispatcher(sections)


class _Buttons:
    name = "buttons"
    default_topics = ("buttons/#",)

    def decode(self, message: Message, context: object) -> Decoded | Rejection:
        return Decoded(note="pressed")


buttons = _Buttons()


def test_another_packages_decoder_takes_part_by_its_entry_point() -> None:
    decoders = load([EntryPoint("buttons", f"{__name__}:buttons", GROUP)])
    outcome = build_dispatcher({}, decoders).decode(message("buttons/1", b"x"))
    assert outcome == Decoded(note="pressed")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_package.decoder:decoder", "cannot be loaded"),
        ("device_models.decoders.native:nothing", "cannot be loaded"),
        ("device_models.decoders.native:decoder", "is no decoder named buttons"),
        ("device_models.event:rfc3339", "is no decoder named buttons"),
    ],
)
def test_an_entry_point_that_offers_no_decoder_is_refused_by_name(value: str, reason: str) -> None:
    with pytest.raises(DecoderError, match=reason):
        load([EntryPoint("buttons", value, GROUP)])


def test_the_native_decoder_keeps_the_name_of_its_entry_point() -> None:
    assert load([EntryPoint("native", "device_models.decoders.native:decoder", GROUP)]) == {"native": native.decoder}
