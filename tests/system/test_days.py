"""The day of an agent, a lead and an operator: a real gateway, MQTT, mail by SMTP, and nothing but the keyboard."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.commands import SaveUser
from gateway.web.auth import hash_password
from tests.gateway.web_fleet import PASSWORD
from tests.screenshots import log_in
from tests.servers import require
from tests.system.desk import at_once
from tests.system.gateway_process import GatewayProcess, MailServer, wait_for

# The browser's loop.
pytestmark = pytest.mark.asyncio(loop_scope="session")

RULES = """
rules:
  # The cabinet is to stay below -18.
  - id: too-warm
    kind: condition
    profile: freezer
    title: {en: Your freezer is getting too warm}
    advice: {en: Close the door until it clicks.}
    when: temperature > -12
    for: 0s
    causes:
      - {id: left-open, title: Door left open, fixes: [Door closed]}
"""
BEFORE_DEFAULTS = """
[notifiers.modes]
fault = "approve"
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GatewayProcess, MailServer]]:
    """One gateway for all three, with what happened before they came to work."""
    require("chromium", "chromium")
    folder = tmp_path_factory.mktemp("days")
    with MailServer() as mail, GatewayProcess(folder, mail, RULES, BEFORE_DEFAULTS) as gateway:
        password = hash_password(PASSWORD)
        for name, role in (("Mia", "agent"), ("Ben", "agent"), ("Lea", "lead"), ("Ada", "admin")):
            gateway.submit(SaveUser(name, password, role, by="test"))
        people = [("ana", "Ana Souza"), ("kim", "Kim Weber"), ("bad", "Otto Falsch")]
        gateway.register(
            customers=[
                {"id": id_, "name": name, "locale": "en", "timezone": "UTC", "email": f"{id_}@example.org"}
                for id_, name in people
            ],
            devices=[
                {"id": f"f-{id_}", "profile": "freezer", "customer_id": id_, "name": f"Freezer of {name}"}
                for id_, name in people
            ],
        )
        yield gateway, mail


def warm(gateway: GatewayProcess, device: str) -> int:
    """Let a freezer warm up and return the case that opened itself."""
    began = datetime.now(UTC) - timedelta(minutes=2)
    for minute, celsius in ((0, -18), (1, -8)):
        stamp = (began + timedelta(minutes=minute)).timestamp()
        gateway.publish(f"devices/{device}/status", {"temperature": celsius, "door_open": False, "ts": stamp})
    query = "SELECT device_id, id FROM cases WHERE state = 'open'"

    def opened() -> list[int]:
        return [row["id"] for row in gateway.rows(query) if row["device_id"] == device]

    return int(wait_for(opened, f"the case of {device}")[0])


