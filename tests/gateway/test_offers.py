"""Offers from a visit to the till: made, opened, redeemed once, measured against those left out, and forgotten."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from device_models.purpose import Purpose
from gateway import commands as c
from gateway.commands.offers import ForgetVisits, OfferOpened, RedeemOffers, Redemption
from gateway.offers.forgetting import count_to_forget
from gateway.offers.till_file import read_till_file
from gateway.reports.interval import difference, wilson
from gateway.reports.offers import offers
from gateway.reports.report import Period
from gateway.store import schema
from gateway.store.redemptions import redemptions
from tests.gateway.making import T0, Gateway, gateway

RULES = "rules:\n  - {id: near-shop, kind: proximity}\n"
SHOP = {"id": "mitte", "name": "Mitte", "latitude": 52.5, "longitude": 13.4, "radius_m": 150}
OFFER = {
    "id": "seal",
    "title": "Door seal",
    "text": "Half price.",
    "occasion": "accessory",
    "codes": ["A1", "B2"],
    "valid_until": "2026-04-01T00:00:00Z",
}
M = 1 / 111_320
"""Degrees of latitude in a metre."""
NOTIFIERS = {"mode": "auto", "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}}


def walk_in(made: Gateway, name: str = "ana", consents: str = "offer", offer: dict[str, Any] = OFFER) -> None:
    """A customer comes near the shop on foot and stays."""
    person = {"id": name, "name": name.title(), "email": f"{name}@example.com", "consents": consents}
    made.submit(c.Upsert("customers", (person,), by="test"))
    made.submit(c.Upsert("devices", ({"id": f"bike-{name}", "customer_id": name},), by="test"))
    made.submit(c.Upsert("shops", (SHOP,), by="test"))
    made.submit(c.Upsert("offers", (offer,), by="test"))
    start = made.now
    for seconds, metres in ((0, 300), (180, 100), (260, 60), (330, 40)):
        at = start + timedelta(seconds=seconds)
        fix = {"lat": 52.5 + metres * M, "lon": 13.4, "acc": 10, "ts": at.timestamp()}
        made.publish(f"devices/bike-{name}/location", fix, at)


def redeem(made: Gateway, *rows: Redemption) -> list[str]:
    answers = made.submit(RedeemOffers(rows, by="till"))
    return [str(json.loads(json.dumps(answer))["result"]) for answer in answers]


@pytest.fixture
def made(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    with gateway(store_url, tmp_path, RULES, notifiers=NOTIFIERS, offers={"holdout": 0.0}) as gateway_:
        yield gateway_


def test_a_code_is_redeemed_once(made: Gateway) -> None:
    walk_in(made)
    [decision] = made.rows(schema.offer_decisions)
    assert (decision["offer_id"], decision["code"]) == ("seal", "A1")

    assert redeem(made, Redemption(code="A1", amount=19.9)) == ["redeemed"]
    assert redeem(made, Redemption(code="A1")) == ["already"]
    [row] = made.rows(redemptions)
    assert (row["customer_id"], row["decision_id"], row["amount"]) == ("ana", decision["id"], 19.9)


def test_what_cannot_be_redeemed_says_why_and_keeps_nothing_else_from_it(made: Gateway) -> None:
    walk_in(made)
    late = T0 + timedelta(days=60)

    found = redeem(
        made,
        Redemption(code="ZZ"),
        Redemption(code="B2"),
        Redemption(code="A1", at=late),
        Redemption(customer_id="ana"),
        Redemption(customer_id="ana", offer_id="none", receipt="1"),
        Redemption(customer_id="nobody", offer_id="seal", receipt="1"),
        Redemption(code="A1"),
    )

    assert found == [
        "unknown_code",
        "not_given",
        "expired",
        "incomplete",
        "unknown_offer",
        "unknown_customer",
        "redeemed",
    ]


def test_a_purchase_without_a_code_counts_once_by_its_receipt(made: Gateway) -> None:
    walk_in(made)
    row = Redemption(customer_id="ana", offer_id="seal", receipt="77")

    assert redeem(made, row) == ["redeemed"]
    assert redeem(made, row, Redemption(customer_id="ana", offer_id="seal", receipt="78")) == ["already", "redeemed"]


def test_who_is_left_out_is_counted_and_told_nothing(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, RULES, notifiers=NOTIFIERS, offers={"holdout": 0.5}) as made:
        for number in range(12):
            walk_in(made, f"p{number}", offer=OFFER | {"codes": []})
        rows = made.rows(schema.offer_decisions)
        left_out = [row["customer_id"] for row in rows if row["reason"] == "holdout"]
        offered = [row["customer_id"] for row in rows if row["reason"] is None]
        assert left_out
        assert offered
        assert {row["offer_id"] for row in rows} == {"seal"}
        assert {row["customer_id"] for row in made.rows(schema.notifications)} == set(offered)


def test_opening_the_page_is_noted_once(made: Gateway) -> None:
    walk_in(made)
    made.submit(OfferOpened("ana"))
    first = made.rows(schema.offer_decisions)[0]["opened_at"]
    made.now += timedelta(hours=1)
    made.submit(OfferOpened("ana"))
    made.submit(OfferOpened("nobody"))

    assert first is not None
    assert made.rows(schema.offer_decisions)[0]["opened_at"] == first


def test_the_report_counts_from_the_visit_to_the_till(made: Gateway) -> None:
    walk_in(made)
    made.submit(c.HandOver(made.rows(schema.notifications)[0]["id"]))
    made.submit(OfferOpened("ana"))
    redeem(made, Redemption(code="A1", amount=19.9))

    with made.store.read() as connection:
        report = offers(connection, Period(T0 - timedelta(days=1), made.now + timedelta(minutes=1)))
    assert report.rows == (("Door seal", 1, 1, 1, 1, 1.0, 19.9),)
    gain = report.figures[-1]
    assert gain.value is None
    assert gain.note == "needs 20 customers in each group; 1 were sent an offer and 0 left out"


def decisions(made: Gateway) -> list[tuple[str, str | None, str | None]]:
    """(customer, code, reason)."""
    return [(row["customer_id"], row["code"], row["reason"]) for row in made.rows(schema.offer_decisions)]


@pytest.mark.parametrize("end", ["discarded", "expired"])
def test_an_offer_that_nobody_was_sent_gives_code_and_budget_back(store_url: str, tmp_path: Path, end: str) -> None:
    notifiers = NOTIFIERS | {"mode": "approve"}
    with gateway(store_url, tmp_path, RULES, notifiers=notifiers, offers={"holdout": 0.0}) as made:
        one = OFFER | {"codes": ["A1"], "budget": 1}
        walk_in(made, "ana", offer=one)
        walk_in(made, "bo", offer=one)
        assert decisions(made) == [("ana", "A1", None), ("bo", None, "budget")]
        first = made.rows(schema.notifications)[0]["id"]
        if end == "discarded":
            made.submit(c.Discard(first, by="Mia"))
        else:
            made.now += timedelta(hours=1)
            made.submit(c.Approve(first, by="Mia"))
            made.submit(c.HandOver(first))
        assert made.rows(schema.notifications)[0]["state"] == end
        assert redeem(made, Redemption(code="A1")) == ["not_given"]
        walk_in(made, "cid", offer=one)
        assert decisions(made)[-1] == ("cid", "A1", None)
        made.submit(c.Approve(made.rows(schema.notifications)[-1]["id"], by="Mia"))
        made.submit(c.HandOver(made.rows(schema.notifications)[-1]["id"]))
        walk_in(made, "dee", offer=one)
        assert decisions(made)[-1] == ("dee", None, "budget"), "what was sent is spent"
        assert redeem(made, Redemption(code="A1")) == ["redeemed"]
        assert made.rows(redemptions)[0]["customer_id"] == "cid"
        with made.store.read() as connection:
            gain = offers(connection, Period(T0 - timedelta(days=1), made.now + timedelta(minutes=1))).figures[-1]
        assert "1 were sent an offer" in (gain.note or "")


def test_an_offer_is_not_resent_to_whoever_has_left(made: Gateway) -> None:
    walk_in(made)
    made.now += timedelta(hours=1)
    number = made.rows(schema.notifications)[0]["id"]
    made.submit(c.HandOver(number))
    with pytest.raises(c.CommandRefused, match="have left"):
        made.submit(c.Resend(number, "Mia"))


def test_an_offer_without_an_occasion_needs_consent_to_news(made: Gateway) -> None:
    general = {name: value for name, value in OFFER.items() if name != "occasion"}
    walk_in(made, "ana", "offer", general)
    walk_in(made, "bo", "offer news", general)

    reasons = {row["customer_id"]: row["reason"] for row in made.rows(schema.offer_decisions)}
    assert reasons == {"ana": "no_offer", "bo": None}


def test_where_somebody_was_is_forgotten_on_schedule(made: Gateway) -> None:
    walk_in(made, "ana")
    walk_in(made, "bo", "offer", OFFER | {"occasion": "after_fault"})
    assert len(made.rows(schema.offer_decisions)) == 2
    first = made.rows(schema.notifications)[0]["id"]
    made.submit(c.HandOver(first))
    made.submit(c.Sent(first, "smtp", "<1@x>"))
    copy = {**made.rows(schema.notifications)[0]}
    copy |= {"id": first + 1, "key": copy["key"] + "+2", "facts": {**copy["facts"], "first_key": copy["key"]}}
    with made.store.write() as connection:
        connection.execute(schema.notifications.insert().values(**copy))
    made.submit(ForgetVisits())
    assert len(made.rows(schema.offer_decisions)) == 2
    made.now += timedelta(days=91)

    assert made.submit(ForgetVisits()) == 2
    [row] = made.rows(schema.offer_decisions)
    assert (row["customer_id"], row["offer_id"], row["shop_id"], row["device_id"]) == ("ana", "seal", "", "")
    assert row["explanation"] == {"forgotten": True}
    messages = made.rows(schema.notifications)
    assert [message["device_id"] for message in messages] == ["", ""]
    assert all(message["handed_over_at"] for message in messages)
    for word in ("mitte", "bike", "distance", "seal"):
        assert word not in repr([dict(message) for message in messages]).casefold()
    with made.store.read() as connection:
        assert count_to_forget(connection, made.now) == 0


def test_no_coordinate_is_kept_of_a_visit(made: Gateway) -> None:
    walk_in(made)

    for row in made.rows(schema.offer_decisions):
        assert not {"lat", "lon", "latitude", "longitude"} & set(row["explanation"])


def test_without_consent_nothing_of_a_place_is_kept_in_the_devices_state(made: Gateway) -> None:
    walk_in(made)
    with_consent = made.rows(schema.device_states, device_id="bike-ana")[0]["state"]
    made.submit(c.SetConsent("ana", (Purpose.OFFER,), False, "page"))
    at = made.now + timedelta(minutes=1)
    made.publish("devices/bike-ana/location", {"lat": 52.5, "lon": 13.4, "acc": 10, "ts": at.timestamp()}, at)

    without = made.rows(schema.device_states, device_id="bike-ana")[0]["state"]
    assert b"52.5" in with_consent
    assert b"52.5" not in without


def test_a_till_file_is_read_with_each_mistake_in_its_place(tmp_path: Path) -> None:
    good = tmp_path / "till.csv"
    good.write_text("code;amount;at\nA1;19.90;2026-03-02T10:00:00Z\nB2;;\n")
    rows, errors = read_till_file(good)
    assert errors == []
    assert [(line, row.code, row.amount) for line, row in rows] == [(2, "A1", 19.9), (3, "B2", None)]

    bad = tmp_path / "bad.csv"
    bad.write_text("code,customer_id,amount\n,ana,5\nA1,,x\nA1\n")
    _, errors = read_till_file(bad)
    assert [str(error).rpartition("/")[2] for error in errors] == [
        "bad.csv:2:1: needs a code, or customer_id, offer_id and receipt",
        "bad.csv:3:5: amount: Input should be a valid number, unable to parse string as a number",
        "bad.csv:4:1: has 1 cells where the header has 3",
    ]
    bad.write_text("kode\nA1\n")
    assert "is no column" in str(read_till_file(bad)[1][0])


def test_intervals_hold_the_share_and_widen_with_few() -> None:
    # Newcombe 1998, table II: 56/70 - 48/80 by method 10 is 0.0524 to 0.3339.
    assert difference(56, 70, 48, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert difference(0, 0, 0, 0) == pytest.approx((-0.7071, 0.7071), abs=1e-4)
    low, high = wilson(1, 2)
    assert low < 0.5 < high
    assert high - low > 0.7
