"""Tickets in Zendesk and Freshdesk: made once, kept in step both ways, without a loop, through outages."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.commands import AddNote, CustomerWrote, MergeCase, OpenCase, Reopen, Resolve, UnmergeCase
from gateway.config import Config, ConfigError, load_config
from gateway.help_desks.hook import HelpDeskHook
from gateway.help_desks.opening import open_help_desks
from gateway.help_desks.zendesk import is_genuine
from gateway.store import schema
from gateway.store.subscriptions import refused_events, subscriptions
from gateway.store.tickets import tickets
from gateway.subscriptions.courier import Courier
from tests.gateway.help_desk_servers import FreshdeskServer, HelpDeskServer, Stored, ZendeskServer
from tests.gateway.making import Gateway, gateway
from tests.gateway.test_subscriptions import HandClock, Hands, happen, settle
from tests.gateway.web_visit import visit
from tests.notifiers.servers import CLOSE, RESET, Answer, http_server

SECRET = "webhook-secret-of-the-tests"


@dataclass
class Pair:
    """A gateway and its help desk."""

    made: Gateway
    there: HelpDeskServer
    courier: Courier
    hook: HelpDeskHook

    @property
    def ticket(self) -> Stored:
        [ticket] = self.there.tickets
        return ticket

    async def told(self) -> None:
        """Let the help desk be told everything."""
        await settle(self.courier, self.made)

    async def changed(self) -> bool:
        """The help desk posts that its ticket changed."""
        return await self.hook.take(json.dumps({"ticket_id": self.ticket.id}).encode())

    def restart(self) -> None:
        """The gateway's process is another one."""
        self.courier, self.hook = couriers(self.made, self.there)


def couriers(made: Gateway, there: HelpDeskServer) -> tuple[Courier, HelpDeskHook]:
    kind = "zendesk" if isinstance(there, ZendeskServer) else "freshdesk"
    section = {"kind": kind, "url": there.base, "token": "zd-token" if kind == "zendesk" else "fd-token"}
    section |= {"user": "bot@acme.example", "requester_email": "bot@acme.example", "webhook_secret": SECRET}
    config = Config.model_validate({"help_desks": [section], "web": {"public_url": "https://support.example"}})
    hands = Hands(made)
    [(sink, hook)] = open_help_desks(config, made.store, hands, "installation secret")
    assert hook is not None
    return Courier(sink, made.store, hands, HandClock(made), sink.wants), hook


@pytest.fixture(params=[ZendeskServer, FreshdeskServer])
def there(request: pytest.FixtureRequest) -> HelpDeskServer:
    """Each kind of help desk."""
    made: HelpDeskServer = request.param()
    return made


@asynccontextmanager
async def paired(there: HelpDeskServer, tmp_path: Path) -> AsyncIterator[Pair]:
    with gateway(f"sqlite:///{tmp_path / 'gateway.sqlite'}", tmp_path) as made:
        async with http_server(there) as server:
            there.base = server.url
            courier, hook = couriers(made, there)
            await courier.open()
            yield Pair(made, there, courier, hook)


def texts(ticket: Stored) -> list[str]:
    return [str(one["text"]) for one in ticket.comments]


async def test_a_case_is_one_ticket_with_what_happened_as_private_comments(
    there: HelpDeskServer, tmp_path: Path
) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        await pair.told()
        ticket = pair.ticket
        assert ticket.fields["subject"] == "is too warm (f1)"
        assert "rule-freezer-too-warm" in ticket.fields["tags"]
        assert "https://support.example/cases/1" in json.dumps(ticket.fields)
        assert any("Mia: note 0" in text for text in texts(ticket))
        assert not any(one["public"] for one in ticket.comments)
        everything = json.dumps([ticket.fields, ticket.comments])
        assert "ana@example.com" not in everything
        assert "Ana Souza" not in everything


