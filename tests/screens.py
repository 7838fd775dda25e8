"""What is pictured: every screen of the console, of the ways in and of the customer's page, in states worth a look."""

import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal

import pyotp
from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request, unused_port
from playwright.async_api import Page
from pydantic import SecretStr

from device_models.event import rfc3339
from gateway.backtest.job import Job, do
from gateway.commands import (
    CreateSilence,
    CustomerWrote,
    GiveVerdict,
    HandOver,
    Hold,
    MailArrived,
    OpenAccountLink,
    OpenSubscription,
    PutEventAside,
    PutFilesLive,
    SaveSession,
    SaveUser,
    SendCheck,
    SendFailed,
    SetSecondFactor,
    SubscriptionFailed,
    Upsert,
)
from gateway.commands.cases import SaveMacro
from gateway.commands.desk import AskForCall, ConfirmBooking, HoldSlot, OfferSlots
from gateway.commands.drafts import BeginDraft, KeepBacktest
from gateway.commands.enrolment import MakeClaimCodes, StartClaim
from gateway.commands.staff import (
    GatewayAlarm,
    SaveContacts,
    SaveHours,
    SaveOverride,
    SavePolicy,
    SaveRota,
    SaveTeam,
    SendTestAlert,
    SetAway,
    SetScope,
    TeamMember,
    TellStaff,
)
from gateway.commands.texts import SaveTextDraft
from gateway.config import Config
from gateway.rulebook.editing import with_text
from gateway.rulebook.files import file_text, rule_paths
from gateway.rulebook.proposals import VERIFIED, Answer, Terms
from gateway.rulebook.suggestions import Found
from gateway.rulebook.versions import rules_as_written
from gateway.settings.login import Oidc
from gateway.staff.sla import Policy, Target
from gateway.store import schema
from gateway.web.auth import hash_password, token_hash
from gateway.web.customer.session import PROOF_COOKIE, give_proof
from gateway.web.second_factor import STEP_S
from rules.authoring.rule_text import text_of
from rules.authoring.suggestion import Suggestion, refuse, suggest
from rules.kinds.condition import ConditionRule
from rules.recordings.judged import Episode, Recording
from rules.schema import parse_rules
from tests.gateway.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider, running
from tests.gateway.roll_out import roll_out
from tests.gateway.web_fleet import PASSWORD, USERS, Town, link, town

Scheme = Literal["light", "dark"]
Act = Callable[[Page], Awaitable[None]]
SPOKEN: Mapping[str, tuple[Scheme, ...]] = {"de": ("light",), "ar": ("light", "dark")}
"""The console's other languages, and how each is pictured."""
SAMPLES = (
    *(
        "login",
        "queue",
        "case",
        "approval",
        "resolve",
        "messages",
        "map",
        "device",
        "person",
        "fleet",
        "incident",
        "rules",
        "rule",
    ),
    *("rule-editor", "reports", "admin", "teams", "sla", "rota", "texts", "account", "tasks", "palette", "keys"),
    *("not-found", "undecided", "silences", "second-factor", "suggestions", "rule-wrong"),
)
"""Screens that are pictured in those too."""

SHADOW = """
rules:
  - id: freezer-rather-warm
    kind: condition
    profile: freezer
    title: {en: Your freezer is rather warm}
    when: temperature > -17
    for: 15m
    mode: shadow
"""


@dataclass(frozen=True)
class Shot:
    """One screen to be pictured."""

    path: str
    ready: str
    """A selector that is visible once the screen is whole."""
    whole: bool = False
    """The whole page rather than the first screenful."""
    click: str = ""
    act: Act | None = None
    """What is done before the picture is taken."""
    user: str | None = "Ada"
    """Who looks; None: nobody who is logged in."""
    language: str = "en-GB"
    """The browser's."""
    schemes: tuple[Scheme, ...] = ("light", "dark")


@dataclass(frozen=True)
class House:
    """A gateway that is served, and what is pictured of it."""

    base: str
    made: Town
    shots: Mapping[str, Shot]
    proof: str = ""
    """The cookie of a browser that has proved whose customer's page it opens."""
    tokens: dict[str, str] = field(default_factory=dict)
    """Of the sessions of those who look."""


