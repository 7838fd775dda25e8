"""Invitations, resets, second factors and sessions, as people meet them."""

import re
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.commands import CommandRefused, SaveSession, SaveUser
from gateway.commands.accounts import SetDisabled, SetRole
from gateway.store import schema
from gateway.store.ways_in import account_links, recovery_codes
from gateway.web.auth import token_hash
from gateway.web.second_factor import STEP_S
from tests.gateway.web_fleet import NOW, PASSWORD
from tests.gateway.web_visit import Visit, log_in, visit


def found(pattern: str, page: str) -> str:
    match = re.search(pattern, page)
    assert match is not None, page[:500]
    return match[1]


def form_token(page: str) -> str:
    return found(r'name="_csrf" value="(\w+)"', page)


async def invited(web: Visit, name: str = "Nia", role: str = "agent") -> str:
    """Invite somebody as an admin does; return the path of their link."""
    answer = await web.script("/admin/users/invite", {"name": name, "role": role})
    assert answer.status == 200, await answer.text()
    return str((await answer.json())["url"]).removeprefix(web.town.deps.public_url)


async def set_password(web: Visit, path: str, password: str, again: str | None = None) -> tuple[int, str]:
    page = await (await web.get(path)).text()
    data = {"_csrf": form_token(page), "password": password, "again": password if again is None else again}
    answer = await web.client.post(path, data=data, allow_redirects=False)
    return answer.status, await answer.text()


async def log_in_by_form(web: Visit, name: str, password: str) -> str:
    """Use the login form in a fresh browser; return the page that answers, empty where it let them in."""
    web.client.session.cookie_jar.clear()
    page = await web.page("/login")
    data = {"_csrf": form_token(page), "name": name, "password": password, "next": "/me"}
    answer = await web.client.post("/login", data=data, allow_redirects=False)
    return "" if answer.status == 303 else await answer.text()


async def give_code(web: Visit, page: str, code: str) -> tuple[int, str]:
    data = {"_csrf": form_token(page), "ticket": found(r'name="ticket" value="([^"]+)"', page), "code": code}
    answer = await web.client.post("/login/code", data=data, allow_redirects=False)
    return answer.status, await answer.text()


