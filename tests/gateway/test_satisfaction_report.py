"""CSAT, effort and comments, counted from real answers."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from gateway import commands as c
from gateway.commands.desk import AnswerSurvey
from gateway.reports.report import Figure, Period, Report
from gateway.reports.satisfaction import comments, satisfaction
from gateway.store import schema
from tests.gateway.making import ANA, F1, T0, Gateway, gateway

WEEK = Period(T0 - timedelta(days=1), T0 + timedelta(days=6))
FAULTS = 3


def figure(report: Report, name: str) -> Figure:
    return next(one for one in report.figures if one.name == name)


def made_by(made: Gateway, make: Callable[..., Report]) -> Report:
    with made.store.read() as connection:
        return make(connection, WEEK)


def ended_cases(made: Gateway) -> list[int]:
    """Three freezers of three customers become too warm, are told of by mail, and well again."""
    for number in range(2, FAULTS + 1):
        made.submit(c.Upsert("customers", ({**ANA, "id": f"c{number}", "email": f"c{number}@example.com"},), by="test"))
        made.submit(c.Upsert("devices", ({**F1, "id": f"f{number}", "customer_id": f"c{number}"},), by="test"))
    for celsius, minutes in ((-18, 0), (-8, 5), (-7, 16), (-19, 60)):
        at = T0 + timedelta(minutes=minutes)
        for number in range(1, FAULTS + 1):
            made.publish(f"devices/f{number}/status", {"temperature": celsius, "ts": at.timestamp()}, at)
        for row in made.rows(schema.notifications, state="queued"):
            made.submit(c.HandOver(row["id"]))
    return [row["id"] for row in made.rows(schema.cases, state="resolved")]


def test_answers_are_counted_by_rule_and_channel(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        first, second, third = ended_cases(made)
        made.submit(AnswerSurvey("ana", first, satisfaction=5, effort=4))
        made.submit(AnswerSurvey("c2", second, satisfaction=1, effort=3, better="Call before you come."))
        found = made_by(made, satisfaction)
        assert (figure(found, "csat").value, figure(found, "csat").of) == (0.5, 2)
        assert figure(found, "easy").value == 0.5
        assert figure(found, "unhappy").value == 1
        assert figure(found, "rated").value == 2 / 3
        assert found.rows == (("freezer-too-warm", "e-mail", 2, 0.5, 0.5, 1),)
        # An answer that is changed is one answer still.
        made.submit(AnswerSurvey("c2", second, satisfaction=4))
        assert figure(made_by(made, satisfaction), "csat").value == 1.0
        assert third not in {row[0] for row in made_by(made, comments).rows}


def test_comments_stand_unhappiest_first(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        first, second, third = ended_cases(made)
        made.submit(AnswerSurvey("ana", first, satisfaction=5, better="Thanks!"))
        made.submit(AnswerSurvey("c2", second, satisfaction=2, helped="other", helped_other="My neighbour"))
        made.submit(AnswerSurvey("c3", third, satisfaction=3))
        said = [(row[0], row[2], row[5]) for row in made_by(made, comments).rows]
        assert said == [(second, 2, "My neighbour"), (first, 5, "Thanks!")]


def test_without_answers_there_is_a_note_and_no_figure(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        found = made_by(made, satisfaction)
        assert [(f.value, f.note) for f in found.figures if f.name in ("csat", "rated")] == [
            (None, "nobody has rated a case"),
            (None, "no case that a customer heard of has ended"),
        ]
        assert made_by(made, comments).rows == ()