async def houses(stack: AsyncExitStack, folder: Path) -> AsyncIterator[House]:
    """Open one after the other: a busy one, one in which nothing happened yet, one behind an identity provider."""
    for name in ("busy", "empty", "door"):
        (folder / name).mkdir()
    made = await stack.enter_async_context(town(folder / "busy", demo=True))
    app = made.app()
    base = await _served(stack, app)
    english = shots(made)
    spoken = {
        f"{name}-{language}": replace(english[name], language=language, schemes=schemes)
        for language, schemes in SPOKEN.items()
        for name in SAMPLES
    }
    yield House(base, made, {**english, **spoken}, _proof(app, "c-brown"))
    made = await stack.enter_async_context(town(folder / "empty", empty=True))
    yield House(await _served(stack, made.app()), made, empty_shots())
    provider = await stack.enter_async_context(running(IdentityProvider()))
    made = await stack.enter_async_context(town(folder / "door", empty=True))
    port = unused_port()
    oidc = Oidc(issuer=provider.issuer, client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET), label="Acme")
    made.deps = replace(made.deps, oidc=oidc, public_url=f"http://127.0.0.1:{port}")
    made.do(Hold(on=True, by="Ada"))
    yield House(await _served(stack, made.app(), port), made, door_shots())


async def _served(stack: AsyncExitStack, app: web.Application, port: int | None = None) -> str:
    server = await stack.enter_async_context(TestServer(app, port=port))
    return str(server.make_url("")).rstrip("/")


def _proof(app: web.Application, customer_id: str) -> str:
    """The cookie of a browser whose holder gave a code back."""
    answer = web.Response()
    give_proof(make_mocked_request("GET", "/", app=app), answer, customer_id)
    return answer.cookies[PROOF_COOKIE].value


