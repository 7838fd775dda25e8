"""Logging in at an identity provider: a real one on the loopback that signs, and each way in which it may be wrong."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import typer
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer
from joserfc import jwt
from pydantic import SecretStr
from yarl import URL

from gateway.cli.doctor import doctor
from gateway.commands import CommandRefused, SaveSession
from gateway.commands.accounts import HandToProvider, OpenAccountLink, SetDisabled
from gateway.commands.staff import SaveTeam, TeamMember
from gateway.config import Config, ConfigError, load_config
from gateway.settings.login import Oidc
from gateway.store import schema
from gateway.store.staff import team_members
from gateway.store.ways_in import outside_identities
from gateway.web.auth import SESSION_COOKIE, token_hash
from gateway.web.oidc import LoginRefused, role_in
from tests.gateway.identity_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    IdentityProvider,
    new_key,
    running,
    signed_with_secret,
)
from tests.gateway.test_web_ways_in import form_token, found, log_in_by_form, set_password
from tests.gateway.web_fleet import NOW, PASSWORD
from tests.gateway.web_visit import Visit, log_in, visit


@dataclass
class Door:
    """A gateway, a provider, and one browser between them."""

    web: Visit
    provider: IdentityProvider

    async def to_provider(self, path: str = "/login/provider") -> str:
        """Press the button; return what the provider sends the browser back to, path and query."""
        away = await self.web.get(path)
        assert away.status == 303, await away.text()
        async with (
            aiohttp.ClientSession() as browser,
            browser.get(URL(away.headers["Location"], encoded=True), allow_redirects=False) as back,
        ):
            assert back.status == 302, await back.text()
            return URL(back.headers["Location"]).raw_path_qs

    async def log_in(self, path: str = "/login/provider") -> ClientResponse:
        """Log in at the provider and come back."""
        return await self.web.client.get(URL(await self.to_provider(path), encoded=True), allow_redirects=False)

    async def refused(self, status: int = 403) -> str:
        """Try to log in; return what the page says instead."""
        answer = await self.log_in()
        text = await answer.text()
        assert answer.status == status, (answer.status, text)
        assert not any(row["way"] == "provider" for row in self.web.town.rows(schema.sessions)), text
        return found(r'<p role="alert">(.+)</p>', text).replace("&#39;", "'")


@asynccontextmanager
async def door(
    tmp_path: Path,
    person: dict[str, Any] | None = None,
    *,
    local_login: bool = True,
    break_glass: tuple[str, ...] = (),
    secret: str | None = CLIENT_SECRET,
    second_factor_for: tuple[str, ...] = (),
    provider: IdentityProvider | None = None,
    **oidc: Any,
) -> AsyncIterator[Door]:
    """Open an empty town whose people log in at a provider of its own; nobody is logged in."""
    made = provider or IdentityProvider()
    made.person = person or made.person
    async with running(made), visit(tmp_path, None, empty=True) as web:
        settings = Oidc(
            **{
                "issuer": made.issuer,
                "client_id": CLIENT_ID,
                "client_secret": SecretStr(secret) if secret else None,
                "label": "Acme",
                **oidc,
            }
        )
        web.town.deps = replace(
            web.town.deps,
            oidc=settings,
            local_login=local_login,
            break_glass=break_glass,
            second_factor_for=second_factor_for,
            metrics=type(web.town.deps.metrics)(),
        )
        async with TestClient(TestServer(web.town.app())) as client:
            yield Door(replace(web, client=client), made)


ANYONE: dict[str, Any] = {"people": "anyone", "default_role": "agent"}


def invite(web: Visit, name: str, role: str = "lead") -> None:
    web.town.do(OpenAccountLink(token_hash(name), name, role, NOW + timedelta(days=3), by="Ada"))


async def test_who_is_invited_logs_in_at_the_provider_and_is_the_same_person_ever_after(tmp_path: Path) -> None:
    async with door(tmp_path) as d:
        invite(d.web, "Nia")
        answer = await d.log_in("/login/provider?next=/devices")
        assert (answer.status, answer.headers["Location"]) == (303, "/devices")
        assert "Nia" in await d.web.page("/me")
        [user] = d.web.town.rows(schema.users, name="Nia")
        assert (user["role"], user["password_hash"]) == ("lead", None)
        # Married since: the provider's name for her is another, and she is who she was.
        d.provider.person = {"sub": "p-1", "preferred_username": "Nia Okafor"}
        assert (await d.log_in()).status == 303
        assert [row["user_name"] for row in d.web.town.rows(outside_identities)] == ["Nia"]
        assert d.web.town.rows(schema.users, name="Nia Okafor") == []


async def test_whom_nobody_invited_is_told_so(tmp_path: Path) -> None:
    async with door(tmp_path) as d:
        assert "nobody invited 'Nia'" in (await d.refused()).lower().replace("nia", "Nia")


async def test_anyone_gets_in_where_that_is_wanted_with_the_role_of_their_groups(tmp_path: Path) -> None:
    roles = {"support": "agent", "support-leads": "lead"}
    person = {"sub": "p-1", "preferred_username": "Nia", "realm": {"groups": ["support", "support-leads", "chess"]}}
    async with door(tmp_path, person, people="anyone", roles=roles, role_claim="realm.groups") as d:
        assert (await d.log_in()).status == 303
        assert d.web.town.rows(schema.users, name="Nia")[0]["role"] == "lead"
        d.provider.person["realm"]["groups"] = ["support"]
        assert (await d.log_in()).status == 303
        assert d.web.town.rows(schema.users, name="Nia")[0]["role"] == "agent"
        d.provider.person["realm"]["groups"] = ["chess"]
        assert "None of your groups" in await (await d.log_in()).text()


async def test_groups_put_people_into_teams_and_take_them_out_and_leave_other_teams_alone(tmp_path: Path) -> None:
    teams = {"berlin": "Berlin", "berlin-old": "Berlin", "night": "Night"}
    person = {"sub": "p-1", "preferred_username": "Nia", "groups": ["berlin-old", "night", "chess"]}
    async with door(tmp_path, person, **ANYONE, teams=teams) as d:
        for number, name in enumerate(("Berlin", "Own")):
            d.web.town.do(SaveTeam(name, number, "Ada", (TeamMember("Ada"),)))
        assert (await d.log_in()).status == 303
        assert members(d) == {("Berlin", "Ada"), ("Own", "Ada"), ("Berlin", "Nia")}
        d.web.town.do(SaveTeam("Night", 2, "Ada"))
        d.web.town.do(SaveTeam("Own", 1, "Ada", (TeamMember("Nia", ("de",)),)))
        d.provider.person["groups"] = ["night"]
        assert (await d.log_in()).status == 303
        assert members(d) == {("Berlin", "Ada"), ("Own", "Nia"), ("Night", "Nia")}


def members(d: Door) -> set[tuple[str, str]]:
    return {(row["team"], row["user_name"]) for row in d.web.town.rows(team_members)}


async def test_the_only_admin_is_not_made_less_by_a_group_that_is_gone(tmp_path: Path) -> None:
    person = {"sub": "p-1", "preferred_username": "Ada", "groups": ["viewers"]}
    async with door(tmp_path, person, roles={"viewers": "viewer"}) as d:
        d.web.town.do(HandToProvider("Ada", by="Ada"))
        assert "the only admin" in await d.refused()
        assert d.web.town.rows(schema.users, name="Ada")[0]["role"] == "admin"


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "somebody-else"}, "aud"),
        ({"aud": [CLIENT_ID, "other"], "azp": "other"}, "azp"),
        ({"aud": None}, "aud"),
        ({"iss": "https://evil.example"}, "iss"),
        ({"exp": int(time.time()) - 3600}, "clock"),
        ({"exp": None}, "exp"),
        ({"iat": int(time.time()) + 3600}, "iat"),
        ({"sub": ""}, "sub"),
        ({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, "at_hash"),
        ({"preferred_username": None}, "preferred_username"),
    ],
)
async def test_a_token_that_is_not_for_this_login_lets_nobody_in(
    tmp_path: Path, claims: dict[str, Any], said: str
) -> None:
    async with door(tmp_path, provider=IdentityProvider(claims=claims), **ANYONE) as d:
        d.provider.metadata = {"userinfo_endpoint": None}
        assert said in await d.refused()


async def test_a_clock_that_is_a_little_off_shuts_nobody_out(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        now = int(time.time())
        d.provider.claims = {"iat": now + 40, "exp": now + 340}
        assert (await d.log_in()).status == 303
        d.provider.claims = {"iat": now - 340, "exp": now - 40}
        assert (await d.log_in()).status == 303


async def test_a_signature_that_is_not_the_providers_lets_nobody_in(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        forger = new_key("first")
        d.provider.sign = lambda claims: d.provider.signed(claims, forger)
        assert "not signed" in await d.refused()
        # The provider's public key as a shared secret: the oldest trick there is.
        public = d.provider.key.as_pem(private=False)
        d.provider.sign = lambda claims: signed_with_secret(claims, public)
        assert "not signed" in await d.refused()
        d.provider.sign = lambda claims: ".".join(d.provider.signed(claims).split(".")[:2]) + "."
        assert "not signed" in await d.refused()
        d.provider.sign = lambda claims: "no token at all"
        assert "not signed" in await d.refused()


async def test_keys_that_were_changed_are_asked_for_and_unknown_ones_not_again_and_again(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        assert (await d.log_in()).status == 303
        assert (await d.log_in()).status == 303
        assert d.provider.asked.count("/keys") == 1
        d.provider.key = new_key("second", "EC")
        assert (await d.log_in()).status == 303
        assert d.provider.asked.count("/keys") == 2
        unknown = new_key("third")
        d.provider.sign = lambda claims: d.provider.signed(claims, unknown)
        for _ in range(3):
            assert (await d.log_in()).status == 403
        assert d.provider.asked.count("/keys") == 2
        assert d.provider.asked.count("/realm/.well-known/openid-configuration") == 1


async def test_an_answer_is_good_once_and_in_the_browser_that_asked(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        back = URL(await d.to_provider(), encoded=True)
        stolen = URL(await d.to_provider(), encoded=True)
        wrong_state = await d.web.client.get(back, allow_redirects=False)
        assert wrong_state.status == 403
        assert "another log-in" in await wrong_state.text()
        no_cookie = await d.web.client.get(stolen, allow_redirects=False)
        assert no_cookie.status == 403
        assert "another browser" in await no_cookie.text()
        assert d.provider.asked.count("/token") == 0
        assert (await d.log_in()).status == 303


async def test_a_code_that_was_used_is_refused(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        back = await d.to_provider()
        d.provider.grants.clear()
        answer = await d.web.client.get(URL(back, encoded=True), allow_redirects=False)
        assert (answer.status, "used before" in await answer.text()) == (403, True)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"error": "access_denied"}, "turned it down"),
        ({"error": "server_error"}, "server_error"),
        ({"error": "<b>hm</b>"}, "an error"),
        ({}, "nothing to log in with"),
        ({"code": "x", "iss": "https://evil.example"}, "another provider"),
    ],
)
async def test_what_the_provider_answers_instead_of_a_code_is_said_in_words(
    tmp_path: Path, sent: dict[str, str], said: str
) -> None:
    async with door(tmp_path, provider=IdentityProvider(answer=sent), **ANYONE) as d:
        assert said in await d.refused()


async def test_a_provider_that_names_itself_in_answers_must_do_so(tmp_path: Path) -> None:
    provider = IdentityProvider(metadata={"authorization_response_iss_parameter_supported": True})
    async with door(tmp_path, provider=provider, **ANYONE) as d:
        assert "another provider" in await d.refused()


async def test_a_provider_that_is_down_is_said_and_passwords_still_work(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        d.provider.down = True
        answer = await d.web.get("/login/provider")
        text = await answer.text()
        assert answer.status == 503
        assert "Try again in a minute" in text
        assert "Use a password" in text
        assert await log_in_by_form(d.web, "Mia", PASSWORD) == ""
        d.provider.down = False
        back = await d.to_provider()
        d.provider.down = True
        answer = await d.web.client.get(URL(back, encoded=True), allow_redirects=False)
        assert answer.status == 503


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"issuer": "https://other.example"}, "names itself otherwise"),
        ({"token_endpoint": "http://other.example/token"}, "no https address"),
        ({"jwks_uri": None}, "no https address"),
    ],
)
async def test_a_discovery_document_that_cannot_be_right_is_not_followed(
    tmp_path: Path, metadata: dict[str, Any], said: str
) -> None:
    async with door(tmp_path, provider=IdentityProvider(metadata=metadata), **ANYONE) as d:
        answer = await d.web.get("/login/provider")
        assert (answer.status, said in await answer.text()) == (503, True)


@pytest.mark.parametrize(("methods", "secret"), [(["client_secret_post"], CLIENT_SECRET), (["none"], None)])
async def test_a_client_proves_itself_as_the_provider_wants(
    tmp_path: Path, methods: list[str], secret: str | None
) -> None:
    provider = IdentityProvider(metadata={"token_endpoint_auth_methods_supported": methods})
    async with door(tmp_path, provider=provider, secret=secret, **ANYONE) as d:
        assert (await d.log_in()).status == 303


async def test_a_wrong_client_secret_is_said_to_be_the_admins_business(tmp_path: Path) -> None:
    async with door(tmp_path, secret="an old one", **ANYONE) as d:
        assert "Tell an admin" in await d.refused()


async def test_what_a_thin_token_leaves_out_is_asked_of_userinfo_and_only_of_the_same_person(tmp_path: Path) -> None:
    person = {"sub": "p-1", "email": "nia@acme.example", "email_verified": True, "groups": "leads"}
    provider = IdentityProvider(thin=True)
    async with door(
        tmp_path, person, provider=provider, people="anyone", name_claim="email", roles={"leads": "lead"}
    ) as d:
        provider.userinfo = {"sub": "p-2"}
        assert "two different people" in await d.refused()
        provider.userinfo = {}
        assert (await d.log_in()).status == 303
        assert d.web.town.rows(schema.users, name="nia@acme.example")[0]["role"] == "lead"


async def test_a_mail_address_that_nobody_verified_names_nobody(tmp_path: Path) -> None:
    person = {"sub": "p-1", "email": "ada@acme.example", "email_verified": False}
    async with door(tmp_path, person, name_claim="email", **ANYONE) as d:
        assert "not verified" in await d.refused()


async def test_a_name_that_is_taken_here_opens_nothing_until_its_owner_connects_the_two(tmp_path: Path) -> None:
    async with door(tmp_path, {"sub": "p-9", "preferred_username": "Mia"}, **ANYONE) as d:
        assert "a user 'Mia' here already" in await d.refused()
        assert await log_in_by_form(d.web, "Mia", PASSWORD) == ""
        assert "Connect it" in await d.web.page("/me")
        page = await (await d.log_in("/login/provider?next=/me")).text()
        assert "Are both of these you?" in page
        assert d.web.town.rows(outside_identities) == []
        proof = found(r'name="proof" value="([^"]+)"', page)
        d.web.csrf = form_token(page)
        assert (await d.web.post("/me/provider", {"proof": proof}, csrf=False)).status == 403
        assert (await d.web.post("/me/provider", {"proof": "x" + proof})).status == 422
        assert (await d.web.post("/me/provider", {"proof": proof})).status == 303
        d.web.client.session.cookie_jar.clear()
        assert (await d.log_in()).status == 303
        assert "connected" in await d.web.page("/me")
        # The same account there is nobody else here.
        d.web.csrf = log_in(d.web.town, d.web.client, "Ben")
        refused = await d.web.post("/me/provider", {"proof": proof})
        assert (refused.status, "is 'Mia' here" in (await refused.text()).replace("&#39;", "'")) == (409, True)


async def test_an_admin_hands_a_user_to_the_provider(tmp_path: Path) -> None:
    async with door(tmp_path, {"sub": "p-9", "preferred_username": "Mia"}, **ANYONE) as d:
        d.web.town.do(SaveSession(token_hash("mia's"), "Mia", NOW + timedelta(days=30)))
        d.web.csrf = log_in(d.web.town, d.web.client, "Ada")
        assert (await d.web.script("/admin/users/hand-to-provider", {"name": "Mia"})).status == 200
        assert d.web.town.rows(schema.sessions, user_name="Mia") == []
        assert "do not belong together" in await log_in_by_form(d.web, "Mia", PASSWORD)
        assert (await d.log_in()).status == 303
        assert "Mia" in await d.web.page("/me")


async def test_who_is_shut_out_here_stays_out(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        assert (await d.log_in()).status == 303
        d.web.town.do(SetDisabled("Nia", True, by="Ada"))
        d.web.client.session.cookie_jar.clear()
        assert "You are shut out" in await d.refused()


async def test_logging_out_offers_to_log_out_there_too(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        await d.log_in()
        d.web.csrf = form_token(await d.web.page("/me"))
        answer = await d.web.post("/logout")
        assert answer.headers["Location"] == "/logged-out"
        assert "Log out of Acme too" in await d.web.page("/logged-out")
        away = URL((await d.web.get("/logout/provider")).headers["Location"])
        assert away.path == "/bye"
        claims = jwt.decode(away.query["id_token_hint"], d.provider.key).claims
        assert (claims["sub"], away.query["client_id"]) == ("p-1", CLIENT_ID)
        assert away.query["post_logout_redirect_uri"] == f"{d.web.town.deps.public_url}/login"
        assert d.web.town.rows(schema.sessions) == []


async def test_a_logout_at_the_provider_ends_the_sessions_that_began_there(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        await d.log_in()
        d.web.town.do(SaveSession(token_hash("by password"), "Nia", NOW + timedelta(days=30)))

        async def told(token: str) -> int:
            return (await d.web.client.post("/login/provider/log-out", data={"logout_token": token})).status

        now = int(time.time())
        wrong = [
            d.provider.logout_token("p-1", nonce="n"),
            d.provider.logout_token("p-1", events={}),
            d.provider.logout_token("p-1", aud="other"),
            d.provider.logout_token("p-1", exp=now - 3600),
            d.provider.logout_token("p-1", sub=None),
            d.provider.id_token("n"),
            "",
        ]
        assert [await told(token) for token in wrong] == [400] * len(wrong)
        assert len(d.web.town.rows(schema.sessions)) == 2
        assert await told(d.provider.logout_token("nobody here")) == 200
        assert await told(d.provider.logout_token("p-1")) == 200
        assert [row["way"] for row in d.web.town.rows(schema.sessions)] == ["password"]
        assert (await d.web.get("/me")).status == 303


async def test_with_passwords_switched_off_only_the_break_glass_admin_gets_in_by_one(tmp_path: Path) -> None:
    async with door(tmp_path, local_login=False, break_glass=("Ada",), **ANYONE) as d:
        page = await d.web.page("/login")
        assert "Log in with Acme" in page
        assert "in an emergency" in page
        assert "do not belong together" in await log_in_by_form(d.web, "Mia", PASSWORD)
        assert await log_in_by_form(d.web, "Ada", PASSWORD) == ""
        invite(d.web, "Zoe")
        d.web.client.session.cookie_jar.clear()
        answer = await d.web.get("/join/Zoe")
        assert (answer.status, "Log in with Acme, as Zoe" in await answer.text()) == (403, True)
        d.web.town.do(OpenAccountLink(token_hash("ada"), "Ada", None, NOW + timedelta(days=1), by="Ada"))
        assert (await set_password(d.web, "/join/ada", "a new secret of hers"))[0] == 303


async def test_the_second_factor_of_who_comes_from_the_provider_is_the_providers_business(tmp_path: Path) -> None:
    async with door(tmp_path, second_factor_for=("agent",), require_amr=("mfa", "hwk"), **ANYONE) as d:
        assert "second factor" in await d.refused()
        d.provider.claims = {"amr": ["pwd", "mfa"]}
        assert (await d.log_in()).status == 303
        assert (await d.web.get("/")).status == 200


async def test_nothing_of_a_provider_is_there_where_none_is_set_up(tmp_path: Path) -> None:
    async with visit(tmp_path, None, empty=True) as web:
        for path in ("/login/provider", "/login/provider/back", "/logout/provider"):
            assert (await web.get(path)).status == 404
        assert "provider" not in await web.page("/login")


async def test_the_address_after_logging_in_stays_in_this_house(tmp_path: Path) -> None:
    async with door(tmp_path, **ANYONE) as d:
        answer = await d.log_in("/login/provider?next=//evil.example")
        assert answer.headers["Location"] == "/"
        assert answer.cookies[SESSION_COOKIE]["httponly"]


def test_a_list_of_groups_that_is_no_list_gives_no_role() -> None:
    settings = Oidc(issuer="https://login.example.com", client_id="c", roles={"leads": "lead"})
    for groups in (None, 3, {"leads": True}, [3, None], ["Leads"]):
        with pytest.raises(LoginRefused):
            role_in({"groups": groups}, settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("local_login = false", "needs [web.oidc]"),
        ('[web.oidc]\nissuer = "http://login.example.com"\nclient_id = "g"', "no https address"),
        ('[web.oidc]\nissuer = "https://login.example.com"\nclient_id = "g"\nscopes = ["email"]', "openid"),
        ('[web.oidc]\nissuer = "https://login.example.com?x=1"\nclient_id = "g"', "no issuer"),
        ('[web.oidc]\nissuer = "https://login.example.com"\nclient_id = "g"\nroles = {leads = "boss"}', "roles.leads"),
    ],
)
def test_settings_that_let_nobody_or_everybody_in_are_mistakes(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_text(f"[web]\n{text}\n" if not text.startswith("[") else text)
    with pytest.raises(ConfigError, match=said.replace("[", r"\[").replace(".", r"\.")):
        load_config(path, {})


def test_the_client_secret_is_shown_nowhere() -> None:
    config = Config.model_validate(
        {"web": {"oidc": {"issuer": "https://a.example", "client_id": "g", "client_secret": "hush"}}}
    )
    assert "hush" not in repr(config)


async def test_a_user_who_is_not_there_is_not_handed_over(tmp_path: Path) -> None:
    async with door(tmp_path) as d:
        with pytest.raises(CommandRefused, match="no user 'Nobody'"):
            d.web.town.do(HandToProvider("Nobody", by="Ada"))


async def test_doctor_asks_the_provider_and_names_the_address_to_register(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(IdentityProvider()) as provider:
        path = tmp_path / "gateway.toml"
        oidc = f'[web.oidc]\nissuer = "{provider.issuer}"\nclient_id = "g"\n'
        path.write_text(f'data_dir = "d"\n[web]\nlocal_login = false\npublic_url = "https://help.example"\n{oidc}')
        for down in (False, True):
            provider.down = down
            with pytest.raises(typer.Exit):
                await asyncio.to_thread(doctor, path)
    said = capsys.readouterr().err
    assert "back to https://help.example/login/provider/back" in said
    assert "web.break_glass names nobody" in said
    assert "✗ web.oidc.issuer" in said
