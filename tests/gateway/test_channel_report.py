"""The report of channels: what was sent by each, what came of it, and what learning gains."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.reports.catalogue import make_one
from gateway.reports.channels import channels
from gateway.reports.report import Figure, Period, Report
from gateway.store.outcomes import channel_reports, outcomes
from gateway.store.store import Store
from tests.gateway.making import T0

PERIOD = Period(T0 - timedelta(days=1), T0 + timedelta(days=1))


@pytest.fixture
def store(store_url: str, tmp_path: Path) -> Iterator[Store]:
    opened = Store(store_url)
    try:
        yield opened
    finally:
        opened.close()


def sent(number: int, channel: str = "sms", answered_after_h: float | None = None, **more: Any) -> dict[str, Any]:
    answered_at = None if answered_after_h is None else T0 + timedelta(hours=answered_after_h)
    return {
        "notification_id": number,
        "channel": channel,
        "customer_id": f"c{number}",
        "case_id": number,
        "purpose": "fault",
        "country": "DE",
        "segment": "freezer|DE|de",
        "decided_by": "channel.learned",
        "holdout": False,
        "asks": True,
        "sent_at": T0,
        "delivered_at": None,
        "read_at": None,
        "answered_at": answered_at,
        "fixed_at": None,
        "failed_at": None,
        "settles_at": T0,
        "settled": True,
        **more,
    }


def report(store: Store, rows: list[dict[str, Any]]) -> Report:
    with store.write() as connection:
        connection.execute(sa.insert(outcomes), rows)
        connection.execute(sa.insert(channel_reports).values(channel="sms", stage="delivered", last_at=T0))
    with store.read() as connection:
        return channels(connection, PERIOD)


def gain(made: Report) -> Figure:
    return next(figure for figure in made.figures if figure.name == "gain")


def test_each_channel_and_country_has_its_line_and_silence_is_no_zero(store: Store) -> None:
    made = report(
        store,
        [
            sent(1, answered_after_h=1, delivered_at=T0),
            sent(2, answered_after_h=3, fixed_at=T0),
            sent(3),
            sent(4, failed_at=T0),
            sent(5, "email", country="FR", asks=False),
            sent(6, sent_at=T0 - timedelta(days=5)),
        ],
    )

    # SMS reports delivery and never reading; mail reports nothing, and its one message asked for nothing.
    assert made.rows == (
        ("SMS", "DE", 3, 1, 1 / 3, None, 0.5, 0.25, 7200.0),
        ("e-mail", "FR", 1, 0, None, None, None, None, None),
    )


def test_the_gain_needs_enough_of_both_groups(store: Store) -> None:
    made = report(store, [sent(n) for n in range(30)] + [sent(100 + n, holdout=True) for n in range(5)])

    assert gain(made).value is None
    assert gain(made).note == "needs 20 messages in each group; 30 were learned and 5 left out"


def test_the_gain_is_over_those_left_out_and_own_choices_count_in_neither(store: Store) -> None:
    learned = [sent(n, answered_after_h=1 if n % 2 else None) for n in range(40)]
    left_out = [sent(100 + n, answered_after_h=1 if n % 4 == 0 else None, holdout=True) for n in range(40)]
    own = [sent(200 + n, answered_after_h=1, decided_by="channel.preferred") for n in range(50)]
    found = gain(report(store, learned + left_out + own))

    assert found.value == pytest.approx(0.25)
    assert found.note.endswith("20 of 40 answered, of those left out 10 of 40")


def test_nothing_sent_is_said_as_nothing(store: Store) -> None:
    with store.read() as connection:
        made = make_one(connection, PERIOD, "channels")

    assert made.rows == ()
    assert made.figures[0].value is None