def shots(made: Town) -> Mapping[str, Shot]:
    """Name the screens of a busy gateway."""
    souza = made.case_of("f-souza", "freezer-compressor-stopped")["id"]
    lumen = made.case_of("f-lumen", "freezer-cools-poorly")["id"]
    draft = _tried_draft(made)
    _search(made)
    note = "We noticed this ourselves: you do not need to report it."
    made.do(SaveTextDraft("words", "", "de", json.dumps({note: "Das ist uns selbst aufgefallen."}), "Lea"))
    muted = "painting the kitchen, its door stands open"
    made.do(PutFilesLive((*(_shipped()), (SHADOW, "shadow.yaml")), "Lea"))
    for row in made.rows(schema.cases)[:4]:
        made.do(GiveVerdict(row["id"], "real" if row["id"] % 3 != 1 else "false_alarm", "Mia"))
    made.do(SaveMacro("door-check", "Hello {name}, is the door of {device} shut all the way?", "Lea"))
    made.do(CreateSilence("Mia", muted, made.now + timedelta(hours=2), device_id="f-yusuf"))
    made.do(Upsert("devices", ({"id": "new-1", "profile": "freezer", "model": "Polar 300"},), by="pictures"))
    claim = made.do(MakeClaimCodes(["new-1"], by="pictures"))[0]["code"]
    check = made.do(StartClaim(claim, "email", "new@owner.example", "Nora", "en"))["token"]
    made.do(
        OfferSlots(
            "Berlin",
            [(f"s{n}", made.now + n * timedelta(hours=25), made.now + n * timedelta(hours=26)) for n in range(1, 5)],
        )
    )
    brown = made.case_of("f-brown")
    made.do(AskForCall("c-brown", brown["id"], "It hums and then it clicks.", made.now + timedelta(hours=3)))
    made.do(ConfirmBooking(made.do(HoldSlot("s2", "c-yusuf", None)), "c-yusuf"))
    _staff(made)
    _trouble(made)
    incident = roll_out(made)
    own = link(made, "f-brown")
    return {
        "queue": Shot("/", ".preview .sentence, .case-row"),
        "queue-resolved": Shot("/?view=resolved", ".case-row"),
        "queue-search": Shot("/?q=souza", ".case-row"),
        "queue-nothing": Shot("/?q=zeppelin", ".empty"),
        "queue-bulk": Shot("/", ".case-row", act=_select_two),
        "queue-views": Shot("/", ".case-row", click=".filters summary"),
        "palette": Shot("/", ".case-row", act=_palette),
        "keys": Shot("/", ".case-row", act=lambda page: page.keyboard.press("?")),
        "offline": Shot("/", ".case-row", act=_offline),
        "case": Shot(f"/cases/{souza}", ".chart", user="Mia"),
        "case-whole": Shot(f"/cases/{souza}", ".chart", whole=True),
        "approval": Shot(f"/cases/{lumen}", "[data-draft]", click="[data-edit]"),
        "resolve": Shot(f"/cases/{souza}", ".chart", click="[data-key=d]"),
        "snooze": Shot(f"/cases/{souza}", ".chart", click="[data-key=s]"),
        "more": Shot(f"/cases/{souza}", ".chart", click="[data-key=m]"),
        "macro": Shot(f"/cases/{souza}", ".chart", act=_macro),
        "messages": Shot("/messages", ".mail"),
        "undecided": Shot("/messages?tab=undecided", "table"),
        "sent": Shot("/messages?tab=moving", "table", click="details summary"),
        "not-sent": Shot("/messages?tab=ended", "table, .empty"),
        "unjoined": Shot("/unjoined", ".mail"),
        "map": Shot("/devices", "#map[data-ready]"),
        "device": Shot("/devices/f-souza", ".chart"),
        "person": Shot("/customers/c-souza", ".pairs"),
        "device-whole": Shot("/devices/f-lumen", ".chart", whole=True),
        "offers": Shot("/offers", "table"),
        "silences": Shot("/silences?device_id=f-yusuf", "table", whole=True),
        "rota": Shot("/rota?rota=Night and day", "table", whole=True),
        "alert": Shot(_alert_link(made), "h1"),
        "teams": Shot("/teams?team=Berlin", "table", whole=True),
        "sla": Shot("/sla?policy=Gold", "table", whole=True),
        "rejected": Shot("/rejected", "table"),
        "rules": Shot("/rules", "table"),
        "rule": Shot("/rules/freezer-rather-warm", ".surface", whole=True),
        "review": Shot("/review", "table"),
        "suggestions": Shot("/suggestions", ".proposal", whole=True),
        "rule-editor": Shot(f"/drafts/{draft}", ".editor.lit", whole=True),
        "rule-wrong": Shot("/drafts/new", ".editor.lit", act=_wrong_rule),
        "going-live": Shot(f"/drafts/{draft}/live", ".migration", whole=True),
        "versions": Shot("/versions", ".migration"),
        "version": Shot("/versions", ".migration", act=_open_version),
        "texts": Shot("/texts", ".matrix"),
        "text-message": Shot("/texts/messages/fault_opened?language=de", ".seen"),
        "text-sms-ar": Shot("/texts/messages/fault_opened?language=ar&channel=sms", ".seen"),
        "text-article": Shot("/texts/articles/freezer-door-open?language=ar", ".article"),
        "new": Shot("/new?device_id=f-meier", "form.surface", whole=True),
        "found": Shot("/new?q=souza", ".found"),
        "macros": Shot("/macros", ".surface"),
        "tasks": Shot("/tasks", "table"),
        "reports": Shot("/reports", ".figures", whole=True),
        "fleet": Shot("/fleet", "#map[data-ready]", whole=True),
        "incident": Shot(f"/fleet/incidents/{incident}", "table", whole=True),
        "fault-report": Shot("/fleet/faults/core-temperature-high", "table", whole=True),
        "admin": Shot("/admin", ".cards", whole=True),
        "admin-viewer": Shot("/admin", ".cards", user="Vera"),
        "token": Shot("/admin", ".cards", act=_token),
        "invited": Shot("/admin", ".cards", act=_invite),
        "configuration": Shot("/admin/configuration?all=1", "table"),
        "account": Shot("/me", "table", whole=True),
        "second-factor": Shot("/me/second-factor", ".qr svg", user="Vera"),
        "recovery-codes": Shot("/me/second-factor", ".qr svg", user="Kim", act=_second_factor),
        "arrival": Shot("/arrival", ".case-row"),
        "demo": Shot("/demo", ".story"),
        "not-found": Shot("/cases/99999", "h1"),
        "forbidden": Shot("/drafts/new", "h1", user="Vera"),
        "login": Shot("/login", "form", user=None),
        "login-wrong": Shot("/login", "form", user=None, act=partial(_log_in_wrongly, names=itertools.cycle(USERS))),
        "login-code": Shot("/login", "form", user=None, act=_log_in_with_code),
        "forgotten": Shot("/forgotten", "form", user=None),
        "forgotten-sent": Shot("/forgotten", "form", user=None, act=_forgotten),
        "join": Shot(_invitation(made), "form", user=None),
        "customer-en": Shot(own, "h1", whole=True),
        "customer-de": Shot(link(made, "f-lumen"), "h1", whole=True),
        "customer-ar": Shot(link(made, "f-yusuf"), "h1", whole=True),
        "customer-pt": Shot(link(made, "f-souza"), "h1", whole=True),
        "rating-de": Shot(link(made, "f-meier"), "h1", whole=True),
        "settings-en": Shot(f"{own}/settings", "h1", whole=True),
        "settings-ar": Shot(f"{link(made, 'f-yusuf')}/settings", "h1", whole=True),
        "prove-en": Shot(f"{own}/check/{made.do(SendCheck('c-brown', 'email'))['token']}", "h1"),
        "erase-en": Shot(f"{own}/settings", "h1", act=_erase),
        "stop-en": Shot(f"{own}/stop", "h1"),
        "stop-ar": Shot(f"{link(made, 'f-yusuf')}/stop", "h1"),
        "gone": Shot("/p/x", "h1"),
        "claim": Shot(f"/claim/{claim}", "h1", whole=True),
        "claim-ar": Shot(f"/claim/{claim}", "h1", whole=True, language="ar"),
        "claim-check": Shot(f"/check/{check}", "h1"),
    }


