"""How was our help? Asked by message once a fault is over, and answered with a number where it was asked."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from device_models.purpose import Purpose
from gateway import commands as c
from gateway.commands.desk import AnswerSurvey
from gateway.outbox.survey import due_surveys
from gateway.reports.report import Period
from gateway.reports.satisfaction import load, satisfaction
from gateway.settings.contact import Survey
from gateway.store import schema
from gateway.store.desk import survey_answers, tasks
from tests.gateway.making import ANA, T0, Gateway, gateway

SMS = {"phone": "+5511912345678", "preferred_channel": "sms"}
NOTIFIERS: dict[str, Any] = {
    "mode": "auto",
    "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"},
    "twilio": {"account": "AC1", "token": "t", "sender": "+15005550006"},
    "survey": {"enabled": True},
}


def opened(url: str, folder: Path, **notifiers: Any) -> AbstractContextManager[Gateway]:
    return gateway(url, folder, notifiers=NOTIFIERS | notifiers)


@pytest.fixture
def over(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """Ana was told by SMS that her freezer is too warm, and that it is cold again."""
    with opened(store_url, tmp_path) as made:
        made.submit(c.Upsert("customers", (ANA | SMS,), by="test"))
        break_and_mend(made, 0)
        yield made


def break_and_mend(made: Gateway, minutes: float) -> None:
    for celsius, later in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
        made.temperature(celsius, minutes + later)
    hand_over(made)
    made.temperature(-19, minutes + 20)
    hand_over(made)


def hand_over(made: Gateway) -> Any:
    """Send what is queued last; return what a provider would get."""
    row = [row for row in made.rows(schema.notifications) if row["state"] == "queued"][-1]
    outgoing = made.submit(c.HandOver(row["id"]))
    if outgoing is not None:
        made.submit(c.Sent(row["id"], "twilio", f"SM-{row['id']}"))
    return outgoing


def look(made: Gateway, minutes: float) -> int:
    made.now = T0 + timedelta(minutes=minutes)
    return int(made.submit(c.SendSurveys()))


def asked(made: Gateway) -> list[sa.RowMapping]:
    return made.rows(schema.notifications, template="survey")


def say(made: Gateway, text: str, number: int = 1, **more: Any) -> None:
    fields = {"channel": "sms", "address": SMS["phone"], **more}
    made.submit(c.CustomerWrote("twilio", f"in-{number}", text=text, **fields))


def case(made: Gateway) -> Any:
    return made.rows(schema.cases)[-1]


def thanks(made: Gateway) -> list[str]:
    return [row["facts"]["answer"] for row in made.rows(schema.notifications, template="answer_noted")]


def test_they_are_asked_once_two_hours_after_it_is_over(over: Gateway) -> None:
    assert look(over, 139) == 0
    assert look(over, 141) == 1
    assert look(over, 150) == 0

    [row] = asked(over)
    assert (row["state"], row["purpose"], row["severity"]) == ("queued", "fault", "info")
    outgoing = hand_over(over)
    assert outgoing.channel == "sms"
    assert outgoing.links.page_url.endswith("#rate")
    assert "1 (muito ruim)" in outgoing.rendered.text


def test_nobody_is_asked_unless_it_is_switched_on(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path, survey={}) as made:
        made.submit(c.Upsert("customers", (ANA | SMS,), by="test"))
        break_and_mend(made, 0)
        assert look(made, 200) == 0


def test_a_customer_is_asked_once_in_a_month(over: Gateway) -> None:
    look(over, 141)
    hand_over(over)
    break_and_mend(over, 24 * 60)
    assert look(over, 24 * 60 + 200) == 0
    break_and_mend(over, 31 * 24 * 60)
    assert look(over, 31 * 24 * 60 + 200) == 1
    assert [row["state"] for row in asked(over)] == ["accepted", "queued"]


def test_what_ended_long_ago_is_not_asked_about(over: Gateway) -> None:
    assert look(over, 4 * 24 * 60) == 0


def test_who_rated_on_the_page_is_not_asked(over: Gateway) -> None:
    over.submit(AnswerSurvey("ana", case(over)["id"], satisfaction=4))

    assert look(over, 141) == 0


def test_a_rating_on_the_page_takes_back_a_question_that_waits(over: Gateway) -> None:
    look(over, 141)
    over.submit(AnswerSurvey("ana", case(over)["id"], satisfaction=4))

    assert hand_over(over) is None
    assert [(row["state"], row["reason"]) for row in asked(over)] == [("cancelled", "they have rated it already")]


def test_a_case_that_opens_again_takes_back_a_question_that_waits(over: Gateway) -> None:
    look(over, 141)
    over.submit(c.Reopen(case(over)["id"], "mia"))

    assert hand_over(over) is None
    [question] = asked(over)
    assert question["state"] == "cancelled"
    [why_not] = over.rows(schema.timeline, kind="withheld")
    assert (why_not["notification_id"], why_not["body"]["reason"]) == (question["id"], question["reason"])


def test_whoever_waits_for_a_person_is_not_asked_how_it_was(over: Gateway) -> None:
    say(over, "Quando vem o técnico?")
    assert case(over)["needs_reply"]

    assert look(over, 141) == 0


def test_who_said_stop_gets_no_survey(over: Gateway) -> None:
    say(over, "STOP")

    look(over, 141)
    assert [(row["state"], row["reason"]) for row in asked(over)] == [("withheld", "consent.objected")]


def test_quiet_hours_hold_a_survey(over: Gateway) -> None:
    night = {"quiet_hours": "09:00-11:30", "timezone": "America/Sao_Paulo"}
    over.submit(c.Upsert("customers", (ANA | SMS | night,), by="test"))
    look(over, 141)

    [row] = asked(over)
    assert row["not_before"] == T0.replace(hour=14, minute=30)


def test_a_severity_that_is_not_named_is_not_asked_about(over: Gateway) -> None:
    settings = over.committer._config.notifiers.survey.model_copy(update={"severities": ()})
    with over.store.read() as connection:
        assert due_surveys(connection, settings, T0 + timedelta(minutes=200)) == []


def test_a_survey_goes_where_they_wrote_last(over: Gateway) -> None:
    say(over, "Obrigada!", channel="email", address=ANA["email"])
    look(over, 141)

    [row] = asked(over)
    assert (row["channel"], row["facts"]["via"]) == ("email", "email")


@pytest.mark.parametrize(
    ("text", "satisfaction", "words"),
    [
        *[("5", 5, None), ("4 obrigada", 4, "obrigada"), ("⭐⭐⭐", 3, None), ("👎", 2, None)],
        *[("Foi muito bom, obrigada", 5, None), ("foi ruim", 2, None)],
    ],
)
def test_a_number_that_answers_the_survey_is_their_rating(
    over: Gateway, text: str, satisfaction: int, words: str | None
) -> None:
    look(over, 141)
    hand_over(over)
    say(over, text)

    [row] = over.rows(survey_answers)
    assert (row["case_id"], row["customer_id"]) == (case(over)["id"], "ana")
    assert (row["satisfaction"], row["better"]) == (satisfaction, words)
    assert thanks(over) == ["rated" if words else "ask_better"]
    assert not case(over)["needs_reply"]
    assert over.rows(tasks) == []
    assert over.rows(schema.timeline, kind="note")[-1]["body"]["text"].startswith(f"Rated: satisfaction {satisfaction}")
    period = Period(over.now - timedelta(days=1), over.now + timedelta(days=1))
    with over.store.read() as connection:
        assert [rating.channel for rating in load(connection, period)] == ["sms"]


def test_the_report_says_how_many_surveys_were_answered(over: Gateway) -> None:
    period = Period(T0 - timedelta(days=1), T0 + timedelta(days=6))

    def answered() -> tuple[float | None, int, str]:
        with over.store.read() as connection:
            [figure] = [one for one in satisfaction(connection, period).figures if one.name == "surveys"]
        return figure.value, figure.of, figure.note

    look(over, 141)
    assert answered() == (None, 0, "no survey was sent")
    hand_over(over)
    assert answered() == (0.0, 1, "")
    over.now += timedelta(minutes=5)
    say(over, "5")
    assert answered() == (1.0, 1, "")


def test_a_rating_by_mail_may_have_a_closing(over: Gateway) -> None:
    say(over, "Obrigada!", channel="email", address=ANA["email"])
    look(over, 141)
    hand_over(over)
    say(over, "1\n\nAtenciosamente,\nAna Souza", 2, channel="email", address=ANA["email"])

    [row] = over.rows(survey_answers)
    assert (row["satisfaction"], row["better"]) == (1, None)
    assert not case(over)["needs_reply"]


def test_a_survey_that_cannot_go_by_one_channel_goes_by_the_next(over: Gateway) -> None:
    look(over, 141)
    [row] = asked(over)
    assert over.submit(c.HandOver(row["id"])).channel == "sms"
    over.submit(c.SendFailed(row["id"], "undeliverable", "no template is set", code="131047"))

    assert hand_over(over).channel == "email"
    say(over, "5", channel="email", address=ANA["email"])
    assert over.rows(survey_answers)[0]["satisfaction"] == 5


def test_whoever_is_unhappy_in_words_is_read_by_a_person(over: Gateway) -> None:
    look(over, 141)
    hand_over(over)
    say(over, "1, ninguém me avisou")

    [row] = over.rows(survey_answers)
    assert (row["satisfaction"], row["better"]) == (1, "ninguém me avisou")
    assert case(over)["needs_reply"]
    assert thanks(over) == ["read"]


def test_a_rating_with_a_request_is_both(over: Gateway) -> None:
    look(over, 141)
    hand_over(over)
    say(over, "2, me liguem")

    assert over.rows(survey_answers)[0]["satisfaction"] == 2
    assert [row["kind"] for row in over.rows(tasks)] == ["call"]
    assert thanks(over) == ["call"]
    assert case(over)["needs_reply"]


def test_a_stop_beside_a_number_is_obeyed_and_rates_nothing(over: Gateway) -> None:
    look(over, 141)
    hand_over(over)
    say(over, "STOP")

    assert over.committer._registry.customers["ana"].objections == {Purpose.FAULT}
    assert over.rows(survey_answers) == []


def test_the_numbers_of_a_newer_fault_are_no_rating(over: Gateway) -> None:
    look(over, 141)
    hand_over(over)
    for celsius, minutes in ((-18, 1500), (-8, 1505), (-7, 1510), (-6, 1516)):
        over.temperature(celsius, minutes)
    hand_over(over)
    say(over, "2")

    assert over.rows(survey_answers) == []
    assert [row["kind"] for row in over.rows(tasks)] == ["call"]


def test_a_number_before_the_survey_was_sent_is_no_rating(over: Gateway) -> None:
    say(over, "5")

    assert over.rows(survey_answers) == []


def test_what_they_said_on_their_page_stays_beside_a_rating_by_message(over: Gateway) -> None:
    look(over, 141)
    hand_over(over)
    over.submit(AnswerSurvey("ana", case(over)["id"], satisfaction=2, effort=4, better="faster"))
    say(over, "4")

    [row] = over.rows(survey_answers)
    assert (row["satisfaction"], row["effort"], row["better"]) == (4, 4, "faster")


ALL_QUESTIONS = {"survey": {"enabled": True, "then": ["effort", "helped", "better"]}}


@pytest.fixture
def rated(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """Ana rated our help with a 4, and is asked what comes next."""
    with opened(store_url, tmp_path, **ALL_QUESTIONS) as made:
        made.submit(c.Upsert("customers", (ANA | SMS,), by="test"))
        break_and_mend(made, 0)
        look(made, 141)
        hand_over(made)
        reply(made, "4")
        yield made


def reply(made: Gateway, text: str, **more: Any) -> None:
    """Ana answers by SMS, and what follows is sent."""
    made.now += timedelta(minutes=1)
    say(made, text, int(made.now.timestamp()), **more)
    if any(row["state"] == "queued" for row in made.rows(schema.notifications)):
        hand_over(made)


def answers(made: Gateway) -> tuple[Any, ...]:
    [row] = made.rows(survey_answers)
    return tuple(row[name] for name in ("satisfaction", "effort", "helped", "helped_other", "better"))


def test_the_questions_come_one_by_one_and_each_answer_is_of_its_own_question(rated: Gateway) -> None:
    reply(rated, "muito fácil")
    reply(rated, "3")
    reply(rated, "Foi tudo ótimo, muito obrigada!")

    assert answers(rated) == (4, 5, "person", None, "Foi tudo ótimo, muito obrigada!")
    assert thanks(rated) == ["ask_effort", "ask_helped", "ask_better", "rated"]
    assert not case(rated)["needs_reply"]


def test_the_last_choice_is_open_and_its_words_are_read(rated: Gateway) -> None:
    reply(rated, "2")
    reply(rated, "um vizinho arrumou a porta")

    assert answers(rated) == (4, 2, "other", "um vizinho arrumou a porta", None)
    assert case(rated)["needs_reply"]
    assert thanks(rated) == ["ask_effort", "ask_helped", "read"]


def test_whoever_has_nothing_to_add_is_left_in_peace(rated: Gateway) -> None:
    for text in ("4", "4", "não"):
        reply(rated, text)

    assert answers(rated) == (4, 4, "nothing", None, None)
    assert thanks(rated) == ["ask_effort", "ask_helped", "ask_better"]
    assert not case(rated)["needs_reply"]


@pytest.mark.parametrize("text", ["Está quebrado de novo!", "Quando vem o técnico?", "PARAR", "me liguem", "7"])
def test_a_question_of_ours_takes_no_other_words_for_its_answer(rated: Gateway, text: str) -> None:
    reply(rated, text)

    assert answers(rated) == (4, None, None, None, None)
    assert case(rated)["needs_reply"] or Purpose.FAULT in rated.committer._registry.customers["ana"].objections


def test_days_later_their_words_answer_no_question_any_more(rated: Gateway) -> None:
    rated.now += timedelta(days=4)
    reply(rated, "4")

    assert answers(rated) == (4, None, None, None, None)


def test_a_tapped_answer_is_its_number_and_counts_for_its_own_question(rated: Gateway) -> None:
    reply(rated, "5: muito fácil", keyword="effort_5")
    reply(rated, "Nossa mensagem", keyword="helped_2")
    # They scroll up and change their mind.
    reply(rated, "2: ruim", keyword="rating_2", answers=f"SM-{asked(rated)[0]['id']}")

    assert answers(rated) == (2, 5, "message", None, None)


def test_a_restart_between_question_and_answer_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'g.sqlite'}"
    with opened(url, tmp_path, **ALL_QUESTIONS) as made:
        made.submit(c.Upsert("customers", (ANA | SMS,), by="test"))
        break_and_mend(made, 0)
        look(made, 141)
        hand_over(made)
        reply(made, "sehr gut")
        now = made.now
    with gateway(url, tmp_path, records=False, now=now, notifiers=NOTIFIERS | ALL_QUESTIONS) as again:
        reply(again, "5")

        assert answers(again) == (5, 5, None, None, None)


def test_a_question_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="names a question twice"):
        Survey.model_validate({"then": ["better", "better"]})
