"""The report of channels: what was sent by each, what came of it, and what learning gains."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from gateway.reports.catalogue import make_one
from gateway.reports.channels import channels
from gateway.reports.report import Figure, Period, Report
from gateway.settings.prices import Prices
from gateway.store.outcomes import FREE, channel_reports, outcomes
from gateway.store.store import Store
from tests.gateway.making import T0

NO_PRICES = Prices()
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
        "taken": True,
        "segments": None,
        "billed_as": None,
        **more,
    }


def report(store: Store, rows: list[dict[str, Any]], prices: Prices = NO_PRICES) -> Report:
    with store.write() as connection:
        connection.execute(sa.insert(outcomes), rows)
        connection.execute(sa.insert(channel_reports).values(channel="sms", stage="delivered", last_at=T0))
    with store.read() as connection:
        return channels(connection, PERIOD, prices)


def figure(made: Report, name: str) -> Figure:
    return next(one for one in made.figures if one.name == name)


def gain(made: Report) -> Figure:
    return figure(made, "gain")


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
    assert [row[:9] for row in made.rows] == [
        ("SMS", "DE", 3, 1, 1 / 3, None, 0.5, 0.25, 7200.0),
        ("e-mail", "FR", 1, 0, None, None, None, None, None),
    ]


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
        made = make_one(connection, PERIOD, NO_PRICES, "channels")

    assert made.rows == ()
    assert made.figures[0].value is None


PRICES = Prices.model_validate(
    {
        "currency": "EUR",
        "rates": [
            {"channel": "sms", "price": "0.10"},
            {"channel": "sms", "country": "DE", "price": "0.07"},
            {"channel": "sms", "country": "DE", "price": "0.08", "since": T0.date()},
            {"channel": "whatsapp", "price": "0.05"},
            {"channel": "whatsapp", "category": "utility", "price": "0.03"},
            {"channel": "inbox", "price": 0},
        ],
    }
)


def costs(made: Report) -> dict[tuple[str, str], tuple[Any, ...]]:
    money = ("segments", "cost", "cost_before", "cost_per_answer", "unpriced")
    at = [[column.name for column in made.columns].index(name) for name in money]
    return {(str(row[0]), str(row[1])): tuple(row[i] for i in at) for row in made.rows}


def test_what_was_sent_costs_what_its_country_segments_and_day_say(store: Store) -> None:
    rows = [
        sent(1, segments=2, answered_after_h=1),
        sent(2, segments=1, sent_at=T0 - timedelta(hours=13)),
        sent(3, segments=3, failed_at=T0),
        sent(4, taken=False, failed_at=T0),
        sent(5, segments=2, country="FR"),
        sent(6, segments=9, sent_at=T0 - timedelta(days=1, hours=1)),
        sent(7, "inbox", answered_after_h=1),
    ]
    made = report(store, rows, PRICES)

    # From the day of T0 on a segment costs 0.08 in Germany. An undelivered SMS was paid for; one never taken was not.
    assert costs(made) == {
        ("SMS", "DE"): (6, pytest.approx(5 * 0.08 + 0.07), pytest.approx(9 * 0.07), pytest.approx(0.47), 0),
        ("SMS", "FR"): (2, 0.2, None, None, 0),
        ("the inbox on their page", "DE"): (None, 0.0, None, 0.0, 0),
    }
    assert figure(made, "cost").value == pytest.approx(0.67)
    assert figure(made, "cost").before == pytest.approx(0.63)
    assert figure(made, "cost_per_answer").value == pytest.approx(0.335)


def test_whatsapp_costs_what_the_provider_bills_it_as_and_nothing_undelivered(store: Store) -> None:
    rows = [
        sent(1, "whatsapp", billed_as="utility", answered_after_h=1),
        sent(2, "whatsapp", billed_as="marketing"),
        sent(3, "whatsapp", billed_as=FREE),
        sent(4, "whatsapp", failed_at=T0),
        sent(5, "whatsapp"),
    ]

    assert costs(report(store, rows, PRICES)) == {("WhatsApp", "DE"): (None, 0.13, None, 0.13, 0)}


def test_a_price_that_nobody_configured_is_unknown_and_not_zero(store: Store) -> None:
    made = report(store, [sent(1, segments=1, answered_after_h=1), sent(2, "whatsapp", billed_as=FREE)])

    assert costs(made)["SMS", "DE"] == (1, None, None, None, 1)
    assert costs(made)["WhatsApp", "DE"] == (None, None, None, None, 1)
    assert (figure(made, "cost").value, figure(made, "unpriced").value) == (None, 2)
    assert figure(made, "cost").note == "no price is known; [notifiers.prices] takes them"


def test_where_one_message_has_no_price_no_cost_of_an_answer_is_made_up(store: Store) -> None:
    made = report(store, [sent(1, "line", answered_after_h=1), sent(2, segments=1, answered_after_h=1)], PRICES)

    assert (figure(made, "cost").value, figure(made, "unpriced").value) == (0.08, 1)
    assert figure(made, "cost_per_answer").value is None
    assert figure(made, "cost_per_answer").note == "needs the price of every message"


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"rates": [{"channel": "sms", "price": 0.1}]}, "rates need a currency"),
        ({"currency": "euro"}, "currency"),
        ({"currency": "EUR", "rates": [{"channel": "fax", "price": 1}]}, "'fax' is no channel"),
        ({"currency": "EUR", "rates": [{"channel": "sms", "price": -1}]}, "greater than or equal to 0"),
        ({"currency": "EUR", "rates": [{"channel": "sms", "price": float("nan")}]}, "finite"),
        ({"currency": "EUR", "rates": [{"channel": "sms", "price": 1, "country": "Germany"}]}, "country"),
        ({"currency": "EUR", "rates": [{"channel": "sms", "price": 1, "category": "utility"}]}, "WhatsApp alone"),
        ({"currency": "EUR", "rates": [{"channel": "sms", "price": 1}, {"channel": "sms", "price": 2}]}, "two rates"),
    ],
)
def test_prices_that_cannot_be_meant_are_refused(prices: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Prices.model_validate(prices)