async def test_the_end_and_the_return_of_a_fault_set_the_status(there: HelpDeskServer, tmp_path: Path) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        pair.made.submit(Resolve(1, by="Mia", resolution="door closed"))
        await pair.told()
        assert pair.ticket.status == "solved"
        assert any("door closed" in text for text in texts(pair.ticket))
        pair.made.submit(Reopen(1, by="Mia"))
        await pair.told()
        assert pair.ticket.status == "open"


async def test_the_ticket_of_a_merged_case_is_solved_and_opens_again_when_they_part(
    there: HelpDeskServer, tmp_path: Path
) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        await pair.told()
        kept = pair.made.submit(OpenCase("It hums", "Mia", "f1"))
        pair.made.submit(MergeCase(1, kept, "Mia"))
        await pair.told()
        ticket = next(one for one in there.tickets if "is too warm (f1)" in one.fields["subject"])
        assert ticket.status == "solved"
        assert any(f"merged it into case #{kept}" in text for text in texts(ticket))
        assert [one.status for one in there.tickets if one is not ticket] == ["open"]
        pair.made.submit(UnmergeCase(1, "Mia"))
        await pair.told()
        assert ticket.status == "open"


async def test_what_is_written_there_reaches_the_customer_or_the_case_once(
    there: HelpDeskServer, tmp_path: Path
) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        await pair.told()
        there.says(pair.ticket, "Please close the door.", public=True)
        there.says(pair.ticket, "Called her, nobody answered.", public=False)
        for _ in range(2):
            assert await pair.changed()
        sent = [row["text"] for row in pair.made.rows(schema.notifications, template="agent_reply")]
        assert sent == ["Please close the door."]
        notes = [row["body"]["text"] for row in pair.made.rows(schema.timeline, kind="note")]
        assert notes == ["note 0", "Called her, nobody answered."]


async def test_nothing_goes_round_in_a_circle(there: HelpDeskServer, tmp_path: Path) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        await pair.told()
        there.says(pair.ticket, "Please close the door.", public=True)
        before = len(pair.ticket.comments)
        for _ in range(3):
            await pair.changed()
            await pair.told()
        assert len(pair.ticket.comments) == before
        assert len(pair.made.rows(schema.timeline, kind="note")) == 1


async def test_solved_there_is_resolved_here_and_reopened_there_is_open_here(
    there: HelpDeskServer, tmp_path: Path
) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        await pair.told()
        pair.ticket.status = "solved"
        await pair.changed()
        [case] = pair.made.rows(schema.cases)
        assert (case["state"], case["resolved_by"]) == ("resolved", f"{pair.hook.name}:status")
        await pair.told()
        pair.ticket.status = "open"
        await pair.changed()
        assert pair.made.rows(schema.cases)[0]["state"] == "open"


async def test_a_comment_on_a_ticket_that_is_still_solved_does_not_close_a_case_that_came_back(
    there: HelpDeskServer, tmp_path: Path
) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        pair.made.submit(Resolve(1, by="Mia"))
        await pair.told()
        pair.made.submit(Reopen(1, by="Mia"))
        there.says(pair.ticket, "It is back?", public=False)
        await pair.changed()
        assert pair.made.rows(schema.cases)[0]["state"] == "open"
        await pair.told()
        assert pair.ticket.status == "open"


@pytest.mark.parametrize("lost", [Answer(500), RESET, CLOSE])
async def test_a_lost_answer_makes_neither_a_second_ticket_nor_a_second_comment(
    there: HelpDeskServer, tmp_path: Path, lost: Answer | str
) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        there.late = [lost]
        await pair.told()
        pair.made.submit(AddNote(1, "said once", by="Mia"))
        there.late = [lost]
        await pair.told()
        assert sum("said once" in text for text in texts(pair.ticket)) == 1


async def test_after_a_restart_the_last_entry_may_come_again_and_is_found(
    there: HelpDeskServer, tmp_path: Path
) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        await pair.told()
        before = len(pair.ticket.comments)
        [row] = pair.made.rows(subscriptions)
        with pair.made.store.write() as connection:
            # As after a crash between the comment and its commit.
            connection.execute(subscriptions.update().values(position=row["position"] - 1))
        pair.restart()
        await pair.told()
        assert len(pair.ticket.comments) == before


