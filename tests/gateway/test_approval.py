"""What waits for a person's word although messages go out by themselves."""

from pathlib import Path
from typing import Any

import pytest

from gateway import commands as c
from gateway.outbox.wording import FALL_BACKS
from gateway.store import schema
from tests.gateway.making import ANA, Gateway, gateway

MAIL = {"mode": "auto", "email": {"url": "smtp://127.0.0.1:1", "sender": "help@acme.example"}}


def warm(made: Gateway) -> Any:
    for celsius, minutes in ((-18, 0), (-8, 5), (-7, 10), (-6, 16)):
        made.temperature(celsius, minutes)
    return made.rows(schema.notifications)[-1]


def again(made: Gateway) -> Any:
    for celsius, minutes in ((-18, 20), (-18, 40), (-8, 2000), (-7, 2010), (-6, 2020)):
        made.temperature(celsius, minutes)
    return [row for row in made.rows(schema.notifications) if row["template"] == "fault_opened"][-1]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'g.sqlite'}"


def test_a_severity_may_wait_while_others_go(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path, notifiers=MAIL | {"approval": {"severities": ["major"]}}) as made:
        row = warm(made)
        assert (row["state"], row["reason"]) == ("awaiting_approval", "approval.severity")
    with gateway(f"{url}2", tmp_path, notifiers=MAIL | {"approval": {"severities": ["critical"]}}) as made:
        assert warm(made)["state"] == "queued"


def test_a_template_waits_at_its_first_use_and_not_again(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path, notifiers=MAIL | {"approval": {"first_use": True}}) as made:
        row = warm(made)
        assert (row["state"], row["reason"]) == ("awaiting_approval", "approval.first_use")
        made.submit(c.Approve(row["id"], "mia"))
        assert again(made)["state"] == "queued"


def test_another_language_of_a_template_is_a_first_use_too(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path, notifiers=MAIL | {"approval": {"first_use": True}}) as made:
        made.submit(c.Approve(warm(made)["id"], "mia"))
        made.submit(c.Upsert("customers", (ANA | {"locale": "de-DE"},), by="test"))
        assert again(made)["state"] == "awaiting_approval"


def test_words_of_the_approvers_own_do_not_prove_the_template(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path, notifiers=MAIL | {"approval": {"first_use": True}}) as made:
        made.submit(c.Approve(warm(made)["id"], "mia", "In my words"))
        assert again(made)["state"] == "awaiting_approval"


def test_two_people_approve_and_neither_of_them_twice(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path, notifiers=MAIL | {"approval": {"second_person": ["major"]}}) as made:
        row = warm(made)
        made.submit(c.Approve(row["id"], "mia"))
        assert made.rows(schema.notifications)[-1]["state"] == "awaiting_approval"
        with pytest.raises(c.CommandRefused, match="waits for a second person"):
            made.submit(c.Approve(row["id"], "mia"))
        made.submit(c.Approve(row["id"], "tom"))

        done = made.rows(schema.notifications)[-1]
        assert (done["state"], done["approved_by"]) == ("queued", "mia and tom")


def test_new_words_need_the_other_persons_eyes_again(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path, notifiers=MAIL | {"approval": {"second_person": ["major"]}}) as made:
        row = warm(made)
        made.submit(c.Approve(row["id"], "mia"))
        made.submit(c.Approve(row["id"], "tom", "Better words"))
        assert made.rows(schema.notifications)[-1]["state"] == "awaiting_approval"
        made.submit(c.Approve(row["id"], "mia"))
        assert made.rows(schema.notifications)[-1]["text"] == "Better words"


def test_an_answer_to_a_customer_never_waits(url: str, tmp_path: Path) -> None:
    with gateway(url, tmp_path, notifiers=MAIL | {"approval": {"first_use": True, "severities": ["info"]}}) as made:
        made.submit(c.MailArrived("<a@x>", "ana@example.com", True, "STOP", "STOP", ()))
        assert made.rows(schema.notifications)[-1]["state"] == "queued"


def test_a_companys_template_speaks(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "fault_opened.j2").write_text(
        "{% block subject %}Hej{% endblock %}{% block sentence %}Hej {{ view.name }}{% endblock %}", encoding="utf-8"
    )
    with gateway(url, tmp_path, notifiers=MAIL | {"templates": [str(folder)]}) as made:
        assert "Hej" in made.submit(c.HandOver(warm(made)["id"])).rendered.text


@pytest.mark.parametrize(
    "broken",
    [
        ("fault_opened", "{% block subject %}{{ view.nothing }}{% endblock %}"),
        ("fault_opened", "{% block subject %}{{ 1 / 0 }}{% endblock %}"),
        ("fault_opened", "{% block subject %}{{ view.product + 1 }}{% endblock %}"),
        ("partials/footer", "no block"),
    ],
)
def test_a_companys_template_that_fails_in_whatever_way_gives_way_to_ours(
    tmp_path: Path, broken: tuple[str, str]
) -> None:
    name, source = broken
    file = tmp_path / "templates" / f"{name}.j2"
    file.parent.mkdir(parents=True)
    file.write_text(source, encoding="utf-8")
    settings = MAIL | {"templates": [str(tmp_path / "templates")]}
    with gateway(f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path, notifiers=settings) as made:
        assert "Garage freezer" in made.submit(c.HandOver(warm(made)["id"])).rendered.text
        meta = {row["key"]: row["value"] for row in made.rows(schema.meta)}
        assert meta[FALL_BACKS]["template:fault_opened"] == 1