def code_of(secret: str, shift: int) -> str:
    """The authenticator's code ``shift`` steps from now; they go by real time, whatever the town's clock shows."""
    return pyotp.TOTP(secret, interval=STEP_S).generate_otp(int(time.time()) // STEP_S + shift)


async def set_up_second_factor(web: Visit, shift: int = -1) -> tuple[str, list[str]]:
    """Set an authenticator up as the page asks, with the code ``shift`` steps from now; (secret, recovery codes)."""
    page = await web.page("/me/second-factor")
    secret = found(r'type <span class="mono">([A-Z2-7 ]+)<', page).replace(" ", "")
    sealed = found(r'name="sealed" value="([^"]+)"', page)
    for _ in range(2):
        data = {"sealed": sealed, "code": code_of(secret, shift), "current": PASSWORD}
        answer = await web.post("/me/second-factor", data)
        text = await answer.text()
        # A step that ended on the way has made the code too old: then the next one is made at a step's beginning.
        if "not the code of now" not in text:
            break
    assert answer.status == 200, text
    return secret, re.findall(r"<li>([a-z2-9]{5}-[a-z2-9]{5})</li>", text)


async def test_an_invited_person_sets_their_own_password_and_is_in(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        path = await invited(web, role="lead")
        web.client.session.cookie_jar.clear()
        assert "Welcome, Nia" in await web.page(path)
        assert (await set_password(web, path, "her own secret"))[0] == 303
        assert "Nia" in await web.page("/me")
        [user] = web.town.rows(schema.users, name="Nia")
        assert user["role"] == "lead"
        assert web.town.rows(account_links) == []
        assert (await web.get(path)).status == 404
        assert await log_in_by_form(web, "Nia", "her own secret") == ""


async def test_a_link_is_kept_as_a_hash_alone_and_ends_with_the_next_one(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        first, second = await invited(web), await invited(web)
        assert first.rsplit("/", 1)[1] not in str(web.town.rows(account_links))
        assert (await web.get(first)).status == 404
        assert (await web.get(second)).status == 200


async def test_a_link_that_is_too_old_opens_nothing(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        path = await invited(web)
        with web.town.store.write() as connection:
            connection.execute(account_links.update().values(expires_at=web.town.deps.clock.now() - timedelta(days=1)))
        answer = await web.get(path)
        assert answer.status == 404
        assert "Ask an admin for another" in await answer.text()


@pytest.mark.parametrize(
    ("password", "again", "said"), [("short", None, "at least 10"), ("long enough here", "other words", "not the same")]
)
async def test_a_password_that_will_not_do_is_refused_and_the_link_stays_good(
    tmp_path: Path, password: str, again: str | None, said: str
) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        path = await invited(web)
        status, text = await set_password(web, path, password, again)
        assert (status, said in text) == (422, True)
        assert (await set_password(web, path, "long enough here"))[0] == 303


async def test_a_known_name_is_not_invited_and_an_unknown_one_not_reset(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        known = await web.script("/admin/users/invite", {"name": "Mia", "role": "agent"})
        unknown = await web.script("/admin/users/reset", {"name": "Nobody"})
        assert (known.status, unknown.status) == (409, 409)


async def test_a_reset_ends_every_session_of_theirs(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        web.town.do(SaveSession(token_hash("mia's"), "Mia", NOW + timedelta(days=30)))
        answer = await web.script("/admin/users/reset", {"name": "Mia"})
        path = str((await answer.json())["url"]).removeprefix(web.town.deps.public_url)
        web.client.session.cookie_jar.clear()
        assert (await set_password(web, path, "a new secret of hers"))[0] == 303
        assert token_hash("mia's") not in {row["token_hash"] for row in web.town.rows(schema.sessions)}
        assert "do not belong together" in await log_in_by_form(web, "Mia", PASSWORD)


async def test_with_a_second_factor_the_password_alone_lets_nobody_in(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        secret, _ = await set_up_second_factor(web)
        page = await log_in_by_form(web, "Mia", PASSWORD)
        assert "six digits" in page
        assert (await web.get("/me")).status == 303
        assert (await give_code(web, page, "000000"))[0] == 401
        assert (await give_code(web, page, code_of(secret, 1)))[0] == 303
        assert "second factor" in (await web.page("/me")).lower()


async def test_a_code_is_good_once(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        secret, _ = await set_up_second_factor(web)
        code = code_of(secret, 1)
        assert (await give_code(web, await log_in_by_form(web, "Mia", PASSWORD), code))[0] == 303
        status, text = await give_code(web, await log_in_by_form(web, "Mia", PASSWORD), code)
        assert status == 401
        assert "used before" in text


async def test_a_recovery_code_lets_in_once_and_the_others_stay(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        _, recovery = await set_up_second_factor(web)
        assert (await give_code(web, await log_in_by_form(web, "Mia", PASSWORD), recovery[0].upper()))[0] == 303
        assert len(web.town.rows(recovery_codes)) == len(recovery) - 1
        assert (await give_code(web, await log_in_by_form(web, "Mia", PASSWORD), recovery[0]))[0] == 401


async def test_guessing_codes_is_slowed_down(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        secret, _ = await set_up_second_factor(web)
        page = await log_in_by_form(web, "Mia", PASSWORD)
        for guess in range(5):
            assert (await give_code(web, page, f"00000{guess}"))[0] == 401
        assert (await give_code(web, page, code_of(secret, 1)))[0] == 429


async def test_a_ticket_is_of_use_in_its_own_browser_alone(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        secret, _ = await set_up_second_factor(web)
        page = await log_in_by_form(web, "Mia", PASSWORD)
        web.town.deps = replace(web.town.deps, metrics=type(web.town.deps.metrics)())
        async with TestClient(TestServer(web.town.app())) as other:
            strange = replace(web, client=other)
            form = await strange.page("/login")
            data = {
                "_csrf": form_token(form),
                "ticket": found(r'name="ticket" value="([^"]+)"', page),
                "code": code_of(secret, 1),
            }
            answer = await other.post("/login/code", data=data, allow_redirects=False)
            assert answer.status == 403


async def test_a_secret_is_stored_sealed(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        secret, recovery = await set_up_second_factor(web)
        [user] = web.town.rows(schema.users, name="Mia")
        assert user["totp_secret"]
        assert secret not in user["totp_secret"]
        assert not {row["code_hash"] for row in web.town.rows(recovery_codes)} & set(recovery)


async def test_a_lost_phone_is_forgotten_with_the_reset(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        await set_up_second_factor(web)
        web.csrf = log_in(web.town, web.client, "Ada")
        answer = await web.script("/admin/users/reset", {"name": "Mia", "second_factor": "true"})
        path = str((await answer.json())["url"]).removeprefix(web.town.deps.public_url)
        web.client.session.cookie_jar.clear()
        assert (await set_password(web, path, "a new secret of hers"))[0] == 303
        assert await log_in_by_form(web, "Mia", "a new secret of hers") == ""
        assert web.town.rows(recovery_codes) == []


async def test_a_role_that_must_have_a_second_factor_gets_nowhere_without(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        web.town.deps = replace(web.town.deps, second_factor_for=("admin",), metrics=type(web.town.deps.metrics)())
        async with TestClient(TestServer(web.town.app())) as client:
            strict = replace(web, client=client)
            strict.csrf = log_in(web.town, client, "Ada")
            assert (await strict.get("/")).headers["Location"] == "/me"
            assert (await strict.script("/hold")).status == 403
            assert "needs a second factor" in await strict.page("/me")
            await set_up_second_factor(strict)
            assert (await strict.get("/")).status == 200
            strict.csrf = log_in(web.town, client, "Mia")
            assert (await strict.get("/")).status == 200


async def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        web.town.do(SaveSession(token_hash("elsewhere"), "Mia", NOW + timedelta(days=30)))
        wrong = await web.script("/me/password", {"current": "not it", "password": "something new"})
        assert wrong.status == 422
        assert (await web.script("/me/password", {"current": PASSWORD, "password": "something new"})).status == 200
        assert len(web.town.rows(schema.sessions, user_name="Mia")) == 1
        assert "Mia" in await web.page("/me")


async def test_a_session_is_seen_and_ended_by_its_owner_alone(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        web.town.do(SaveSession(token_hash("phone"), "Mia", NOW + timedelta(days=30), "A phone's browser", "10.0.0.7"))
        web.town.do(SaveSession(token_hash("ben's"), "Ben", NOW + timedelta(days=30), "Ben's browser", "10.0.0.8"))
        page = await web.page("/me")
        assert "A phone&#39;s browser" in page
        assert "Ben" not in page
        assert (await web.script("/me/sessions/end", {"id": token_hash("ben's")[:16]})).status == 200
        assert len(web.town.rows(schema.sessions, user_name="Ben")) == 1
        assert (await web.script("/me/sessions/end", {"id": token_hash("phone")[:16]})).status == 200
        assert len(web.town.rows(schema.sessions, user_name="Mia")) == 1


async def test_who_is_shut_out_is_out_at_once_and_may_be_let_in_again(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        web.town.do(SaveSession(token_hash("mia's"), "Mia", NOW + timedelta(days=30)))
        assert (await web.script("/admin/users/disable", {"name": "Mia"})).status == 200
        assert web.town.rows(schema.sessions, user_name="Mia") == []
        assert "do not belong together" in await log_in_by_form(web, "Mia", PASSWORD)
        web.town.do(SetDisabled("Mia", False, by="Ada"))
        assert await log_in_by_form(web, "Mia", PASSWORD) == ""


async def test_the_last_admin_can_neither_be_shut_out_nor_lose_the_role(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        for command in (SetDisabled("Ada", True, by="Ada"), SetRole("Ada", "lead", by="Ada")):
            with pytest.raises(CommandRefused, match="only admin"):
                web.town.do(command)
        web.town.do(SetRole("Lea", "admin", by="Ada"))
        web.town.do(SetDisabled("Ada", True, by="Lea"))
        assert [row["name"] for row in web.town.rows(schema.users, role="admin", disabled=False)] == ["Lea"]


async def test_an_ended_token_opens_nothing(tmp_path: Path) -> None:
    async with visit(tmp_path, "Ada", empty=True) as web:
        [token] = web.town.rows(schema.api_tokens, role="agent")
        assert (await web.api("GET", "/api/cases", "agent")).status == 200
        assert (await web.script("/admin/tokens/end", {"id": token["token_hash"][:16]})).status == 200
        assert (await web.api("GET", "/api/cases", "agent")).status == 401


async def test_a_password_set_again_on_the_command_line_keeps_the_second_factor(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        await set_up_second_factor(web)
        web.town.do(SaveUser("Mia", web.town.rows(schema.users, name="Ben")[0]["password_hash"], "agent", by="test"))
        assert "six digits" in await log_in_by_form(web, "Mia", PASSWORD)
