from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose, Severity
from notifiers.caps import Bound, Room, room
from notifiers.choice import choose
from notifiers.public_holidays import public_holiday
from tests.notifiers.making import ANA, JÖRG, NOW

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TWO_A_DAY = Bound(2, DAY, Purpose.FAULT)


def ask(
    sent: Sequence[tuple[datetime, Purpose]],
    *bounds: Bound,
    purpose: Purpose = Purpose.FAULT,
    severity: Severity = Severity.MAJOR,
) -> Room:
    return room(bounds, sent, ANA, purpose, severity, NOW)


def faults(*hours_ago: float) -> list[tuple[datetime, Purpose]]:
    return [(NOW - hours * HOUR, Purpose.FAULT) for hours in hours_ago]


def test_below_the_cap_nothing_waits() -> None:
    assert ask(faults(1), TWO_A_DAY) == Room(None)
    assert ask(faults(1, 24), TWO_A_DAY) == Room(None)


def test_at_the_cap_a_message_waits_until_the_oldest_is_out_of_sight() -> None:
    found = ask(faults(1, 5), TWO_A_DAY)

    assert found.not_before == NOW + 19 * HOUR
    assert [reason.code for reason in found.reasons] == ["cap.hold"]
    assert found.reasons[0].sentence("Ana") == (
        "Ana had 2 messages about faults within 1 d, the most is 2; there is room at 2025-03-04 09:32."
    )


def test_other_purposes_have_room_of_their_own_but_share_the_total() -> None:
    assert ask(faults(1, 2), TWO_A_DAY, purpose=Purpose.MAINTENANCE) == Room(None)
    assert ask(faults(1, 2), Bound(2, DAY), purpose=Purpose.MAINTENANCE).not_before == NOW + 22 * HOUR


def test_the_longest_wait_counts() -> None:
    assert ask(faults(1, 2), TWO_A_DAY, Bound(1, 7 * DAY)).not_before == NOW + 7 * DAY - HOUR


def test_safety_is_never_capped_and_what_is_critical_says_that_it_breaks_one() -> None:
    assert ask(faults(1, 2), Bound(0, DAY), purpose=Purpose.SAFETY) == Room(None)
    critical = ask(faults(1, 2), TWO_A_DAY, severity=Severity.CRITICAL)
    assert critical.not_before is None
    assert [reason.code for reason in critical.reasons] == ["cap.broken"]


def test_an_offer_never_breaks_a_cap() -> None:
    sent = [(NOW - HOUR, Purpose.OFFER)]
    found = ask(sent, Bound(1, DAY, Purpose.OFFER), purpose=Purpose.OFFER, severity=Severity.CRITICAL)
    assert found.not_before == NOW + 23 * HOUR


@given(
    ago=st.lists(st.floats(0, 100), max_size=12),
    at_most=st.integers(1, 5),
    within_h=st.integers(1, 80),
)
def test_when_there_is_room_again_there_truly_is(ago: list[float], at_most: int, within_h: int) -> None:
    bound = Bound(at_most, within_h * HOUR, Purpose.FAULT)
    found = ask(faults(*ago), bound)
    at = found.not_before or NOW
    assert sum(at - bound.within < then <= at for then, _ in faults(*ago)) < at_most
    if found.not_before is not None:
        assert found.not_before > NOW


def test_public_holidays_are_the_countrys() -> None:
    assert public_holiday("DE", date(2026, 10, 3)) is not None
    assert public_holiday("GB", date(2026, 10, 3)) is None
    assert public_holiday("US", date(2026, 7, 4)) is not None
    assert public_holiday(None, date(2026, 1, 1)) is None
    assert public_holiday("ZZ", date(2026, 1, 1)) is None


CHRISTMAS = datetime(2026, 12, 25, 10, 0, tzinfo=UTC)


def test_a_service_waits_until_the_holidays_and_the_night_after_them_are_over() -> None:
    jörg = JÖRG.model_copy(update={"quiet_hours": "21:00-08:00"})

    choice = choose(jörg, Purpose.MAINTENANCE, Severity.INFO, ["email"], CHRISTMAS, quiet_holidays=True)

    # 25 and 26 December are holidays in Germany, the 27th begins with quiet hours; he lives an hour ahead of UTC.
    assert choice.not_before == datetime(2026, 12, 27, 7, 0, tzinfo=UTC)
    assert choice.why[-1].code == "quiet_hours.holiday"
    assert "2026-12-27 08:00" in choice.why[-1].sentence("Jörg")


def test_a_critical_fault_does_not_wait_for_the_holidays() -> None:
    choice = choose(JÖRG, Purpose.FAULT, Severity.CRITICAL, ["email"], CHRISTMAS, quiet_holidays=True)
    assert choice.not_before is None


def test_without_the_setting_a_holiday_is_a_day_like_others() -> None:
    assert choose(JÖRG, Purpose.FAULT, Severity.MAJOR, ["email"], CHRISTMAS).not_before is None