def empty_shots() -> Mapping[str, Shot]:
    """Name the screens of a gateway in which nothing happened yet: what is to come, and how to make it."""
    paths = {
        "queue": "/",
        "mine": "/?view=mine",
        "messages": "/messages",
        "devices": "/devices",
        "fleet": "/fleet",
        "offers": "/offers",
        "tasks": "/tasks",
        "unjoined": "/unjoined",
        "silences": "/silences",
        "rejected": "/rejected",
        "review": "/review",
        "versions": "/versions",
        "macros": "/macros",
        "reports": "/reports",
        "teams": "/teams",
        "sla": "/sla",
        "rota": "/rota",
        "admin": "/admin",
    }
    english = {f"empty-{name}": Shot(path, "#main > *") for name, path in paths.items()}
    return {**english, "empty-queue-ar": replace(english["empty-queue"], language="ar")}


def door_shots() -> Mapping[str, Shot]:
    """Name the screens around an identity provider, and those while everything that goes out is on hold."""
    return {
        "login-provider": Shot("/login", "form", user=None),
        "connect": Shot("/login/provider?next=/me", "h1"),
        "not-let-in": Shot("/login/provider", "h1", user=None),
        "logged-out": Shot("/logged-out", "h1", user=None),
        "held": Shot("/messages", "h1"),
    }


async def _select_two(page: Page) -> None:
    for key in ("j", "x", "j", "x"):
        await page.keyboard.press(key)


async def _palette(page: Page) -> None:
    await page.keyboard.press("Control+k")
    await page.locator(".palette input").fill("f")
    await page.locator(".palette li:nth-child(8)").wait_for()


async def _offline(page: Page) -> None:
    await page.context.set_offline(True)
    await page.evaluate("dispatchEvent(new Event('offline'))")
    await page.locator("[data-offline]").wait_for()


async def _macro(page: Page) -> None:
    await page.keyboard.press("r")
    await page.locator(".composer textarea:visible").first.fill("/")
    await page.locator(".macros li").first.wait_for()


async def _wrong_rule(page: Page) -> None:
    await page.locator("textarea#text").fill(
        "rules:\n  - id: too-warm\n    kind: condition\n    whem: temperature > -12\n"
    )
    await page.locator("[data-look] .error, [data-look] .late").first.wait_for()


async def _open_version(page: Page) -> None:
    await page.locator("main a[href^='/versions/']").first.click()
    await page.wait_for_url("**/versions/*")


async def _token(page: Page) -> None:
    await page.fill("#token-name", f"till-{time.monotonic_ns()}")
    await page.press("#token-name", "Enter")
    await page.locator("#token").wait_for()


async def _invite(page: Page) -> None:
    await page.fill("#user-name", "Nia")
    await page.press("#user-name", "Enter")
    await page.locator("#link").wait_for()


