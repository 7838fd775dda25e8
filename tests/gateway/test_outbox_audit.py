"""The outbox's audit of itself: silent while all is well, an alarm for each way in which promise and report part."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from gateway import commands as c
from gateway.outbox.audit import KEY, LATE, SENTENCES, Auditor, audit
from gateway.outbox.metrics import OutboxMetrics
from gateway.store import schema
from tests.gateway.making import Gateway
from tests.gateway.sending import Running
from tests.gateway.test_ladder import break_down, opened, send

N, R = schema.notifications, schema.receipts


def found(made: Gateway, later: timedelta = timedelta(minutes=20)) -> dict[str, int]:
    """What an audit finds after some time."""
    with made.store.read() as connection:
        findings = audit(connection, made.now + later)
    assert {finding.name for finding in findings} == set(SENTENCES)
    return {finding.name: finding.count for finding in findings if finding.count}


def change(made: Gateway, statement: Any) -> None:
    """Do to the store what no command would."""
    with made.store.write() as connection:
        connection.execute(statement)


def test_messages_on_every_way_of_theirs_are_no_finding(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made, provider_speaks=False)
        assert found(made, timedelta(minutes=1)) == {}
        send(made)
        assert found(made) == {}
        made.submit(c.ReceiptArrived("twilio", "SM1", "delivered"))
        made.submit(c.ReceiptArrived("twilio", "SM1", "read"))
        assert found(made) == {}


def test_a_failure_and_its_next_channel_are_no_finding(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made, provider_speaks=False)
        send(made)
        made.submit(c.ReceiptArrived("twilio", "SM1", "failed", "30007"))
        send(made, "SM2")
        assert found(made) == {}


def test_what_nobody_carries_out_is_found_unless_it_is_held(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made, provider_speaks=False)
        assert found(made) == {"waiting": 1}
        made.submit(c.Hold(on=True, by="test"))
        assert found(made) == {}


Break = Callable[[Gateway], None]


def unanswered(made: Gateway) -> None:
    change(made, sa.update(N).values(state="handed_over"))


def receipt_lost_its_row(made: Gateway) -> None:
    made.submit(c.ReceiptArrived("twilio", "SM1", "delivered"))
    change(made, sa.update(N).values(state="accepted"))


def delivered_by_nobodys_word(made: Gateway) -> None:
    change(made, sa.update(N).values(state="delivered"))


def row_is_gone(made: Gateway) -> None:
    change(made, sa.delete(N))


def somebody_elses(made: Gateway) -> None:
    made.submit(c.ReceiptArrived("twilio", "SM999", "delivered"))


@pytest.mark.parametrize(
    ("harm", "finding"),
    [
        (unanswered, "unanswered"),
        (receipt_lost_its_row, "parted"),
        (delivered_by_nobodys_word, "unproven"),
        (row_is_gone, "missing"),
        (somebody_elses, "stranger"),
    ],
)
def test_each_way_to_part_is_found(store_url: str, tmp_path: Path, harm: Break, finding: str) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made, provider_speaks=False)
        send(made)
        harm(made)
        assert found(made) == {finding: 1}


def test_a_provider_whose_receipts_stopped_is_found(store_url: str, tmp_path: Path) -> None:
    with opened(store_url, tmp_path) as made:
        break_down(made, provider_speaks=False)
        row = dict(send(made))
        made.submit(c.ReceiptArrived("twilio", "SM1", "delivered"))
        made.now += timedelta(hours=8)
        many = [
            row | {"id": 100 + i, "key": f"k{i}", "provider_id": f"SM{100 + i}", "accepted_at": made.now}
            for i in range(20)
        ]
        change(made, sa.insert(N).values(many))
        assert found(made, timedelta(hours=2)) == {"silent": 21}
        made.submit(c.ReceiptArrived("twilio", "SM100", "delivered"))
        assert found(made, timedelta(hours=2)) == {}


async def test_an_alarm_is_raised_once_counted_and_shown_and_a_heartbeat_that_stops_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(f"sqlite:///{tmp_path / 'g.sqlite'}", tmp_path) as made:
        running, registry = Running(made, []), CollectorRegistry()
        clock = running.sender()._clock
        auditor = Auditor(made.store, running, clock, OutboxMetrics(registry))
        await auditor.look()
        assert auditor.status() == {"ok": True, "detail": "messages and receipts agree"}
        break_down(made, provider_speaks=False)
        running.later(timedelta(minutes=20))
        for _ in range(2):
            await auditor.look()
        assert capsys.readouterr().out.count("outbox.audit_alarm") == 1
        assert auditor.status()["ok"] is False
        assert SENTENCES["waiting"] in auditor.status()["detail"]
        assert registry.get_sample_value("gateway_outbox_audit_findings", {"finding": "waiting"}) == 1
        assert registry.get_sample_value("gateway_outbox_audit_timestamp_seconds") == made.now.timestamp()
        [row] = made.rows(schema.meta, key=KEY)
        assert (row["value"]["findings"]["waiting"], row["value"]["cases"]) == (1, {"waiting": [1]})
        send(made)
        await auditor.look()
        assert "outbox.audit_well" in capsys.readouterr().out
        running.later(LATE + timedelta(seconds=1))
        assert auditor.status() == {"ok": False, "detail": "the last one was 5 minutes ago"}
