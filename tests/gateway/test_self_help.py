"""A customer tries a step, and the gateway sees that it helps."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway import commands as c
from gateway.cases.self_help import help_of_case
from gateway.store import schema
from gateway.store.self_help import watches
from gateway.web.queries import cases
from tests.gateway.making import T0, Gateway, gateway


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Gateway]:
    """Ana's freezer is too warm, she was told, and 20 minutes have gone by."""
    with gateway(f"sqlite:///{tmp_path / 'g.sqlite'}", tmp_path) as made:
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16), (-6, 20)):
            made.temperature(celsius, minutes)
        yield made


def case_id(made: Gateway) -> int:
    return int(made.rows(schema.cases)[-1]["id"])


def look(made: Gateway, minutes: float) -> int:
    made.now = T0 + timedelta(minutes=minutes)
    return int(made.submit(c.WatchSteps()))


def told(made: Gateway) -> list[str]:
    return [row["template"] for row in made.rows(schema.notifications) if row["template"] == "fault_improving"]


def test_a_step_that_helps_is_seen_and_told_once(warm: Gateway) -> None:
    assert warm.submit(c.StepTried(case_id(warm), "ana", 0)) is True
    for celsius, minutes in ((-6.5, 25), (-7.5, 30), (-8.5, 35)):
        warm.temperature(celsius, minutes)
        look(warm, minutes)
    warm.submit(c.StepTried(case_id(warm), "ana", 1))
    for celsius, minutes in ((-9.5, 40), (-10.5, 45), (-11.5, 50)):
        warm.temperature(celsius, minutes)
        look(warm, minutes)

    assert told(warm) == ["fault_improving"]
    [row] = [row for row in warm.rows(schema.notifications) if row["template"] == "fault_improving"]
    assert row["facts"]["values"] == {"temperature": -7.5}
    assert "tried" in [row["kind"] for row in warm.rows(schema.timeline)]


def test_a_step_that_does_not_help_is_told_to_nobody(warm: Gateway) -> None:
    warm.submit(c.StepTried(case_id(warm), "ana", 0))
    for celsius, minutes in ((-6, 25), (-5, 30), (-5, 40), (-4.9, 50)):
        warm.temperature(celsius, minutes)
        assert look(warm, minutes) == 0


def test_nothing_is_said_on_old_data(warm: Gateway) -> None:
    warm.submit(c.StepTried(case_id(warm), "ana", 0))
    for celsius, minutes in ((-7, 25), (-9, 30), (-11, 35)):
        warm.temperature(celsius, minutes)

    assert look(warm, 80) == 0
    assert told(warm) == []


def test_watching_ends_with_the_case_and_after_six_hours(warm: Gateway) -> None:
    warm.submit(c.StepTried(case_id(warm), "ana", 0))
    look(warm, 20 + 6 * 60 + 1)

    assert warm.rows(watches)[0]["ended_at"] is not None


def test_a_step_is_tried_once_and_is_the_customers_own(warm: Gateway) -> None:
    assert warm.submit(c.StepTried(case_id(warm), "ana", 0)) is True
    assert warm.submit(c.StepTried(case_id(warm), "ana", 0)) is False
    with pytest.raises(c.CommandRefused, match="not this customer's"):
        warm.submit(c.StepTried(case_id(warm), "ben", 1))
    with pytest.raises(c.CommandRefused, match="no such step"):
        warm.submit(c.StepTried(case_id(warm), "ana", 99))


def test_the_next_step_is_the_first_that_nobody_tried_in_the_customers_language(warm: Gateway) -> None:
    warm.submit(c.StepTried(case_id(warm), "ana", 0))
    with warm.store.read() as connection:
        line = cases.one(connection, case_id(warm))
        found = help_of_case(warm.committer._config, warm.committer._registry, connection, line, "pt-BR")

    assert found is not None
    assert found.next_step is not None
    assert (found.next_step.index, found.article.language) == (1, "pt")


def test_the_message_offers_the_articles_steps(warm: Gateway) -> None:
    [row] = [row for row in warm.rows(schema.notifications) if row["template"] == "fault_opened"]
    outgoing = warm.submit(c.HandOver(row["id"]))

    assert "Passe um dedo pela borracha" in outgoing.rendered.text


def test_what_it_oftenest_was_stands_first_on_the_page_and_in_the_message(tmp_path: Path) -> None:
    (tmp_path / "own" / "warm").mkdir(parents=True)
    text = """---
rules: [freezer-too-warm]
title: It is too warm
causes: {1: seal, 2: ice}
---

1. Wipe the seal.
2. Defrost it.
"""
    (tmp_path / "own" / "warm" / "en.md").write_text(text)
    email = {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}
    settings = {"mode": "auto", "email": email, "articles": [tmp_path / "own"]}
    with gateway(f"sqlite:///{tmp_path / 'g.sqlite'}", tmp_path, notifiers=settings) as made:
        for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
            made.temperature(celsius, minutes)
        number = case_id(made)
        # An earlier episode of the rule turned out to be ice.
        with made.store.write() as connection:
            connection.execute(sa.update(schema.cases).values(cause="ice"))
        with made.store.read() as connection:
            case = cases.one(connection, number)
            found = help_of_case(made.committer._config, made.committer._registry, connection, case, "en")
        assert found is not None
        assert [step.index for step in found.steps] == [1, 0]
        assert found.next_step is not None
        assert found.next_step.text == "Defrost it."
        [message] = made.rows(schema.notifications, template="fault_opened")
        said = made.submit(c.HandOver(message["id"]))
        assert said.rendered.text.index("Defrost it.") < said.rendered.text.index("Wipe the seal.")
