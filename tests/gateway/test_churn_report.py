"""Churn, simple and adjusted, and customers at risk, counted from real records."""

from datetime import timedelta
from pathlib import Path

from gateway.commands import Upsert
from gateway.commands.cases import OpenCase
from gateway.commands.desk import AnswerSurvey
from gateway.commands.people import TransferDevice
from gateway.reports.churn import churn
from gateway.reports.report import Figure, Period, Report
from tests.gateway.making import ANA, F1, T0, Gateway, gateway

MONTH = Period(T0 + timedelta(days=1), T0 + timedelta(days=31))


def figure(report: Report, name: str) -> Figure:
    return next(one for one in report.figures if one.name == name)


def report(made: Gateway, period: Period = MONTH) -> Report:
    with made.store.read() as connection:
        return churn(connection, period)


def customers(made: Gateway, *names: str, day: float = 0, **more: object) -> None:
    made.now = T0 + timedelta(days=day)
    for name in names:
        record = {**ANA, "id": name, "name": name.title(), "email": f"{name}@example.com", **more}
        made.submit(Upsert("customers", (record,), by="test"))
        made.submit(Upsert("devices", ({**F1, "id": f"{name}-1", "customer_id": name},), by="test"))


def test_who_left_is_counted_against_those_who_were_there(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, records=False) as made:
        customers(made, "ben", "eva", "ida")
        customers(made, "lea", left_at=(T0 + timedelta(days=10)).isoformat())
        # Came and went within the month: none of those it began with.
        customers(made, "tom", day=5, left_at=(T0 + timedelta(days=20)).isoformat())
        customers(made, "zoe", day=6)
        found = report(made)
        assert (figure(found, "churn").value, figure(found, "churn").of) == (0.25, 4)
        assert figure(found, "churn_adjusted").value == 2 / 4
        assert (figure(found, "left").value, figure(found, "left_guessed").value) == (2, 0)
        later = report(made, Period(MONTH.until, MONTH.until + timedelta(days=30)))
        assert (figure(later, "churn").value, figure(later, "churn").before) == (0.0, 0.25)


def test_whose_last_device_has_another_owner_has_left_by_guess(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, records=False) as made:
        customers(made, "ben", "eva")
        made.now = T0 + timedelta(days=3)
        made.submit(TransferDevice("ben-1", "eva", by="test"))
        found = report(made)
        assert (figure(found, "churn").value, figure(found, "left_guessed").value) == (0.5, 1)


def test_customers_at_risk_stand_with_their_reasons(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, records=False) as made:
        customers(made, "ben", "eva", "ida", "lea")
        customers(made, "eva", objections=["fault"], day=1)
        for _ in range(3):
            made.submit(OpenCase("Ice", device_id="ben-1", by="mia"))
        made.submit(AnswerSurvey("ida", made.submit(OpenCase("Noise", device_id="ida-1", by="mia")), satisfaction=2))
        soon = {str(row[0]): row[4:] for row in report(made, Period(T0, T0 + timedelta(days=5))).rows}
        assert soon == {
            "ben": (None, 3, None, None),
            "eva": (None, None, None, "fault"),
            "ida": (None, None, 2, None),
        }
        first, *_ = report(made, Period(T0, T0 + timedelta(days=30))).rows
        assert (first[0], first[4:]) == ("ben", (29, 3, None, None))


def test_without_customers_there_is_a_note_and_no_figure(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path, records=False) as made:
        found = report(made)
        assert [(f.value, bool(f.note)) for f in found.figures[:2]] == [(None, True), (None, True)]
        assert found.rows == ()
