"""Logging in: passwords, sessions, and how often one may guess."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from gateway.store import schema
from gateway.web.auth import (
    LoginThrottle,
    Role,
    csrf_matches,
    csrf_token,
    hash_password,
    new_token,
    password_matches,
    token_hash,
)
from tests.gateway.web_fleet import PASSWORD
from tests.gateway.web_visit import Visit, visit

T0 = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


async def fill_in(web: Visit, name: str, password: str, next_path: str = "/") -> tuple[int, str, str]:
    """Use the login form as a browser does; return status, where it led, and what it said."""
    form = await (await web.get("/login")).text()
    csrf = re.search(r'name="_csrf" value="(\w+)"', form)
    assert csrf is not None
    data = {"_csrf": csrf[1], "name": name, "password": password, "next": next_path}
    answer = await web.client.post("/login", data=data, allow_redirects=False)
    return answer.status, answer.headers.get("Location", ""), await answer.text()


async def test_the_right_password_opens_the_console(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        assert (await fill_in(web, "Mia", PASSWORD, "/cases/7"))[:2] == (303, "/cases/7")
        assert (await web.get("/login?next=http://[no-url")).headers["Location"] == "/"
        assert "Needs you" in await web.page("/")


async def test_a_wrong_password_and_a_wrong_name_get_the_same_answer(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        wrong_password = await fill_in(web, "Mia", "not it")
        wrong_name = await fill_in(web, "Nobody", "not it")
        assert wrong_password[0] == wrong_name[0] == 401
        said = "This name and password do not belong together."
        assert said in wrong_password[2]
        assert said in wrong_name[2]


async def test_after_five_failures_even_the_right_password_waits(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        for _ in range(5):
            assert (await fill_in(web, "Mia", "guess"))[0] == 401
        status, _, said = await fill_in(web, "Mia", PASSWORD)
        assert status == 429
        assert re.search(r"Wait 1\d\sm?i?n?", said), said
        assert (await fill_in(web, "Ben", PASSWORD))[0] == 303


async def test_guesses_at_the_same_moment_are_no_more_than_one_after_the_other(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        await web.get("/login")
        statuses = [status for status, _, _ in await asyncio.gather(*(fill_in(web, "Mia", "guess") for _ in range(12)))]
        assert statuses.count(401) == 5
        assert statuses.count(429) == 7


async def test_the_session_cookie_is_for_this_site_and_no_script(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        await fill_in(web, "Mia", PASSWORD)
        (cookie,) = [c for c in web.client.session.cookie_jar if c.key == "session"]
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
        assert not cookie["secure"]
        assert web.town.rows(schema.sessions)[0]["token_hash"] == token_hash(cookie.value)


async def test_behind_https_cookies_are_secure_and_hsts_is_sent(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        web.town.deps = replace(web.town.deps, public_url="https://help.example", metrics=type(web.town.deps.metrics)())
        async with TestClient(TestServer(web.town.app())) as client:
            answer = await client.get("/login")
            assert answer.cookies["login"]["secure"]
            assert "max-age" in answer.headers["Strict-Transport-Security"]


async def test_logging_out_ends_the_session_in_the_store(tmp_path: Path) -> None:
    async with visit(tmp_path, "Mia", empty=True) as web:
        assert (await web.post("/logout")).status == 303
        assert web.town.rows(schema.sessions) == []
        assert (await web.get("/")).status == 303


async def test_a_login_never_leads_to_another_site(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        for path in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
            assert (await fill_in(web, "Mia", PASSWORD, path))[:2] == (303, "/"), path
            web.client.session.cookie_jar.clear()


async def test_a_login_form_from_elsewhere_is_refused(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        answer = await web.client.post("/login", data={"name": "Mia", "password": PASSWORD, "_csrf": "x"})
        assert answer.status == 403
        assert web.town.rows(schema.sessions) == []


def test_a_password_matches_its_own_hash_alone() -> None:
    hashed = hash_password("correct horse")
    assert "correct horse" not in hashed
    assert password_matches("correct horse", hashed)
    assert not password_matches("Correct horse", hashed)
    assert not password_matches("correct horse", None)
    assert not password_matches("correct horse", "no hash at all")


@given(st.sampled_from(Role), st.sampled_from(Role))
def test_a_role_covers_itself_and_those_before_it(has: Role, needs: Role) -> None:
    assert has.covers(needs) == (list(Role).index(has) >= list(Role).index(needs))


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=80))
def test_a_csrf_token_holds_for_its_own_session(session: str, other: str, noise: str) -> None:
    token = csrf_token("secret", session)
    assert csrf_matches("secret", session, token)
    assert csrf_matches("secret", other, token) == (session == other)
    assert csrf_matches("secret", session, noise) == (noise == token)


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token) >= 43 for token in tokens)


@given(st.lists(st.integers(min_value=0, max_value=600), max_size=40))
def test_no_window_ever_holds_more_than_the_allowed_tries(gaps_s: list[int]) -> None:
    now = [T0]
    window = timedelta(minutes=15)
    throttle = LoginThrottle(lambda: now[0], window, allowed=5)
    tried: list[datetime] = []
    for gap_s in gaps_s:
        now[0] += timedelta(seconds=gap_s)
        if throttle.wait("mia", "10.0.0.1") <= timedelta(0):
            tried.append(now[0])
            throttle.failed("mia", "10.0.0.1")
    for at in tried:
        assert sum(at - window < other <= at for other in tried) <= 5


def test_the_throttle_forgives_who_gets_in_and_forgets_the_oldest() -> None:
    throttle = LoginThrottle(lambda: T0, timedelta(minutes=15), allowed=2, remembered=2)
    throttle.failed("mia", "a")
    throttle.failed("mia", "a")
    assert throttle.wait("mia", "a") == timedelta(minutes=15)
    assert throttle.wait("mia", "b") == timedelta(0)
    throttle.succeeded("mia", "a")
    assert throttle.wait("mia", "a") == timedelta(0)
    for name in ("1", "2", "3"):
        throttle.failed(name, "a")
        throttle.failed(name, "a")
    assert throttle.wait("1", "a") == timedelta(0)
    assert throttle.wait("3", "a") > timedelta(0)
