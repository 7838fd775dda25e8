"""Pictures of the product, in three widths, light and dark: ``python -m tests.screenshots [NAME …]``.

A believable fleet speaks through the real committer into a store; Chromium looks at what the web makes of it. The
pictures go to ``screenshots/``, which git ignores; they are there to be looked at, one by one.
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright

from device_models.event import rfc3339
from gateway.backtest.job import Job, do
from gateway.commands import CreateSilence, GiveVerdict, PutFilesLive, Upsert
from gateway.commands.cases import SaveMacro
from gateway.commands.desk import AskForCall, ConfirmBooking, HoldSlot, OfferSlots
from gateway.commands.drafts import BeginDraft, KeepBacktest
from gateway.commands.enrolment import MakeClaimCodes
from gateway.commands.staff import (
    GatewayAlarm,
    SaveContacts,
    SaveHours,
    SaveOverride,
    SavePolicy,
    SaveRota,
    SaveTeam,
    SetAway,
    SetScope,
    TeamMember,
    TellStaff,
    TestAlert,
)
from gateway.config import Config
from gateway.logs import configure_logs
from gateway.rulebook.editing import with_text
from gateway.rulebook.files import file_text, rule_paths
from gateway.rulebook.versions import rules_as_written
from gateway.staff.sla import Policy, Target
from gateway.store import schema
from rules.authoring.rule_text import text_of
from rules.schema import parse_rules
from tests.gateway.roll_out import roll_out
from tests.gateway.web_fleet import PASSWORD, Town, link, town
from tests.servers import require

OUT = Path("screenshots")
SIZES = {"desktop": (1440, 900), "tablet": (900, 1100), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


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


def shots(made: Town) -> Mapping[str, Shot]:
    """Name the screens worth looking at."""
    souza = made.case_of("f-souza", "freezer-compressor-stopped")["id"]
    lumen = made.case_of("f-lumen", "freezer-cools-poorly")["id"]
    draft = _tried_draft(made)
    muted = "painting the kitchen, its door stands open"
    made.do(PutFilesLive((*(_shipped()), (SHADOW, "shadow.yaml")), "Lea"))
    for row in made.rows(schema.cases)[:4]:
        made.do(GiveVerdict(row["id"], "real" if row["id"] % 3 else "false_alarm", "Mia"))
    made.do(SaveMacro("door-check", "Hello {name}, is the door of {device} shut all the way?", "Lea"))
    made.do(CreateSilence("Mia", muted, made.now + timedelta(hours=2), device_id="f-yusuf"))
    made.do(Upsert("devices", ({"id": "new-1", "profile": "freezer", "model": "Polar 300"},), by="pictures"))
    claim = made.do(MakeClaimCodes(["new-1"], by="pictures"))[0]["code"]
    made.do(
        OfferSlots(
            "Berlin",
            [(f"s{n}", made.now + n * timedelta(hours=25), made.now + n * timedelta(hours=26)) for n in range(1, 5)],
        )
    )
    brown = made.case_of("f-brown")
    made.do(AskForCall("c-brown", brown["id"], "It hums and then it clicks.", made.now + timedelta(hours=3)))
    made.do(ConfirmBooking(made.do(HoldSlot("s2", "c-yusuf", None)), "c-yusuf"))
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
    made.do(TestAlert("Night and day", "Lea"))
    made.do(GatewayAlarm("relay", "0 of 1 connected"))
    made.do(TellStaff())
    incident = roll_out(made)
    return {
        "login": Shot("/login", "form"),
        "queue": Shot("/", ".preview .sentence, .case-row"),
        "case": Shot(f"/cases/{souza}", ".chart"),
        "approval": Shot(f"/cases/{lumen}", "[data-draft]", click="[data-edit]"),
        "messages": Shot("/messages", ".mail"),
        "map": Shot("/devices", "#map[data-ready]"),
        "device": Shot("/devices/f-souza", ".chart"),
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
        "texts": Shot("/texts", ".matrix"),
        "text-message": Shot("/texts/messages/fault_opened?language=de", ".seen"),
        "text-sms-ar": Shot("/texts/messages/fault_opened?language=ar&channel=sms", ".seen"),
        "text-article": Shot("/texts/articles/freezer-door-open?language=ar", ".article"),
        "rule-editor": Shot(f"/drafts/{draft}", ".editor.lit", whole=True),
        "going-live": Shot(f"/drafts/{draft}/live", ".migration", whole=True),
        "versions": Shot("/versions", ".migration"),
        "new": Shot("/new?device_id=f-meier", "form.surface", whole=True),
        "found": Shot("/new?q=souza", ".found"),
        "macros": Shot("/macros", ".surface"),
        "resolve": Shot(f"/cases/{souza}", ".chart", click="[data-key=d]"),
        "more": Shot(f"/cases/{souza}", ".chart", click="[data-key=m]"),
        "reports": Shot("/reports", ".figures", whole=True),
        "fleet": Shot("/fleet", "#map[data-ready]", whole=True),
        "incident": Shot(f"/fleet/incidents/{incident}", "table", whole=True),
        "fault-report": Shot("/fleet/faults/core-temperature-high", "table", whole=True),
        "admin": Shot("/admin", ".cards", whole=True),
        "configuration": Shot("/admin/configuration?all=1", "table"),
        "account": Shot("/me", "table", whole=True),
        "second-factor": Shot("/me/second-factor", ".qr svg"),
        "arrival": Shot("/arrival", ".case-row"),
        "demo": Shot("/demo", ".story"),
        "customer-en": Shot(link(made, "f-brown"), "h1", whole=True),
        "customer-de": Shot(link(made, "f-lumen"), "h1", whole=True),
        "customer-ar": Shot(link(made, "f-yusuf"), "h1", whole=True),
        "settings-en": Shot(f"{link(made, 'f-brown')}/settings", "h1", whole=True),
        "settings-ar": Shot(f"{link(made, 'f-yusuf')}/settings", "h1", whole=True),
        "rating-en": Shot(link(made, "f-meier"), "h1", whole=True),
        "claim": Shot(f"/claim/{claim}", "h1", whole=True),
        "tasks": Shot("/tasks", "table"),
    }


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


def _alert_link(made: Town) -> str:
    text: str = made.rows(schema.notifications, template="staff_alert")[-1]["text"]
    return text.rsplit("http://127.0.0.1:8080", 1)[1]


def _shipped() -> list[tuple[str, str]]:
    """The rule files that come with the product."""
    return [(file_text(path), str(path)) for path in rule_paths(Config())]


async def log_in(page: Page, base: str, name: str = "Ada") -> None:
    """Log in as a person does."""
    await page.goto(f"{base}/login")
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await page.wait_for_url(f"{base}/")


async def take(browser: Browser, base: str, wanted: Mapping[str, Shot]) -> list[Path]:
    """Take the pictures; return their files."""
    taken: list[Path] = []
    for size, (width, height) in SIZES.items():
        for scheme in SCHEMES:
            context = await browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                timezone_id="Europe/Berlin",
                has_touch=size == "phone",
                is_mobile=size == "phone",
            )
            page = await context.new_page()
            await log_in(page, base)
            for name, shot in wanted.items():
                if name == "login":
                    await context.clear_cookies(name="session")
                await page.goto(base + shot.path)
                await page.locator(shot.ready).first.wait_for(state="visible")
                if size == "desktop" and name == "queue":
                    await page.locator(".preview .chart").wait_for()
                if shot.click:
                    await page.locator(shot.click).first.click()
                file = OUT / f"{name}-{size}-{scheme}.png"
                await page.screenshot(path=file, full_page=shot.whole)
                taken.append(file)
                if name == "login":
                    await log_in(page, base)
            await context.close()
    return taken


async def main(names: Sequence[str]) -> None:
    """Fill a store, serve it, look at it."""
    configure_logs("warning", "text")
    chromium = require("chromium", "chromium")
    with tempfile.TemporaryDirectory() as folder:
        async with town(Path(folder), demo=True) as made, TestServer(made.app()) as server:
            wanted = {name: shot for name, shot in shots(made).items() if not names or name in names}
            base = str(server.make_url("")).rstrip("/")
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
                for file in await take(browser, base, wanted):
                    print(file)  # noqa: T201  (what a person who runs this wants to know)
                await browser.close()


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    asyncio.run(main(sys.argv[1:]))
