"""A forgotten password, from the page through a real SMTP server to the page that the mailed link opens."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.commands import SaveSession
from gateway.commands.accounts import OpenAccountLink, SetDisabled, SetEmail, SetLanguage
from gateway.config import Email
from gateway.store import schema
from gateway.store.ways_in import account_links
from gateway.web.auth import token_hash
from gateway.web.staff_mail import StaffMail
from tests.gateway.test_web_ways_in import form_token, log_in_by_form, set_password, set_up_second_factor
from tests.gateway.web_fleet import NOW, PASSWORD
from tests.gateway.web_visit import Visit, log_in, visit
from tests.system.test_smtp_transport import Postbox, running

MIA = "mia@nordkaelte.example"


@dataclass
class Office:
    """A gateway, and the mail server that it sends through."""

    web: Visit
    postbox: Postbox

    async def ask(self, who: str) -> tuple[int, str]:
        """Say who forgot their password; return the page that answers, without what differs from form to form."""
        page = await self.web.page("/forgotten")
        answer = await self.web.client.post("/forgotten", data={"_csrf": form_token(page), "who": who})
        return answer.status, re.sub(r'value="\w{64}"', "", await answer.text())

    async def mails(self, count: int) -> list[EmailMessage]:
        """Wait for so many mails."""
        async with asyncio.timeout(10):
            while len(self.postbox.mails) < count:
                await self.postbox.arrived.wait()
                self.postbox.arrived.clear()
        return self.postbox.mails


def path_in(mail: EmailMessage) -> str:
    found = re.search(r"http://127\.0\.0\.1:8080(/join/\S+)", mail.get_content())
    assert found is not None
    return found[1]


@asynccontextmanager
async def office(tmp_path: Path, user: str | None = None, **deps: object) -> AsyncIterator[Office]:
    postbox = Postbox()
    async with running(postbox) as port:
        email = {"url": f"smtp://127.0.0.1:{port}", "sender": "Nordkälte <help@nordkaelte.example>"}
        async with visit(tmp_path, user, empty=True, notifiers={"email": email}) as web:
            web.town.do(SetEmail("Mia", MIA, by="Mia"))
            if not deps:
                yield Office(web, postbox)
                return
            web.town.deps = replace(web.town.deps, metrics=type(web.town.deps.metrics)(), **deps)  # type: ignore[arg-type]
            async with TestClient(TestServer(web.town.app())) as client:
                yield Office(replace(web, client=client), postbox)


@pytest.mark.parametrize("who", ["Mia", MIA, MIA.upper()])
async def test_who_forgot_their_password_sets_a_new_one_by_a_mailed_link(tmp_path: Path, who: str) -> None:
    async with office(tmp_path) as o:
        o.web.town.do(SaveSession(token_hash("elsewhere"), "Mia", NOW + timedelta(days=30)))
        assert (await o.ask(who))[0] == 200
        [mail] = await o.mails(1)
        assert (mail["To"], mail["Auto-Submitted"]) == (MIA, "auto-generated")
        path = path_in(mail)
        assert path.rsplit("/", 1)[1] not in str(o.web.town.rows(account_links))
        assert (await set_password(o.web, path, "a new secret of hers"))[0] == 303
        assert [row["token_hash"] for row in o.web.town.rows(schema.sessions, user_name="Mia")] != [
            token_hash("elsewhere")
        ]
        assert len(o.web.town.rows(schema.sessions, user_name="Mia")) == 1
        assert (await o.web.get(path)).status == 404
        assert await log_in_by_form(o.web, "Mia", "a new secret of hers") == ""
        told = (await o.mails(2))[1]
        assert "password was changed" in str(told["Subject"])


async def test_the_page_says_the_same_whoever_is_asked_for_and_mails_only_who_may_have_a_link(tmp_path: Path) -> None:
    async with office(tmp_path) as o:
        o.web.town.do(SetEmail("Ben", "ben@nordkaelte.example", by="Ben"))
        o.web.town.do(SetDisabled("Ben", True, by="Ada"))
        answers = [await o.ask(who) for who in ("Nobody", "Vera", "Ben", "ben@nordkaelte.example", "Mia")]
        assert len(set(answers)) == 1
        [mail] = await o.mails(1)
        assert mail["To"] == MIA
        assert [row["user_name"] for row in o.web.town.rows(account_links)] == ["Mia"]


async def test_a_newer_link_ends_the_older_and_an_old_one_opens_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as o:
        await o.ask("Mia")
        await o.mails(1)
        await o.ask("Mia")
        first, second = (path_in(mail) for mail in await o.mails(2))
        assert (await o.web.get(first)).status == 404
        assert (await o.web.get(second)).status == 200
        with o.web.town.store.write() as connection:
            connection.execute(account_links.update().values(expires_at=NOW - timedelta(minutes=1)))
        assert (await o.web.get(second)).status == 404


async def test_a_stranger_who_knows_a_name_ends_no_link_that_an_admin_sent(tmp_path: Path) -> None:
    async with office(tmp_path) as o:
        o.web.town.do(OpenAccountLink(token_hash("ada's"), "Mia", None, NOW + timedelta(days=1), by="Ada"))
        await o.ask("Mia")
        [mail] = await o.mails(1)
        assert (await o.web.get("/join/ada's")).status == 200
        assert (await set_password(o.web, path_in(mail), "a new secret of hers"))[0] == 303
        assert o.web.town.rows(account_links) == []


async def test_one_person_is_mailed_three_times_an_hour_at_most_and_nobody_is_told_so(tmp_path: Path) -> None:
    async with office(tmp_path) as o:
        answers = {await o.ask(who) for who in ("Mia", MIA, "Mia", "Mia", MIA)}
        assert len(answers) == 1
        o.web.town.do(SetEmail("Ben", "ben@nordkaelte.example", by="Ben"))
        await o.ask("Ben")
        mails = await o.mails(4)
        assert sorted(str(mail["To"]) for mail in mails) == ["ben@nordkaelte.example", MIA, MIA, MIA]


async def test_asking_from_one_place_again_and_again_is_slowed_down(tmp_path: Path) -> None:
    async with office(tmp_path) as o:
        statuses = [(await o.ask(f"guess {n}"))[0] for n in range(21)]
        assert statuses == [200] * 20 + [429]


async def test_the_second_factor_is_still_asked_for_after_a_new_password(tmp_path: Path) -> None:
    async with office(tmp_path, "Mia") as o:
        await set_up_second_factor(o.web)
        o.web.client.session.cookie_jar.clear()
        await o.ask("Mia")
        [mail] = await o.mails(1)
        assert (await set_password(o.web, path_in(mail), "a new secret of hers"))[0] == 303
        assert (await o.web.get("/me")).status == 303
        assert "six digits" in await log_in_by_form(o.web, "Mia", "a new secret of hers")


async def test_where_passwords_are_switched_off_only_the_break_glass_admin_is_mailed(tmp_path: Path) -> None:
    async with office(tmp_path, local_login=False, break_glass=("Ada",)) as o:
        o.web.town.do(SetEmail("Ada", "ada@nordkaelte.example", by="Ada"))
        await o.ask("Mia")
        await o.ask("Ada")
        [mail] = await o.mails(1)
        assert mail["To"] == "ada@nordkaelte.example"


async def test_a_server_that_is_away_for_a_while_is_tried_again_and_one_that_refuses_is_not(tmp_path: Path) -> None:
    postbox = Postbox(refuse_rcpt="451 4.3.0 later")
    async with running(postbox) as port:
        settings = Email.model_validate({"url": f"smtp://127.0.0.1:{port}", "sender": "help@nordkaelte.example"})
        mail = StaffMail(settings, lambda: NOW, waits_s=(0.01, 0.01))
        assert await mail.send(MIA, "Hello", "text") is False
        assert len(postbox.servers) == 3
        postbox.refuse_rcpt = "550 5.1.1 nobody"
        assert await mail.send(MIA, "Hello", "text") is False
        assert len(postbox.servers) == 4
        postbox.refuse_rcpt = ""
        assert await mail.send(MIA, "Hello", "text") is True
        await mail.close()


async def test_without_mail_the_page_is_not_there_and_an_admin_is_named(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True, notifiers={}) as web:
        assert (await web.get("/forgotten")).status == 404
        assert "An admin sends you a link" in await web.page("/login")


async def test_an_invitation_is_mailed_and_its_address_is_the_new_users(tmp_path: Path) -> None:
    async with office(tmp_path, "Ada") as o:
        sent = {"name": "Nia", "role": "agent", "email": "nia@nordkaelte.example"}
        answer = await o.web.script("/admin/users/invite", sent)
        assert (await answer.json())["mailed"] is True
        [mail] = await o.mails(1)
        assert (mail["To"], "Ada invites you" in mail.get_content()) == ("nia@nordkaelte.example", True)
        o.web.client.session.cookie_jar.clear()
        assert (await set_password(o.web, path_in(mail), "her own secret"))[0] == 303
        assert o.web.town.rows(schema.users, name="Nia")[0]["email"] == "nia@nordkaelte.example"
        assert (await o.web.get(path_in(mail))).status == 404


async def test_a_mail_address_is_ones_own_to_change_and_the_one_before_hears_of_it(tmp_path: Path) -> None:
    async with office(tmp_path, "Mia") as o:
        new = {"email": "new@nordkaelte.example"}
        assert (await o.web.script("/me/email", {**new, "current": "not it"})).status == 422
        assert (await o.web.script("/me/email", {"email": "no address", "current": PASSWORD})).status == 422
        assert o.web.town.rows(schema.users, name="Mia")[0]["email"] == MIA
        assert (await o.web.script("/me/email", {**new, "current": PASSWORD})).status == 200
        assert o.web.town.rows(schema.users, name="Mia")[0]["email"] == "new@nordkaelte.example"
        [mail] = await o.mails(1)
        assert (mail["To"], "new@" in mail.as_string()) == (MIA, False)
        audit = str(o.web.town.rows(schema.audit, action="user.set_email"))
        assert "nordkaelte.example" not in audit
        o.web.csrf = log_in(o.web.town, o.web.client, "Mia")
        assert (await o.web.script("/me/email", {"email": "", "current": PASSWORD})).status == 200
        assert o.web.town.rows(schema.users, name="Mia")[0]["email"] is None


async def test_another_mail_address_counts_once_it_is_confirmed_there_and_both_are_told_in_their_language(
    tmp_path: Path,
) -> None:
    async with office(tmp_path, "Ada") as o:
        o.web.town.do(SetLanguage("Mia", "de"))
        new = "mia@new.example"
        answer = await o.web.script("/admin/users/email", {"name": "Mia", "email": new})
        assert (answer.status, (await answer.json())["confirms"]) == (200, True)
        mails = {str(mail["To"]): mail for mail in await o.mails(2)}
        assert "Ada hat gebeten" in mails[MIA].get_content()
        assert mails[new]["Content-Language"] == "de"
        found = re.search(r"http://127\.0\.0\.1:8080(/mail/\S+)", mails[new].get_content())
        assert found is not None
        assert mailed(o) == MIA
        assert new in await o.web.page(found[1])
        assert (await o.web.client.post(found[1])).status == 200
        assert mailed(o) == new
        assert (await o.mails(3))[2]["To"] == MIA
        assert (await o.web.client.post(found[1])).status == 404
        assert (await o.web.get("/mail/made-up")).status == 404
        assert (await o.web.script("/admin/users/email", {"name": "Nobody", "email": new})).status == 422
        assert (await o.web.script("/admin/users/email", {"name": "Mia", "email": "no address"})).status == 422
        assert (await o.web.script("/admin/users/email", {"name": "Mia", "email": ""})).status == 200
        assert mailed(o) is None


def mailed(o: Office) -> str | None:
    return str(email) if (email := o.web.town.rows(schema.users, name="Mia")[0]["email"]) is not None else None
