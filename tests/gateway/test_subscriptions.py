"""Systems that are told what happens: what they get, in which order, through outages, restarts and replays."""

import asyncio
import base64
import hashlib
import hmac
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.clock import Clock
from gateway.commands import AddNote, Command, CommandRefused, Resolve
from gateway.commands.subscriptions import OpenSubscription, ResumeSubscription
from gateway.config import Config, ConfigError, load_config
from gateway.store.subscriptions import refused_events, subscriptions
from gateway.subscriptions.cloud_events import CloudEvents
from gateway.subscriptions.courier import REFUSED_AT_MOST, Courier, of_kinds
from gateway.subscriptions.entries import Entry, entries_after
from notifiers.errors import NotifierError, TryLater, Undeliverable, Unknown
from tests.gateway.making import Gateway, gateway
from tests.gateway.web_visit import visit
from tests.notifiers.servers import Answer, Request, http_server

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OURS = "https://support.example"


@dataclass
class Hands:
    """Commands go to the one writer; the clock is moved by hand."""

    made: Gateway
    seconds: float = 0.0
    submitted: list[Command] = field(default_factory=list)

    async def submit(self, command: Command) -> Any:
        self.submitted.append(command)
        return self.made.submit(command)


class HandClock(Clock):
    """Shows what it is told."""

    def __init__(self, made: Gateway) -> None:
        object.__setattr__(self, "_made", made)

    def now(self) -> datetime:
        made: Gateway = object.__getattribute__(self, "_made")
        return made.now


@dataclass
class Recorder:
    """A sink that answers as it was told, and keeps what it took."""

    outcomes: list[NotifierError | None]
    name: str = "crm"
    tried: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, entry: Entry, now: datetime) -> None:
        self.tried.append(entry.id)
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        self.taken.append(entry.id)
        self.news.set()

    async def close(self) -> None:
        """Nothing is open."""


def happen(made: Gateway, times: int = 1) -> None:
    """Open a case, and write ``times`` notes into it."""
    made.temperature(-5, 0)
    made.temperature(-5, 11)
    for number in range(times):
        made.submit(AddNote(1, f"note {number}", by="Mia"))


async def settle(courier: Courier, made: Gateway, rounds: int = 40) -> None:
    """Let the courier work until nothing is left to do now, and move the clock past every wait."""
    for _ in range(rounds):
        while await courier.carry():
            pass
        [row] = made.rows(subscriptions)
        if row["next_try_at"] is None:
            return
        made.now = max(made.now, row["next_try_at"])


def courier_of(made: Gateway, sink: Recorder | CloudEvents, *kinds: str) -> Courier:
    made.submit(OpenSubscription(sink.name))
    return Courier(sink, made.store, Hands(made), HandClock(made), of_kinds(kinds), random.Random(1))


@asynccontextmanager
async def told(
    made: Gateway, behaviour: Callable[[Request], Answer | str], *, texts: bool = False
) -> AsyncIterator[Any]:
    """A courier with a real sink to a real server; yields (courier, server)."""
    async with http_server(behaviour) as server:
        sink = CloudEvents("crm", f"{server.url}/events", SECRET, OURS, texts=texts, timeout_s=1.0)
        try:
            yield courier_of(made, sink), server
        finally:
            await sink.close()


def ids(made: Gateway) -> list[int]:
    with made.store.read() as connection:
        return [entry.id for entry in entries_after(connection, 0, 1000)]