async def at_work(browser: Browser, gateway: GatewayProcess, user: str) -> tuple[Page, list[str]]:
    """Log in and return the page, with what its console says from then on."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    await log_in(page, f"http://127.0.0.1:{gateway.web_port}", user)
    await expect(page.locator("html[data-live=on]")).to_be_attached()
    return page, said


async def go_to(page: Page, words: str) -> None:
    """By the palette: what is named so and comes first."""
    await page.keyboard.press("Control+k")
    await page.keyboard.type(words)
    await expect(page.locator("#palette-list li").first).to_contain_text(re.compile(words, re.IGNORECASE))
    await page.keyboard.press("Enter")


async def test_an_agent_claims_reads_approves_answers_resolves_and_goes_on(
    house: tuple[GatewayProcess, MailServer], browser: Browser
) -> None:
    gateway, mail = house
    first = warm(gateway, "f-ana")
    mia, said = await at_work(browser, gateway, "Mia")
    ben, also = await at_work(browser, gateway, "Ben")
    chosen = mia.locator(".case-row[aria-selected=true]")
    await expect(chosen).to_have_attribute("data-id", str(first))
    await mia.keyboard.press("c")
    await expect(mia.locator(".toast")).to_contain_text(f"Case {first} is yours.")
    # Ben looks at the same list in a browser of his own.
    await expect(ben.locator(f".preview [data-case='{first}']")).to_contain_text("Mia has it")
    await mia.keyboard.press("o")
    await mia.wait_for_url(f"**/cases/{first}")
    await expect(mia.locator(".case-head")).to_contain_text("Freezer of Ana Souza")
    await mia.keyboard.press("a")
    await at_once(mia)
    await expect(mia.locator("[data-draft]")).to_have_count(0)
    wait_for(lambda: [m for m in mail.mails if m["To"] == "ana@example.org"], "the message that was approved")
    await mia.keyboard.press("r")
    await mia.keyboard.type("Is the door shut all the way?")
    await mia.keyboard.press("Control+Enter")
    await at_once(mia)
    await expect(mia.locator("section.thread")).to_contain_text("Is the door shut all the way?")
    wait_for(lambda: any("shut all the way" in _text(m) for m in mail.mails), "the answer")
    await mia.keyboard.press("Escape")
    await mia.keyboard.press("d")
    await expect(mia.locator(".causes")).to_be_visible()
    await mia.keyboard.press("1")
    await expect(mia.locator(".case-head")).to_contain_text("Resolved by Mia")
    # That it is over is told as well, and waits for approval like the first message.
    await expect(mia.locator("[data-draft]")).to_be_visible()
    await mia.keyboard.press("a")
    await at_once(mia)
    await expect(mia.locator("[data-draft]")).to_have_count(0)
    second = warm(gateway, "f-kim")
    await mia.keyboard.press("u")
    await expect(mia.locator(f".preview [data-case='{second}']")).to_be_visible()
    await expect(mia.locator(f".case-row[data-id='{first}']")).to_have_count(0)
    await expect(ben.locator("[data-gathered]")).to_be_visible()
    assert said + also == []


async def test_a_lead_edits_a_rule_tries_it_puts_it_live_and_rolls_back(
    house: tuple[GatewayProcess, MailServer], browser: Browser
) -> None:
    gateway, _ = house
    warm(gateway, "f-kim")
    lea, said = await at_work(browser, gateway, "Lea")
    await go_to(lea, "rules")
    await lea.wait_for_url("**/rules")
    await lea.keyboard.press("j")
    await lea.keyboard.press("Enter")
    await lea.wait_for_url("**/rules/too-warm")
    await lea.keyboard.press("e")
    await lea.wait_for_url("**/drafts/new?rule=too-warm")
    await expect(lea.locator(".editor.lit")).to_be_visible()
    await lea.keyboard.press("e")
    area = lea.locator("#text")
    await expect(area).to_be_focused()
    assert "# The cabinet is to stay below -18." in await area.input_value()
    line = (await area.input_value()).split("\n").index("    when: temperature > -12")
    await lea.keyboard.press("Control+Home")
    for _ in range(line):
        await lea.keyboard.press("ArrowDown")
    await lea.keyboard.press("End")
    for _ in "-12":
        await lea.keyboard.press("Backspace")
    await lea.keyboard.type("limit")
    await expect(lea.locator("#look .problems")).to_contain_text("has no field 'limit'")
    for _ in "limit":
        await lea.keyboard.press("Backspace")
    await lea.keyboard.type("-5 && doo")
    await expect(lea.locator("#offers li").first).to_contain_text("door_open")
    await lea.keyboard.press("Enter")
    await expect(area).to_have_value(re.compile("temperature > -5 && door_open\n"))
    for _ in " && door_open":
        await lea.keyboard.press("Backspace")
    await expect(lea.locator("#look")).to_contain_text("1 rule would change")
    await expect(lea.locator("[data-saved]")).to_contain_text("Saved by you")
    await lea.keyboard.press("Escape")
    await lea.keyboard.press("t")
    await expect(lea.locator("table.compare")).to_be_visible(timeout=60_000)
    await expect(lea.locator("table.compare tr", has_text="Alerts").locator("td").nth(1)).to_have_text("0")
    await lea.keyboard.press("p")
    await lea.wait_for_url("**/live")
    await expect(lea.locator(".migration")).to_contain_text("temperature > -5")
    await lea.keyboard.press("p")
    await lea.wait_for_url("**/versions")
    await expect(lea.locator(".versions section").first).to_contain_text("put live by Lea")
    assert (await asyncio.to_thread(gateway.api, "/api/rules/too-warm"))["says"]["when"] == "temperature > -5"
    await lea.keyboard.press("z")
    await expect(lea.locator(".versions section").first).to_contain_text("rolled back to by Lea")
    assert (await asyncio.to_thread(gateway.api, "/api/rules/too-warm"))["says"]["when"] == "temperature > -12"
    versions = [one["version"] for one in (await asyncio.to_thread(gateway.api, "/api/versions"))["items"]]
    assert versions[0] == versions[2] != versions[1]
    assert said == []


async def test_an_operator_mends_a_dead_letter_and_sends_it_again(
    house: tuple[GatewayProcess, MailServer], browser: Browser
) -> None:
    gateway, mail = house
    mail.refuse = "550 5.7.1 No"
    case = warm(gateway, "f-bad")
    ada, said = await at_work(browser, gateway, "Ada")
    await ada.goto(f"http://127.0.0.1:{gateway.web_port}/cases/{case}")
    await ada.keyboard.press("a")
    await at_once(ada)
    wait_for(lambda: case in _ids(gateway, "SELECT case_id FROM notifications WHERE state = 'dead'"), "the dead letter")
    mail.refuse = None
    await go_to(ada, "messages")
    await ada.wait_for_url("**/messages")
    await ada.keyboard.press("2")
    await ada.wait_for_url("**/messages?tab=undecided")
    await ada.keyboard.press("e")
    await expect(ada.locator("input[name=address]").first).to_be_focused()
    await ada.keyboard.type("otto@example.org")
    await ada.keyboard.press("Enter")
    wait_for(lambda: [m for m in mail.mails if m["To"] == "otto@example.org"], "the message at the mended address")
    await expect(ada.locator("h2", has_text="No message is in doubt")).to_be_visible()
    assert said == []


def _ids(gateway: GatewayProcess, query: str) -> set[int]:
    return {int(next(iter(row.values()))) for row in gateway.rows(query)}


def _text(message: Any) -> str:
    body = message.get_body(("plain",))
    return str(body.get_content()) if body is not None else json.dumps(dict(message))
