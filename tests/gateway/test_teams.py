"""Teams: which one a case goes to and who of it, who is on duty, and what becomes of what nobody is there for."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gateway import commands as c
from gateway.commands import cases as w
from gateway.commands.accounts import SetDisabled
from gateway.commands.staff import (
    DropTeam,
    Reroute,
    SaveHours,
    SavePolicy,
    SaveTeam,
    SetAway,
    SetScope,
    TeamMember,
)
from gateway.staff.owners import possible_owners
from gateway.staff.routing import Member, Need, Team, route, with_one_more
from gateway.staff.sla import OF_TEAM, Policy, Target
from gateway.store import schema, staff
from gateway.store.case_work import saved_views
from gateway.web.wording import routed_text
from tests.gateway.making import T0, Gateway, gateway
from tests.gateway.web_visit import log_in, visit

ANY = Need("freezer-too-warm", "freezer", "pt", "BR")


def member(name: str, load: int = 0, on_duty: bool = True, **more: object) -> Member:
    return Member(name, load=load, on_duty=on_duty, **more)  # type: ignore[arg-type]


def test_the_first_team_whose_conditions_all_hold_takes_it() -> None:
    somebody = (member("mia"),)
    brazil = Team("Brazil", regions=frozenset({"BR"}), languages=frozenset({"pt"}), members=somebody)
    heating = Team("Heating", profiles=frozenset({"heating"}), members=somebody)
    rest = Team("Rest", members=somebody)
    assert route([heating, brazil, rest], ANY).team == "Brazil"  # type: ignore[union-attr]
    assert route([rest, brazil], ANY).team == "Rest"  # type: ignore[union-attr]
    assert route([brazil], Need("freezer-too-warm")) is None
    found = route([brazil], ANY)
    assert found is not None
    assert found.why == {"language": "pt", "region": "BR"}


def test_the_least_loaded_on_duty_who_speaks_the_language_and_has_room_gets_it() -> None:
    def chosen(*members: Member) -> str | None:
        found = route([Team("T", assigns=True, members=members)], ANY)
        return found.agent if found else None

    assert chosen(member("ada", 3), member("ben", 1), member("cem", 2)) == "ben"
    assert chosen(member("ada", 3), member("ben", 1, on_duty=False)) == "ada"
    assert chosen(member("ada", 3, languages=frozenset({"pt"})), member("ben", 1, languages=frozenset({"de"}))) == "ada"
    # Nobody speaks it: somebody is better than nobody.
    assert chosen(member("ben", 1, languages=frozenset({"de"}))) == "ben"
    assert chosen(member("ada", 3, at_most=3), member("ben", 4, at_most=4)) is None
    assert chosen(member("ada", 0, on_duty=False)) is None


_TEAMS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 4),
        st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=3),
    ),
    min_size=1,
    max_size=5,
)


@given(_TEAMS)
def test_a_case_never_goes_to_somebody_off_duty_nor_in_circles(
    given_teams: list[tuple[bool, int, list[tuple[bool, int]]]],
) -> None:
    """(takes Brazil, number of the fallback, members (on duty, load)) each; fallbacks may well form a circle."""
    made = [
        Team(
            f"t{number}",
            regions=frozenset({"BR"} if takes else {"DE"}),
            assigns=True,
            fallback=f"t{fallback}",
            members=tuple(member(f"m{number}{i}", load, on_duty) for i, (on_duty, load) in enumerate(members)),
        )
        for number, (takes, fallback, members) in enumerate(given_teams)
    ]
    found = route(made, ANY)
    own = next((team for team in made if "BR" in team.regions), None)
    assert (found is None) == (own is None)
    if found is not None and own is not None:
        team = next(team for team in made if team.name == found.team)
        assert team.on_duty or team is own
        if found.agent is not None:
            agent = next(m for m in team.members if m.name == found.agent)
            assert agent.on_duty
            assert agent.load == min(m.load for m in team.members if m.on_duty)


@pytest.fixture
def running(store_url: str, tmp_path: Path) -> Iterator[Gateway]:
    """T0 is Monday 10:00 UTC: 11:00 in Berlin, 19:00 in Tokyo."""
    with gateway(store_url, tmp_path) as made:
        people = [{"id": "ana", "name": "Ana", "locale": "pt-BR", "country": "BR"}]
        made.submit(c.Upsert("customers", tuple(people), by="test"))
        for name in ("mia", "ben", "yui"):
            made.submit(c.SaveUser(name, "hash", "agent", by="test"))
        made.submit(SaveHours("Berlin", "Mo-Fr 09:00-17:00", "Europe/Berlin", "lea"))
        made.submit(SaveHours("Tokyo", "Mo-Fr 09:00-17:00", "Asia/Tokyo", "lea"))
        yield made


def berlin(**more: object) -> SaveTeam:
    values = {"members": (TeamMember("mia"), TeamMember("ben")), "hours": "Berlin", **more}
    return SaveTeam("Berlin", 1, "lea", **values)  # type: ignore[arg-type]


def tokyo(**more: object) -> SaveTeam:
    return SaveTeam("Tokyo", 2, "lea", (TeamMember("yui"),), "Tokyo", **more)  # type: ignore[arg-type]


def opened(running: Gateway) -> int:
    running.temperature(-20, 0)
    running.temperature(-5, 5)
    running.tick(15)
    return int(running.rows(schema.cases)[-1]["id"])


def case(running: Gateway, number: int) -> sa.RowMapping:
    return running.rows(schema.cases, id=number)[0]


def routes(running: Gateway, number: int) -> list[dict[str, object]]:
    return [dict(row["body"]) for row in running.rows(schema.timeline, case_id=number, kind="routed")]


def test_a_new_case_goes_to_its_team_and_its_timeline_says_why(running: Gateway) -> None:
    running.submit(berlin(regions=("BR",), assigns=True))
    number = opened(running)
    row = case(running, number)
    assert (row["team"], row["assignee"], row["region"], row["acknowledged_at"]) == ("Berlin", "ben", "BR", None)
    (why,) = routes(running, number)
    assert routed_text("gateway", why) == "Went to team Berlin and ben, who has 0 open: customer in BR"


def test_the_next_case_goes_to_whoever_has_fewer(running: Gateway) -> None:
    running.submit(berlin(assigns=True))
    first = opened(running)
    running.submit(c.Upsert("devices", ({"id": "f2", "profile": "freezer", "customer_id": "ana"},), by="test"))
    for celsius, minutes in ((-20, 20), (-5, 25)):
        at = T0 + timedelta(minutes=minutes)
        running.publish("devices/f2/status", {"temperature": celsius, "ts": at.timestamp()}, at)
    running.tick(35)
    second = int(running.rows(schema.cases)[-1]["id"])
    assert [case(running, number)["assignee"] for number in (first, second)] == ["ben", "mia"]


def test_while_nobody_is_on_duty_the_fallback_takes_over_and_keeps_what_it_has_begun(running: Gateway) -> None:
    running.submit(tokyo(regions=("JP",), assigns=True))
    running.submit(berlin(fallback="Tokyo"))
    number = opened(running)
    assert case(running, number)["team"] == "Berlin"
    # 18:00 in Berlin, 2:00 in Tokyo: nobody is there, so it waits at home.
    running.now = T0.replace(hour=17)
    assert running.submit(Reroute()) == 0
    # Tuesday 1:30 in Berlin, 9:30 in Tokyo.
    running.now = T0.replace(day=3, hour=0, minute=30)
    assert running.submit(Reroute()) == 1
    assert (case(running, number)["team"], case(running, number)["assignee"]) == ("Tokyo", "yui")
    assert "nobody of team Berlin is on duty" in routed_text("gateway", routes(running, number)[-1])
    assert running.submit(Reroute()) == 0
    running.submit(c.Acknowledge(number, "yui"))
    running.now = T0.replace(day=3, hour=10)
    assert running.submit(Reroute()) == 0
    assert case(running, number)["assignee"] == "yui"


def test_whoever_is_away_is_given_nothing_and_what_they_had_not_begun_goes_to_another(running: Gateway) -> None:
    running.submit(berlin(assigns=True))
    number = opened(running)
    running.submit(SetAway("ben", T0 + timedelta(days=1), "ben"))
    assert running.submit(Reroute()) == 1
    assert case(running, number)["assignee"] == "mia"
    running.submit(SetAway("ben", None, "ben"))
    assert running.submit(Reroute()) == 0


def test_what_a_person_was_handed_is_left_to_them(running: Gateway) -> None:
    running.submit(berlin(assigns=True))
    number = opened(running)
    running.submit(c.Assign(number, "yui", "lea"))
    running.submit(SetAway("mia", T0 + timedelta(days=1), "lea"))
    running.submit(SetAway("ben", T0 + timedelta(days=1), "lea"))
    assert running.submit(Reroute()) == 0
    assert case(running, number)["assignee"] == "yui"


def test_a_team_made_later_takes_the_cases_that_have_none_and_a_dissolved_one_gives_them_on(running: Gateway) -> None:
    number = opened(running)
    assert case(running, number)["team"] is None
    running.submit(berlin())
    assert case(running, number)["team"] == "Berlin"
    running.submit(tokyo())
    running.submit(DropTeam("Berlin", "lea"))
    assert case(running, number)["team"] == "Tokyo"


def test_a_case_is_handed_to_a_team_by_hand_and_its_level_counts_by_their_hours(running: Gateway) -> None:
    running.submit(tokyo(regions=("JP",)))
    running.submit(berlin())
    running.submit(SavePolicy(Policy("all", {Target.RESOLVE: timedelta(hours=2)}, OF_TEAM), 1, "lea"))
    number = opened(running)
    assert case(running, number)["sla_due_at"] == case(running, number)["opened_at"] + timedelta(hours=2)
    running.submit(w.RouteCase(number, "Tokyo", "mia"))
    row = case(running, number)
    assert (row["team"], row["assignee"], row["sla_hours"]) == ("Tokyo", None, "Tokyo")
    # Tuesday 9:00 in Tokyo is midnight UTC.
    assert row["sla_due_at"] == T0.replace(day=3, hour=2)
    assert routed_text("mia", routes(running, number)[-1]) == "mia handed it to team Tokyo"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (SaveTeam("", 1, "lea"), "a name"),
        (SaveTeam("@x", 1, "lea"), "does not begin with @"),
        (SaveTeam("x", 1, "lea", hours="Rome"), "no working hours 'Rome'"),
        (SaveTeam("x", 1, "lea", fallback="x"), "no other team 'x'"),
        (SaveTeam("x", 1, "lea", fallback="y"), "no other team 'y'"),
        (SaveTeam("x", 1, "lea", languages=("German",)), "write it like de"),
        (SaveTeam("x", 1, "lea", regions=("Germany",)), "write it like DE"),
        (SaveTeam("x", 1, "lea", (TeamMember("nobody"),)), "no user 'nobody'"),
        (SaveTeam("x", 1, "lea", (TeamMember("mia", at_most=0),)), "at most 1"),
        (DropTeam("x", "lea"), "no team 'x'"),
        (SetAway("nobody", None, "lea"), "no user 'nobody'"),
        (SetAway("mia", T0 - timedelta(hours=1), "lea"), "within 365 days"),
        (SetScope("nobody", (), ("DE",), "ada"), "no user or token 'nobody'"),
        (SetScope("mia", ("x",), (), "ada"), "no team 'x'"),
        (SetScope("mia", (), ("Germany",), "ada"), "write it like DE"),
        (SetScope("mia", (), ("DE",), "mia"), "nobody bounds themselves"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(running: Gateway, command: c.Command, why: str) -> None:
    with pytest.raises(c.CommandRefused, match=why):
        running.submit(command)


def test_a_team_called_otherwise_keeps_its_people_cases_and_bounds(running: Gateway) -> None:
    running.submit(tokyo())
    running.submit(berlin(fallback="Tokyo"))
    number = opened(running)
    running.submit(SetScope("mia", ("Berlin", "Tokyo"), (), "ada"))
    running.submit(w.SaveView("Ours", {"view": "open", "team": "Berlin"}, "mia"))
    running.submit(replace(berlin(fallback="Tokyo"), name="Spree", was="Berlin"))
    assert running.rows(saved_views)[0]["query"] == "team=Spree&view=open"
    running.submit(replace(tokyo(), name="Edo", was="Tokyo"))
    assert case(running, number)["team"] == "Spree"
    assert {row["name"]: row["fallback"] for row in running.rows(staff.teams)} == {"Spree": "Edo", "Edo": None}
    assert {row["user_name"] for row in running.rows(staff.team_members, team="Spree")} == {"ben", "mia"}
    assert running.rows(staff.scopes)[0]["teams"] == ["Edo", "Spree"]
    with pytest.raises(c.CommandRefused, match="another team 'Edo'"):
        running.submit(replace(berlin(), name="Edo", was="Spree"))
    with pytest.raises(c.CommandRefused, match="no team 'Berlin'"):
        running.submit(replace(berlin(), name="Havel", was="Berlin"))


def test_a_case_goes_only_to_somebody_who_may_work_on_it_and_sees_it(running: Gateway) -> None:
    running.submit(tokyo())
    running.submit(berlin())
    number = opened(running)
    running.submit(SetScope("yui", ("Tokyo",), (), "ada"))
    running.submit(c.SaveUser("vic", "hash", "viewer", by="test"))
    running.submit(c.SaveUser("dan", "hash", "agent", by="test"))
    running.submit(SetDisabled("dan", True, "ada"))
    for name, why in (
        ("nobody", "no user 'nobody'"),
        ("vic", "vic is a viewer and may only read"),
        ("dan", "dan is shut out"),
        ("yui", "yui sees team Tokyo alone"),
    ):
        with pytest.raises(c.CommandRefused, match=why):
            running.submit(c.Assign(number, name, "lea"))
        with pytest.raises(c.CommandRefused, match=why):
            running.submit(w.Escalate(number, "wants a refund", "lea", name))
    with running.store.read() as connection:
        assert possible_owners(connection, "Berlin", "BR") == ["ben", "mia"]


def test_a_team_that_others_lean_on_is_not_dissolved(running: Gateway) -> None:
    running.submit(tokyo())
    running.submit(berlin(fallback="Tokyo"))
    with pytest.raises(c.CommandRefused, match="'Berlin' falls back on it"):
        running.submit(DropTeam("Tokyo", "lea"))
    running.submit(SetScope("mia", ("Berlin",), (), "ada"))
    with pytest.raises(c.CommandRefused, match="mia sees this team's cases alone"):
        running.submit(DropTeam("Berlin", "lea"))


async def test_a_lead_makes_teams_and_an_agent_sees_theirs(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        team = {"name": "Berlin", "regions": "DE", "member.Mia": "1", "languages.Mia": "de en", "at_most.Mia": "9"}
        assert (await web.post("/teams", team)).status == 303
        page = await web.page("/teams?team=Berlin")
        assert "customer in DE" in page
        assert 'value="de en"' in page
        listed = await (await web.api("GET", "/api/teams")).json()
        (mia,) = listed["items"][0]["members"]
        assert (mia["name"], mia["at_most"], mia["languages"]) == ("Mia", 9, ["de", "en"])
        assert listed["items"][0]["open_cases"] > 0
        lumen = web.town.case_of("f-lumen", "freezer-cools-poorly")
        souza = web.town.case_of("f-souza")
        assert (lumen["team"], souza["team"]) == ("Berlin", None)
        web.csrf = log_in(web.town, web.client, "Mia")
        assert "My team" in await web.page("/")
        mine = await web.page("/?team=mine")
        assert f"case-{lumen['id']}" in mine
        assert f"case-{souza['id']}" not in mine
        assert "Went to team Berlin: customer in DE" in await web.page(f"/cases/{lumen['id']}")
        assert (await web.post("/teams/away", {"until": "2026-03-02T18:00:00Z"})).status == 303
        assert "away until" in await web.page("/teams")
        assert (await web.post("/teams/away", {"name": "Ben"})).status == 403


def test_whoever_was_given_a_case_has_one_more_in_each_of_their_teams() -> None:
    before = [Team("a", members=(member("mia", 2), member("ben", 1))), Team("b", members=(member("mia", 2),))]
    after = with_one_more(before, "mia")
    assert [[m.load for m in team.members] for team in after] == [[3, 1], [3]]