async def _second_factor(page: Page) -> None:
    spelt = await page.locator(".steps .mono").inner_text()
    await page.fill("#code", pyotp.TOTP(spelt.replace(" ", ""), interval=STEP_S).now())
    await page.fill("#current", PASSWORD)
    await page.press("#current", "Enter")
    await page.locator(".codes").wait_for()


async def _log_in_wrongly(page: Page, names: "itertools.cycle[str]") -> None:
    # Another name each time: who fails too often waits.
    await page.fill("#name", next(names))
    await page.fill("#password", "wrong horse")
    await page.press("#password", "Enter")
    await page.locator(".error:not(:empty)").wait_for()


async def _log_in_with_code(page: Page) -> None:
    await page.fill("#name", "Tia")
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await page.locator("#code").wait_for()


async def _forgotten(page: Page) -> None:
    await page.fill("#who", "Ada")
    await page.press("#who", "Enter")
    await page.locator("[role=status]").wait_for()


async def _erase(page: Page) -> None:
    await page.locator(".big.danger").click()
    await page.locator("[name=sure]").wait_for()


def _staff(made: Town) -> None:
    """Who works here, when, and on what."""
    made.do(SaveHours("Berlin", "Mo-Fr 08:00-18:00; Sa 09:00-13:00", "Europe/Berlin", "Lea", "DE-BE"))
    gold = Policy(
        "Gold",
        {Target.FIRST_RESPONSE: timedelta(minutes=30), Target.RESOLVE: timedelta(hours=8)},
        "Berlin",
        tiers=frozenset({"gold"}),
    )
    times = {Target.FIRST_RESPONSE: timedelta(hours=2), Target.NEXT_RESPONSE: timedelta(hours=4)}
    made.do(SavePolicy(gold, 1, "Lea"))
    made.do(SavePolicy(Policy("Everybody", times, "Berlin"), 2, "Lea"))
    made.do(SaveTeam("Lisbon", 3, "Lea", (TeamMember("Ben", ("pt", "en")),)))
    germans = (TeamMember("Mia", ("de", "en"), 12), TeamMember("Lea", ("de",)))
    made.do(
        SaveTeam("Berlin", 1, "Lea", germans, "Berlin", regions=("AT", "CH", "DE"), assigns=True, fallback="Lisbon")
    )
    made.do(SaveTeam("Heating", 2, "Lea", (TeamMember("Lea"),), profiles=("heating",)))
    made.do(SetAway("Lea", made.now + timedelta(days=2), "Lea"))
    made.do(SetScope("Ben", ("Lisbon",), ("BR", "PT"), "Ada"))
    made.do(SaveContacts("Ada", (("sms", "+491511234567"), ("email", "ada@nordkaelte.example")), "Ada"))
    made.do(SaveContacts("Mia", (("sms", "+491511234568"),), "Mia"))
    turns = {"level": 1, "hours": "24/7", "people": ["Mia", "Ben", "Lea"], "since": "2026-03-02"}
    second = {**turns, "level": 2, "people": ["Ada"], "hours": "Mo-Fr 18:00-08:00", "place": "DE-BE", "holidays": "off"}
    made.do(SaveRota("Night and day", "Europe/Berlin", (turns, second), "Lea", alarms=True))
    begins = made.now + timedelta(hours=5)
    made.do(SaveOverride("Night and day", begins, begins + timedelta(hours=12), "Ben", "Lea", "Mia"))
    made.do(SendTestAlert("Night and day", "Lea"))
    made.do(GatewayAlarm("relay", "0 of 1 connected"))
    made.do(TellStaff())
    for browser, address in (("Firefox on Windows", "192.0.2.17"), ("Safari on iPhone", "198.51.100.4")):
        made.do(SaveSession(token_hash(browser), "Ada", made.now + timedelta(hours=9), browser, address))
    made.do(SaveUser("Kim", hash_password(PASSWORD), "agent", by="Ada"))
    made.do(SaveUser("Tia", hash_password(PASSWORD), "lead", by="Ada"))
    made.do(SetSecondFactor("Tia", "sealed", 0, ("unused",)))


