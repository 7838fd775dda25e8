"""Deflection and first contact, counted from real cases."""

from datetime import timedelta
from pathlib import Path

import pytest

from gateway import commands as c
from gateway.reports.report import Figure, Period, Report
from gateway.reports.self_help import self_help
from gateway.store import schema
from tests.gateway.making import T0, Gateway, gateway

WEEK = Period(T0 - timedelta(days=1), T0 + timedelta(days=6))


def figure(report: Report, name: str) -> Figure:
    return next(one for one in report.figures if one.name == name)


def report(made: Gateway) -> Report:
    with made.store.read() as connection:
        return self_help(connection, WEEK)


def warm(made: Gateway) -> int:
    for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
        made.temperature(celsius, minutes)
    row = made.rows(schema.notifications)[-1]
    made.submit(c.HandOver(row["id"]))
    made.submit(c.Sent(row["id"], "smtp", "<sent@acme.example>"))
    return int(made.rows(schema.cases)[-1]["id"])


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'g.sqlite'}"


def test_a_case_that_a_step_solved_alone_is_deflected(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path) as made:
        made.submit(c.StepTried(warm(made), "ana", 0))
        made.temperature(-19, 60)
        found = report(made)

    assert (figure(found, "deflection").value, figure(found, "deflection").of) == (1.0, 1)
    assert found.rows == (("freezer-too-warm", 1, 1, 1.0),)


def test_one_that_an_agent_answered_is_not(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path) as made:
        case_id = warm(made)
        made.submit(c.StepTried(case_id, "ana", 0))
        made.submit(c.Reply(case_id, "Please try the other door", "mia"))
        made.submit(c.HandOver(made.rows(schema.notifications)[-1]["id"]))
        made.temperature(-19, 60)
        assert figure(report(made), "deflection").value == 0.0


def test_first_contact_asks_for_one_answer_and_quiet_after_it(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path) as made:
        case_id = warm(made)
        made.submit(c.MailArrived("<1@x>", "ana@example.com", True, "A luz pisca", "A luz pisca", ()))
        assert figure(report(made), "first_contact").of == 0
        made.temperature(-19, 60)
        assert figure(report(made), "first_contact").value == 1.0
        made.now = T0 + timedelta(days=2)
        made.submit(c.MailArrived("<2@x>", "ana@example.com", True, "Piscou de novo", "Piscou de novo", ()))
        assert figure(report(made), "first_contact").value == 0.0
        assert case_id == 1


def test_without_a_case_there_is_a_note_and_no_figure(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path) as made:
        found = report(made)

    assert figure(found, "deflection").value is None
    assert figure(found, "deflection").note == "no step was tried"
