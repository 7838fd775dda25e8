"""Reports: figures made from cases, and the same figures on the page, as CSV and by the API."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands import CustomerWrote, GiveVerdict, Reply, Resolve
from gateway.reports.case_facts import CaseFacts, load
from gateway.reports.precision import precision
from gateway.reports.proactive import ENOUGH, proactive
from gateway.reports.report import Column, Figure, Period, Report, Unit, quantile_s
from gateway.reports.speed import speed
from gateway.reports.work import work
from gateway.store import schema
from gateway.web.pages.reports import as_csv
from tests.gateway.web_fleet import NOW
from tests.gateway.web_visit import visit

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
DAY = Period(NOW - timedelta(days=1), NOW + timedelta(minutes=1))


def case(number: int = 1, *, told_min: float | None = None, wrote_min: float | None = None, **more: Any) -> CaseFacts:
    """A case that opened at T0 for a fault that began ten minutes before."""
    made = CaseFacts(
        id=number,
        rule="freezer-too-warm",
        kind="condition",
        severity="major",
        purpose="fault",
        opened_at=T0,
        since=T0 - timedelta(minutes=10),
        resolved_at=None,
        resolved_by=None,
        reopened=0,
        response_due_at=None,
        first_response_at=None,
        told_at=None if told_min is None else T0 + timedelta(minutes=told_min),
        wrote_at=None if wrote_min is None else T0 + timedelta(minutes=wrote_min),
    )
    return replace(made, **more)


def figure(report: Report, name: str) -> Figure:
    return next(f for f in report.figures if f.name == name)


async def test_precision_is_of_the_judged_cases_and_says_how_sure_it_is(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        opened = [row for row in web.town.rows(schema.cases) if not row["on_arrival"]]
        real, false, double = opened[:3]
        web.town.do(GiveVerdict(real["id"], "real", "Mia"))
        web.town.do(GiveVerdict(false["id"], "false_alarm", "Mia"))
        web.town.do(GiveVerdict(double["id"], "duplicate", "Mia", duplicate_of=real["id"]))
        with web.town.deps.store.read() as connection:
            report = precision(connection, DAY)
        assert (figure(report, "precision").value, figure(report, "precision").of) == (0.5, 2)
        assert figure(report, "judged").value == 3 / len(opened)
        row = next(row for row in report.rows if row[0] == false["rule"])
        assert (row[4], report.rows[0]) == (1, row)
        assert sum(int(row[1] or 0) for row in report.rows) == len(opened)
        assert "How right are the rules?" in await web.page("/reports?span=7d")


def test_who_spoke_first_is_who_was_heard_first() -> None:
    assert case().spoke_first is None
    assert case(told_min=1).spoke_first == "us"
    assert case(told_min=1, wrote_min=2).spoke_first == "us"
    assert case(told_min=2, wrote_min=1).spoke_first == "customer"
    assert case(wrote_min=1).spoke_first == "customer"


def test_a_case_of_which_nobody_has_spoken_counts_neither_way() -> None:
    report = proactive([case(1, told_min=1), case(2, told_min=1), case(3, wrote_min=1), case(4)], [])
    share = figure(report, "proactive_share")
    assert (share.value, share.of) == (2 / 3, 3)
    assert report.rows == (("freezer-too-warm", 4, 2, 1, 1, 2 / 3),)


def test_without_a_case_no_share_is_made_up() -> None:
    share = figure(proactive([], []), "proactive_share")
    assert share.value is None
    assert share.note == "nobody has spoken yet"


def test_minutes_gained_are_from_the_middle_of_both_and_need_enough_of_each() -> None:
    ours = [case(n, told_min=2) for n in range(ENOUGH)]
    theirs = [case(100 + n, wrote_min=50) for n in range(ENOUGH)]
    assert figure(proactive(ours + theirs, []), "gained").value == 48 * 60
    few = figure(proactive(ours + theirs[1:], []), "gained")
    assert few.value is None
    assert f"there are {ENOUGH} and {ENOUGH - 1}" in few.note


def test_a_fault_that_does_not_say_when_it_began_is_left_out_of_the_time_to_detect() -> None:
    report = speed([case(1), case(2, since=None), case(3, purpose="maintenance")], [])
    assert (figure(report, "detect").value, figure(report, "detect").of) == (600, 1)


def test_an_answer_that_is_late_or_never_due_is_told_apart() -> None:
    due: dict[str, Any] = {"response_due_at": T0 + timedelta(minutes=30)}
    cases = [
        case(1, first_response_at=T0 + timedelta(minutes=30), **due),
        case(2, first_response_at=T0 + timedelta(minutes=31), **due),
        case(3, **due),
        case(4, first_response_at=T0),
    ]
    in_time = figure(speed(cases, []), "answered_in_time")
    assert (in_time.value, in_time.of) == (0.5, 2)


@given(st.lists(st.integers(0, 10_000), min_size=1), st.sampled_from((0.1, 0.5, 0.9, 1.0)))
def test_a_quantile_is_a_value_that_so_many_do_not_exceed(seconds: Sequence[int], q: float) -> None:
    found = quantile_s([timedelta(seconds=s) for s in seconds], q)
    assert found in seconds
    assert found is not None
    assert sum(s <= found for s in seconds) >= q * len(seconds)
    assert sum(s < found for s in seconds) < q * len(seconds) + 1e-9


@given(st.lists(st.tuples(st.none() | st.integers(0, 90), st.none() | st.integers(0, 90)), max_size=12))
def test_every_case_stands_in_one_column_of_the_table(spoken: list[tuple[int | None, int | None]]) -> None:
    cases = [case(n, told_min=told, wrote_min=wrote) for n, (told, wrote) in enumerate(spoken)]
    for _, count, ours, theirs, nobody, share in proactive(cases, []).rows:
        assert (count, share) == (ours + theirs + nobody, ours / (ours + theirs) if ours + theirs else None)  # type: ignore[operator]


async def test_facts_are_what_happened(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        souza = web.town.case_of("f-souza")
        with web.town.store.read() as connection:
            found = {facts.id: facts for facts in load(connection, DAY)}
        arrived = {row["id"] for row in web.town.rows(schema.cases, on_arrival=True)}
        assert arrived
        assert not arrived & set(found)
        facts = found[souza["id"]]
        assert facts.opened_at == souza["opened_at"]
        assert facts.since is not None
        assert facts.since <= facts.opened_at


async def test_who_writes_first_is_no_case_of_ours(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        before = web.town.case_of("f-lumen")
        write = CustomerWrote(
            "page", "w1", "page", before["customer_id"], "it is warm", before["id"], before["customer_id"]
        )
        web.town.do(write)
        with web.town.store.read() as connection:
            facts = {f.id: f for f in load(connection, DAY)}[before["id"]]
        assert facts.told_at is None
        assert facts.spoke_first == "customer"


async def test_an_answer_ends_the_wait_and_an_hour_of_work_counts_once(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        lumen = web.town.case_of("f-lumen")
        write = CustomerWrote(
            "page", "w2", "page", lumen["customer_id"], "when does somebody come", lumen["id"], lumen["customer_id"]
        )
        web.town.do(write)
        web.town.now += timedelta(minutes=7)
        web.town.do(Reply(lumen["id"], "We are on it.", by="Ben"))
        web.town.do(Resolve(lumen["id"], by="Ben"))
        period = Period(NOW, web.town.now + timedelta(minutes=1))
        with web.town.store.read() as connection:
            report = work(connection, period)
        assert figure(report, "reply_wait").value == 7 * 60
        assert [row for row in report.rows if row[0] == "Ben"] == [("Ben", 1, 1, 1, 1.0)]


async def test_the_page_the_csv_and_the_api_say_the_same(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        page = await web.page("/reports?span=7d")
        assert "Did we speak first?" in page
        table = list(csv.DictReader(io.StringIO(await web.page("/reports/proactive.csv?span=7d"))))
        report = await (await web.api("GET", "/api/reports/proactive?span=7d")).json()
        assert [row["rule"] for row in table] == [row["rule"] for row in report["rows"]]
        assert [int(row["cases"]) for row in table] == [row["cases"] for row in report["rows"]]
        assert {f["name"] for f in report["figures"]} >= {"proactive_share", "gained"}
        assert sum(row["cases"] for row in report["rows"]) == next(
            f["value"] for f in report["figures"] if f["name"] == "cases"
        )


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("span=2w", 422, "none of 7d"),
        ("since=2026-03-01", 422, "no RFC 3339"),
        ("since=2026-03-02T00:00:00Z&until=2026-03-01T00:00:00Z", 422, "not before until"),
        ("since=0001-01-01T00:00:00Z", 422, "no RFC 3339"),
        ("since=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00%2B01:00", 200, "proactive"),
    ],
)
async def test_a_period_is_read_or_refused_with_its_field(tmp_path: Path, query: str, status: int, said: str) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        answer = await web.api("GET", f"/api/reports/proactive?{query}")
        assert answer.status == status
        assert said in await answer.text()


async def test_an_empty_installation_says_what_will_stand_here(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea", empty=True) as web:
        assert "Nothing to count yet" in await web.page("/reports")
        assert (await web.get("/reports/nonsense.csv")).status == 404


def test_money_has_its_currency_in_the_heading_of_a_spreadsheet() -> None:
    columns = (Column("channel", "Channel"), Column("cost", "Cost", Unit.MONEY))
    assert as_csv(Report("r", "", "", (), columns, (("SMS", 0.07),), "EUR")) == "channel,cost_EUR\r\nSMS,0.07\r\n"
    assert as_csv(Report("r", "", "", (), columns)) == "channel,cost\r\n"


def test_a_spreadsheet_runs_nothing_that_a_name_holds() -> None:
    report = Report("r", "", "", columns=(), rows=(("=HYPERLINK(1)", 3, -2.5, None),))
    assert as_csv(report) == "\r\n'=HYPERLINK(1),3,-2.5,\r\n"