def _trouble(made: Town) -> None:
    """What a person has to look into: messages in doubt, words that join no case, a system that cannot be told."""
    dead, unclear = [row["id"] for row in made.rows(schema.notifications, state="queued") if row["customer_id"]][:2]
    for message in (dead, unclear):
        made.do(HandOver(message))
    made.do(SendFailed(dead, "undeliverable", "the number is not in service"))
    made.do(SendFailed(unclear, "unknown", "no answer within 15 s after the text was written"))
    made.do(
        CustomerWrote("twilio", "SMin9", "sms", "+491700000009", "Hallo, meine Gefriertruhe piept seit heute früh.")
    )
    text = "My freezer beeps again. Is somebody coming today?"
    made.do(MailArrived("<1@brown.example>", "grace@brown.example", False, text, text, ()))
    for name in ("crm", "data-lake"):
        made.do(OpenSubscription(name))
    case = made.rows(schema.cases)[0]["id"]
    made.do(PutEventAside("crm", 3, case, "opened", "422: field 'site' is unknown"))
    made.do(SubscriptionFailed("crm", "the server does not answer", made.now + timedelta(minutes=4)))


def _invitation(made: Town) -> str:
    made.do(OpenAccountLink(token_hash("pictured"), "Noor", "agent", made.now + timedelta(days=3), "Ada"))
    return "/join/pictured"


def _tried_draft(made: Town) -> int:
    """A draft of a shipped rule with its backtest, as the editor shows it afterwards."""
    live = made.committer.detector.ruleset
    text = text_of([live["freezer-door-open"]], _shipped())
    changed = text.replace("for: 15m", "for: 2h")
    draft = int(made.do(BeginDraft(changed, ("freezer-door-open",), text, "Lea"))["id"])
    after = with_text(parse_rules(changed, "draft"), ("freezer-door-open",), live)
    sets = rules_as_written(live), rules_as_written(after)
    job = Job(made.config, *sets, ("freezer-door-open",), made.now, timedelta(days=1))
    # It has a loop of its own, which this thread's running one would not let begin.
    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(do, job, lambda _: None).result()
    kept = {"at": rfc3339(made.now), "draft_version": 1, "live_version": live.version, "by": "Lea"}
    made.do(KeepBacktest(draft, {**outcome, **kept}))
    return draft


def _search(made: Town) -> None:
    """Let a search for better settings have found one, out of twelve judged warm spells of one freezer."""
    live, desk = made.committer.detector.ruleset, made.deps.rule_desk
    rule = live["freezer-too-warm"]
    assert desk is not None
    assert isinstance(rule, ConditionRule)
    samples, episodes = [], []
    for day, peak in enumerate((-4.0, -10.0, -5.0, -10.5, -3.0, -9.5, -6.0, -11.0, -2.0, -10.0, -5.5, -9.0)):
        begins = made.now - timedelta(days=2 * day + 2)
        said = [(begins + timedelta(minutes=5 * n), peak if 20 <= n < 36 else -18.0) for n in range(60)]
        samples += [(at, {"temperature": celsius}) for at, celsius in said]
        episodes.append(Episode("f-lumen", peak > -8, said[20][0], said[36][0]))
    recording = Recording({"f-lumen": sorted(samples, key=lambda one: one[0])}, made.deps.devices, made.deps.profiles)
    found = suggest(rule, made.deps.profiles["freezer"], recording, episodes)
    assert isinstance(found, Suggestion)
    counted = {"now": (12, 24, 1), "proposed": (6, 12, 1)}
    verified = {name: dict(zip(VERIFIED, figures, strict=True)) for name, figures in counted.items()}
    answers = [Answer(rule.id, 1, suggestion=found, verified=verified)]
    others = [other for other in live.rules if isinstance(other, ConditionRule) and other is not rule]
    answers += [Answer(other.id, refusal=refuse(other, [])) for other in others]
    terms = Terms(timedelta(days=90), made.now)
    told = [answer.as_dict() for answer in answers]
    desk.suggestions.last = Found("Lea", made.now, terms, live.version, "done", 1.0, answers=told)


def _alert_link(made: Town) -> str:
    text: str = made.rows(schema.notifications, template="staff_alert")[-1]["text"]
    return text.rsplit("http://127.0.0.1:8080", 1)[1]


def _shipped() -> list[tuple[str, str]]:
    """The rule files that come with the product."""
    return [(file_text(path), str(path)) for path in rule_paths(Config())]