async def test_what_happens_arrives_as_signed_cloud_events_in_order(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        async with told(made, lambda _: Answer(204)) as (courier, server):
            happen(made)
            made.submit(Resolve(1, by="Mia", resolution="door closed"))
            await settle(courier, made)
            events = [json.loads(request.body) for request in server.requests]
            assert [event["id"] for event in events] == [f"entry_{number}" for number in ids(made)]
            assert events[0]["type"] == "support.case.opened"
            assert events[0]["subject"] == "cases/1"
            assert events[0]["data"]["case"]["url"] == f"{OURS}/cases/1"
            assert events[0]["data"]["case"]["title"] == "is too warm"
            assert events[-1]["data"]["case"]["resolution"] == "door closed"
            for request in server.requests:
                signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode()
                digest = hmac.digest(b"k" * 32, signed + request.body, hashlib.sha256)
                assert request.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
                assert request.headers["content-type"].startswith("application/cloudevents+json")


@pytest.mark.parametrize("texts", [False, True])
async def test_what_people_wrote_goes_along_only_where_it_was_asked_for(
    store_url: str, tmp_path: Path, texts: bool
) -> None:
    with gateway(store_url, tmp_path) as made:
        async with told(made, lambda _: Answer(200), texts=texts) as (courier, server):
            happen(made)
            await settle(courier, made)
            everything = b"".join(request.body for request in server.requests).decode()
            assert ("note 0" in everything) is texts
            assert "Ana" not in everything
            assert "ana@example.com" not in everything


async def test_an_outage_delays_and_loses_nothing(store_url: str, tmp_path: Path) -> None:
    answers: list[Answer | str] = [Answer(503, headers=(("Retry-After", "900"),)), Answer(500), "reset", "close"]
    with gateway(store_url, tmp_path) as made:
        async with told(made, lambda _: answers.pop(0) if answers else Answer(200)) as (courier, server):
            happen(made, 3)
            begun = made.now
            await settle(courier, made)
            first, *others = [request.headers["webhook-id"] for request in server.requests]
            assert others[:4] == [first] * 4
            assert [*dict.fromkeys([first, *others])] == [f"entry_{number}" for number in ids(made)]
            assert made.now - begun >= timedelta(seconds=900)
            [row] = made.rows(subscriptions)
            assert (row["failures"], row["reason"], row["failing_since"]) == (0, None, None)


async def test_one_event_that_is_refused_again_and_again_is_put_aside_and_the_rest_goes_on(
    store_url: str, tmp_path: Path
) -> None:
    with gateway(store_url, tmp_path) as made:
        sink = Recorder([])
        courier = courier_of(made, sink)
        happen(made, 2)
        sink.outcomes = [Undeliverable("crm", "http_422", "it refused the message")] * REFUSED_AT_MOST
        await settle(courier, made)
        first, *rest = ids(made)
        assert sink.taken == rest
        [aside] = made.rows(refused_events)
        assert (aside["entry_id"], aside["kind"], aside["case_id"]) == (first, "opened", 1)


async def test_a_system_that_is_gone_for_days_is_paused_until_a_person_lets_it_go_on(
    store_url: str, tmp_path: Path
) -> None:
    with gateway(store_url, tmp_path) as made:
        sink = Recorder([TryLater("crm", "connect", "it takes no connection; check that it is up")] * 500)
        courier = courier_of(made, sink)
        happen(made)
        await settle(courier, made, rounds=200)
        [row] = made.rows(subscriptions)
        assert row["state"] == "paused"
        tries = len(sink.tried)
        made.now += timedelta(days=30)
        await settle(courier, made)
        assert len(sink.tried) == tries
        sink.outcomes.clear()
        made.submit(ResumeSubscription("crm", by="Ada"))
        await settle(courier, made)
        assert sink.taken == ids(made)


async def test_a_replay_sends_the_same_events_with_the_same_ids(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        sink = Recorder([])
        courier = courier_of(made, sink)
        happen(made, 3)
        await settle(courier, made)
        made.submit(ResumeSubscription("crm", by="Ada", after=ids(made)[1]))
        await settle(courier, made)
        assert sink.taken == [*ids(made), *ids(made)[2:]]


async def test_a_new_system_hears_of_what_happens_from_now_on(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        happen(made)
        before = ids(made)
        sink = Recorder([])
        courier = courier_of(made, sink)
        made.submit(AddNote(1, "later", by="Mia"))
        await settle(courier, made)
        assert sink.taken == ids(made)[len(before) :]


async def test_kinds_that_were_not_asked_for_are_passed_over(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        sink = Recorder([])
        courier = courier_of(made, sink, "opened", "resolved")
        happen(made, 3)
        made.submit(Resolve(1, by="Mia"))
        await settle(courier, made)
        assert len(sink.taken) == 2
        assert made.rows(subscriptions)[0]["position"] == ids(made)[-1]


OUTCOMES: Sequence[NotifierError | None] = (
    None,
    TryLater("crm", "http_503", "busy"),
    Unknown("crm", "read_timeout", "no answer"),
    Undeliverable("crm", "http_422", "no"),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(OUTCOMES), max_size=25), st.integers(0, 25))
def test_whatever_goes_wrong_each_event_is_taken_in_order_or_put_aside(
    tmp_path_factory: pytest.TempPathFactory, outcomes: list[NotifierError | None], restart_after: int
) -> None:
    async def play() -> None:
        folder = tmp_path_factory.mktemp("play")
        with gateway(f"sqlite:///{folder / 'gateway.sqlite'}", folder) as made:
            sink = Recorder(list(outcomes))
            courier = courier_of(made, sink)
            happen(made, 4)
            for _ in range(restart_after):
                await courier.carry()
            # A new process knows what was committed, and nothing else.
            await settle(courier_of(made, sink), made)
            aside = [row["entry_id"] for row in made.rows(refused_events)]
            taken = [*dict.fromkeys(sink.taken)]
            assert taken == sorted(taken)
            assert sorted(taken + aside) == ids(made)

    asyncio.run(play())


async def test_it_runs_by_itself_and_stops_when_it_is_cancelled(store_url: str, tmp_path: Path) -> None:
    with gateway(store_url, tmp_path) as made:
        sink = Recorder([])
        courier = courier_of(made, sink)
        running = asyncio.create_task(courier.run())
        happen(made)
        courier.wake()
        while sink.taken != ids(made):
            await asyncio.wait_for(sink.news.wait(), 30)
            sink.news.clear()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_the_console_shows_where_each_system_stands_and_an_admin_sends_again(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        web.town.do(OpenSubscription("crm"))
        assert "Systems that are told what happens" in await web.page("/admin")
        assert (await web.script("/admin/subscriptions/resume", {"name": "crm", "after": "x"})).status == 422
        assert (await web.script("/admin/subscriptions/resume", {"name": "nobody"})).status == 409
        assert (await web.script("/admin/subscriptions/resume", {"name": "crm", "after": "0"})).status == 200
        [item] = (await (await web.api("GET", "/api/subscriptions")).json())["items"]
        assert (item["name"], item["position"], item["state"]) == ("crm", 0, "active")


def test_an_unknown_subscription_cannot_be_resumed(store_url: str, tmp_path: Path) -> None:
    with (
        gateway(store_url, tmp_path) as made,
        pytest.raises(CommandRefused, match=r"no subscription 'x'; see \[\[subscriptions\]\]"),
    ):
        made.submit(ResumeSubscription("x", by="Ada"))


def test_a_secret_of_another_form_is_refused_with_its_line_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[[subscriptions]]\nname = "crm"\nurl = "https://crm.example/hook"\nsecret = "hunter2"\n')
    with pytest.raises(ConfigError) as refused:
        load_config(file, {})
    assert "gateway.toml:4: subscriptions.0.secret: a webhook secret is whsec_" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert Config().subscriptions == ()
