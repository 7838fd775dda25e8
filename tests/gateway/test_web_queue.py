"""The queue: the most urgent first, with its reason; filters, search and pages; and its cost."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.commands import Acknowledge, Assign, Escalate, GiveVerdict, Reply, Resolve, Upsert
from gateway.store import schema
from gateway.store.verdicts import verdicts
from gateway.web.queries import queue, search
from gateway.web.queries.queue import QueueFilter, Reason, View
from tests.gateway.web_fleet import NOW, Town, town
from tests.gateway.web_visit import visit


def needing(made: Town, **wanted: object) -> list[tuple[str, str]]:
    """The queue as (device, rule), in its order."""
    with made.store.read() as connection:
        page = queue.load(connection, QueueFilter(user="Mia", **wanted), NOW)  # type: ignore[arg-type]
    return [(row.case.device_id, row.case.rule) for row in page.rows]


def add_case(made: Town, case_id: int, **values: object) -> None:
    """Put a case into the store as it stands."""
    row = {
        "id": case_id,
        "dedupe_key": f"d|{case_id}",
        "rule": "rule",
        "fault": "",
        "kind": "condition",
        "device_id": f"d{case_id}",
        "severity": "major",
        "purpose": "fault",
        "state": "open",
        "on_arrival": False,
        "explanation": {},
        "opened_at": NOW,
        "updated_at": NOW,
        "needs_reply": False,
        "reopened": 0,
        "version": 1,
        **values,
    }
    with made.store.write() as connection:
        connection.execute(sa.insert(schema.cases).values(row))


def add_waiting_message(made: Town, case_id: int) -> None:
    """Put a message of a case into the outbox that waits for approval."""
    row = {
        "key": f"k{case_id}",
        "case_id": case_id,
        "customer_id": "c",
        "purpose": "fault",
        "severity": "major",
        "template": "fault_opened",
        "facts": {},
        "state": "awaiting_approval",
        "why": [],
        "tried": [],
        "attempts": 0,
        "created_at": NOW,
        "updated_at": NOW,
    }
    with made.store.write() as connection:
        connection.execute(sa.insert(schema.notifications).values(row))


def due(target: str = "first_response", **after: float) -> dict[str, object]:
    """What stands on a case whose clock is due so long after NOW, and warns a quarter of an hour before."""
    at = NOW + timedelta(**after)
    return {"sla_target": target, "sla_since": NOW, "sla_due_at": at, "sla_warn_at": at - timedelta(minutes=15)}


async def test_an_answer_overdue_comes_before_approvals_replies_and_what_is_due_later(tmp_path: Path) -> None:
    async with town(tmp_path, empty=True) as made:
        answered = {"first_response_at": NOW, "acknowledged_at": NOW}
        add_case(made, 1, first_response_at=NOW)
        add_case(made, 2, **due(hours=2))
        add_case(made, 3, **due(hours=1))
        add_case(made, 4, needs_reply=True, **answered)
        add_case(made, 5, **answered)
        add_case(made, 6, **due(minutes=-5))
        add_case(made, 7, **due(hours=-5))
        add_case(made, 8, **answered)
        add_case(made, 9, **due(hours=-9), on_arrival=True)
        add_case(made, 10, **due(hours=-9), state="resolved")
        # Solutions: one overdue, one about to be, one in good time, which needs nobody now.
        add_case(made, 11, **due("resolve", hours=-1), **answered)
        add_case(made, 12, **due("resolve", minutes=10), **answered)
        add_case(made, 13, **due("resolve", hours=3), **answered)
        add_waiting_message(made, 5)
        assert [device for device, _ in needing(made)] == ["d7", "d6", "d5", "d4", "d11", "d12", "d3", "d2", "d1"]


async def test_an_escalated_case_needs_somebody_until_it_is_no_longer(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-yusuf")["id"]
        await web.town.submit(Reply(case, "We look at it.", "Mia"))
        before = dict(needing(web.town)).keys()
        await web.town.submit(Escalate(case, "wants a refund", "Mia"))
        assert needing(web.town)[0] == ("f-yusuf", web.town.case_of("f-yusuf")["rule"])
        assert '<span class="late">Escalated' in await web.page("/?fragment=rows")
        assert f'id="case-{case}"' in await web.page("/?view=escalated&fragment=rows")
        await web.script(f"/cases/{case}/escalate")
        assert dict(needing(web.town)).keys() == before
        assert f'id="case-{case}"' not in await web.page("/?view=escalated&fragment=rows")


async def test_each_row_says_why_it_is_here(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        with web.town.store.read() as connection:
            page = queue.load(connection, QueueFilter(), NOW)
        reasons = {(row.case.device_id, row.case.rule): row.reasons for row in page.rows}
        assert reasons["f-souza", "freezer-compressor-stopped"] == (Reason.REPLY,)
        assert reasons["f-lumen", "freezer-cools-poorly"] == (Reason.APPROVAL, Reason.DUE)
        text = await web.page("/")
        assert "Reply: “Sim, às 17h está ótimo. Obrigada!”" in text
        assert "Message waits for approval" in text


async def test_what_was_so_on_arrival_stands_in_its_own_list(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        assert "f-hotel-2" not in {device for device, _ in needing(web.town)}
        assert "Cold store 2" in await web.page("/arrival")


async def test_a_resolved_case_leaves_the_queue_and_a_claimed_one_is_mine(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        lumen = web.town.case_of("f-lumen", "freezer-cools-poorly")["id"]
        yusuf = web.town.case_of("f-yusuf")["id"]
        web.town.do(Acknowledge(lumen, "Mia"))
        web.town.do(Resolve(yusuf, "Mia"))
        assert ("f-lumen", "freezer-cools-poorly") in needing(web.town, view=View.MINE)
        assert "f-yusuf" not in {device for device, _ in needing(web.town)}
        assert "f-yusuf" in {device for device, _ in needing(web.town, view=View.RESOLVED)}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("souza", {"f-souza"}),
        ("SOUZA garage", {"f-souza"}),
        ("NK-41207", {"f-lumen"}),
        ("Pankow", {"h-meier"}),
        ("técnico", set()),
        ("ótimo", {"f-souza"}),
        ("relay", {"f-souza"}),
        ("heating-pressure", {"h-meier"}),
        ("يوسف", {"f-yusuf"}),
        ("100%", set()),
        ("_", set()),
        ("' OR 1=1 --", set()),
        ("souza nobody", set()),
    ],
)
async def test_search_finds_customer_device_serial_rule_and_words(tmp_path: Path, words: str, found: set[str]) -> None:
    async with visit(tmp_path) as web:
        assert {device for device, _ in needing(web.town, view=View.OPEN, words=words)} == found


async def test_what_one_list_does_not_hold_is_found_in_all_of_them(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        assert [device for device, _ in needing(web.town, view=View.RESOLVED, words="meier")] == ["f-meier"]
        assert "/?view=any&amp;q=meier" in (await web.page("/?view=resting&q=meier")).replace('href="?', 'href="/?')
        assert "f-meier" in {device for device, _ in needing(web.town, view=View.ANY, words="meier")}
        ended = web.town.case_of("f-meier")["id"]
        suggested = (await (await web.get(f"/suggest?q=%23{ended}")).json())["items"]
        assert [item["href"] for item in suggested] == [f"/cases/{ended}"]


async def test_search_by_number_finds_that_case(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza")
        with web.town.store.read() as connection:
            assert search.case_ids(connection, f"#{case['id']}") == [case["id"]]
            assert search.case_ids(connection, "#" + "9" * 40) == []


async def test_filters_live_in_the_url(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        minor = await web.page("/?severity=minor")
        assert "Freezer&#39;s door is open" in minor
        assert "Freezer is getting too warm" not in minor
        assert (await web.get("/?view=nonsense")).status == 404
        assert "Nothing matches" in await web.page("/?q=zzz")
        assert (await web.get("/?page=999999999999")).status == 200


async def test_a_long_queue_comes_in_pages_without_gap_or_repeat(tmp_path: Path) -> None:
    async with town(tmp_path, empty=True) as made:
        for case_id in range(1, 121):
            add_case(made, case_id, **due(minutes=case_id))
        pages = [[device for device, _ in needing(made, page=number)] for number in (1, 2, 3, 4)]
        assert [len(page) for page in pages] == [50, 50, 20, 0]
        assert [device for page in pages for device in page] == [f"d{case_id}" for case_id in range(1, 121)]


async def test_an_empty_queue_teaches(tmp_path: Path) -> None:
    async with visit(tmp_path, empty=True) as web:
        text = await web.page("/")
        assert "Nobody needs you right now" in text
        assert "mosquitto_pub" in text


async def test_markup_in_names_and_messages_stays_text(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    async with visit(tmp_path, "Ada") as web:
        customer = {"id": "c-souza", "name": evil, "locale": "en", "phone": "+5511912345678"}
        device = {"id": "f-souza", "profile": "freezer", "customer_id": "c-souza", "name": evil, "site": evil}
        web.town.do(Upsert("customers", (customer,), by="test"))
        web.town.do(Upsert("devices", (device,), by="test"))
        case = web.town.case_of("f-souza")["id"]
        await web.script(f"/cases/{case}/note", {"text": evil})
        await web.script(f"/cases/{case}/reply", {"text": evil})
        paths = ["/", "/?view=open", f"/preview/{case}", f"/cases/{case}", "/devices", "/devices/f-souza", "/messages"]
        paths += ["/rejected", "/admin", "/offers", "/messages?tab=moving", "/?q=%3Cimg+src%3Dx%3E"]
        for path in paths:
            text = await web.page(path)
            assert "<img src=x" not in text, path
            assert "<script>alert" not in text, path


async def test_bulk_does_what_it_can_and_names_what_was_refused(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        lumen, yusuf = web.town.case_of("f-lumen")["id"], web.town.case_of("f-yusuf")["id"]
        web.town.do(Resolve(yusuf, "Ben"))
        answer = await web.script("/bulk", {"action": "resolve", "ids": f"{lumen},{yusuf},424242"})
        outcome = await answer.json()
        assert outcome["done"] == 1
        assert set(outcome["refused"]) == {str(yusuf), "424242"}
        assert (await web.script("/bulk", {"action": "explode", "ids": str(lumen)})).status == 422


async def test_bulk_says_how_each_deed_is_taken_back(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        lumen, yusuf = web.town.case_of("f-lumen")["id"], web.town.case_of("f-yusuf")["id"]
        with web.town.store.write() as connection:
            free = sa.update(schema.cases).where(schema.cases.c.id == lumen)
            connection.execute(free.values(acknowledged_at=None, assignee=None))
        await web.town.submit(Assign(yusuf, "Ben", "Ben"))
        await web.town.submit(GiveVerdict(yusuf, "real", "Ben"))
        ids = f"{lumen},{yusuf}"

        async def there_and_back(action: str, **fields: str) -> set[str]:
            answer = await (await web.script("/bulk", {"action": action, "ids": ids, **fields})).json()
            for number, deed in answer["undo"].items():
                assert (await web.script(f"/cases/{number}/{deed['command']}", deed["fields"])).status == 200
            return set(answer["undo"])

        def standing() -> list[Any]:
            rows = [dict(web.town.rows(schema.cases, id=number)[0]) for number in (lumen, yusuf)]
            told = [(row["case_id"], row["verdict"]) for row in web.town.rows(verdicts)]
            names = ("state", "assignee", "acknowledged_at", "snoozed_until", "needs_reply")
            return [[row[name] for name in names] for row in rows] + told

        before = standing()
        assert await there_and_back("acknowledge") == {str(lumen)}
        assert await there_and_back("assign", assignee="Lea") == {str(lumen), str(yusuf)}
        assert await there_and_back("verdict", verdict="false_alarm") == {str(lumen), str(yusuf)}
        assert await there_and_back("resolve") == {str(lumen), str(yusuf)}
        assert standing() == before


async def test_resolving_beside_the_queue_asks_the_cause(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        case = web.town.case_of("f-souza", "freezer-compressor-stopped")["id"]
        pane = await web.page(f"/preview/{case}")
        assert 'name="found"' in pane
        assert pane.count(f'action="/cases/{case}/resolve"') == 1


async def test_the_queue_reads_by_its_indexes(tmp_path: Path) -> None:
    """A plan that scans the cases would cost more with every case that was ever resolved."""
    plans: list[str] = []
    async with town(tmp_path, empty=True) as made:
        with made.store.read() as connection:

            def explain(conn: sa.Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
                if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                    raw = conn.connection.cursor()
                    raw.execute("EXPLAIN QUERY PLAN " + statement, parameters)
                    plans.extend(str(row[3]) for row in raw.fetchall())

            sa.event.listen(connection, "before_cursor_execute", explain)
            queue.load(connection, QueueFilter(user="Mia"), NOW)
            queue.load(connection, QueueFilter(View.MINE, user="Mia"), NOW)
            queue.load(connection, QueueFilter(View.RESOLVED), NOW)
            queue.count(connection, "Mia", NOW)
    assert plans
    # SQLite says SCAN also where it walks a partial index, which holds only the few rows that are wanted.
    scans = [plan for plan in plans if plan.startswith(("SCAN cases", "SCAN notifications")) and "INDEX" not in plan]
    assert scans == []


async def test_who_was_given_a_case_claims_it_and_of_two_who_claim_one_is_refused(tmp_path: Path) -> None:
    async with visit(tmp_path) as web:
        given, free = web.town.case_of("f-yusuf")["id"], web.town.case_of("h-meier")["id"]
        with web.town.store.write() as connection:
            change = sa.update(schema.cases).where(schema.cases.c.id.in_((given, free)))
            connection.execute(change.values(acknowledged_at=None, assignee=None))
        await web.town.submit(Assign(given, "Mia", "Ben"))
        pane = await web.page(f"/preview/{given}")
        assert f'action="/cases/{given}/acknowledge"' in pane
        etag = re.search(rf"data-thing=\"/cases/{free}/\" data-etag='([^']+)'", await web.page(f"/preview/{free}"))
        assert etag
        await web.town.submit(Acknowledge(free, "Ben"))
        headers = {"Accept": "application/json", "X-CSRF-Token": web.csrf, "If-Match": etag[1]}
        assert (await web.client.post(f"/cases/{free}/acknowledge", headers=headers)).status == 412
        refused = await web.script(f"/cases/{free}/acknowledge")
        assert (refused.status, (await refused.json())["detail"][:10]) == (409, "Ben has it")
        many = await (await web.script("/bulk", {"action": "acknowledge", "ids": f"{given},{free}"})).json()
        assert (many["done"], list(many["refused"])) == (1, [str(free)])