async def test_an_outage_and_a_rate_limit_delay_and_lose_nothing(there: HelpDeskServer, tmp_path: Path) -> None:
    async with paired(there, tmp_path) as pair:
        there.plan = [Answer(429, headers=(("Retry-After", "60"),)), Answer(503), RESET, Answer(401)]
        happen(pair.made, 2)
        await pair.told()
        assert sum("note" in text for text in texts(pair.ticket)) == 2
        assert pair.made.rows(refused_events) == []


async def test_what_the_customer_writes_is_told_there(there: HelpDeskServer, tmp_path: Path) -> None:
    async with paired(there, tmp_path) as pair:
        happen(pair.made)
        pair.made.submit(CustomerWrote("page", "w1", "page", "ana", "when do you come?", 1, "ana"))
        await pair.told()
        assert any("The customer wrote (page):\nwhen do you come?" in text for text in texts(pair.ticket))


async def test_a_ticket_of_nobody_changes_nothing(there: HelpDeskServer, tmp_path: Path) -> None:
    async with paired(there, tmp_path) as pair:
        for body in (b'{"ticket_id": 4711}', b"{}", b"no json", b'{"ticket_id": ["x"]}'):
            assert await pair.hook.take(body) is False


def signed(body: bytes, stamp: str = "2026-03-02T10:00:00Z", secret: str = SECRET) -> dict[str, str]:
    digest = hmac.digest(secret.encode(), stamp.encode() + body, hashlib.sha256)
    return {
        "X-Zendesk-Webhook-Signature": base64.b64encode(digest).decode(),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
    }


def test_only_what_zendesk_signed_over_this_very_body_is_believed() -> None:
    body = b'{"ticket_id": 1}'
    assert is_genuine(SECRET, signed(body), body)
    assert not is_genuine(SECRET, signed(body), body + b" ")
    assert not is_genuine(SECRET, signed(body, secret="another"), body)
    assert not is_genuine(SECRET, {**signed(body), "X-Zendesk-Webhook-Signature-Timestamp": "2026"}, body)
    assert not is_genuine(SECRET, {}, body)


async def test_the_address_takes_signed_posts_and_asks_for_another_try_while_the_help_desk_is_down(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    there, own = ZendeskServer(), tmp_path_factory.mktemp("own")
    async with visit(tmp_path, None, empty=True) as web, paired(there, own) as pair:
        happen(pair.made)
        await pair.told()
        web.town.deps = replace(web.town.deps, help_desks={"zendesk": pair.hook}, metrics=type(web.town.deps.metrics)())
        async with TestClient(TestServer(web.town.app())) as client:
            body = json.dumps({"ticket_id": pair.ticket.id}).encode()
            path = "/webhooks/help-desks/zendesk"
            assert (await client.post(path, data=body)).status == 403
            assert (await client.post("/webhooks/help-desks/other", data=body, headers=signed(body))).status == 404
            there.plan = [Answer(503)]
            down = await client.post(path, data=body, headers=signed(body))
            assert (down.status, down.headers["Retry-After"]) == (503, "30")
            there.says(pair.ticket, "We come at ten.", public=True)
            assert (await client.post(path, data=body, headers=signed(body))).status == 200
        assert [row["text"] for row in pair.made.rows(schema.notifications, template="agent_reply")] == [
            "We come at ten."
        ]
        assert len(pair.made.rows(tickets)) == 1


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('kind = "zendesk"\nurl = "https://a.example"\ntoken = "t"', "user is missing"),
        ('kind = "freshdesk"\nurl = "https://a.example"\ntoken = "t"', "requester_email is missing"),
        ('kind = "jira"\nurl = "https://a.example"\ntoken = "t"', "'zendesk' or 'freshdesk'"),
    ],
)
def test_a_help_desk_without_its_login_is_refused_with_its_line(tmp_path: Path, lines: str, said: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f"[[help_desks]]\n{lines}\n")
    with pytest.raises(ConfigError, match=r"gateway\.toml:\d: help_desks\.0.*" + said):
        load_config(file, {})
