"""The inbox in the conversation of the customer's page: who has no other channel reads their messages there."""

import re
from pathlib import Path

import pytest

from gateway.commands import CustomerWrote, HandOver, Sent
from gateway.store import schema
from gateway.web.customer.texts import TEXTS
from notifiers.transports.inbox import InboxTransport
from tests.gateway.web_fleet import Town, link
from tests.gateway.web_visit import visit

NOTIFIERS = {
    "mode": "auto",
    "channels": ["email", "inbox"],
    "email": {"url": "smtp://127.0.0.1:1", "sender": "help@nordkaelte.example"},
}
FORM = {"Accept": "text/html,application/xhtml+xml"}


async def tell(town: Town, customer_id: str, number: int = 1) -> str:
    """Let a customer ask for help in the company's app: the answer lies in their inbox. Returns its text."""
    town.do(CustomerWrote("app", str(number), "inbox", customer_id, "HELP"))
    [row] = town.rows(schema.notifications, channel="inbox", state="queued", customer_id=customer_id)
    outgoing = town.do(HandOver(row["id"]))
    accepted = await InboxTransport().send(outgoing)
    town.do(Sent(row["id"], accepted.provider, accepted.provider_id, accepted.state))
    return str(town.rows(schema.notifications, id=row["id"])[0]["body"])


def articles(text: str) -> list[str]:
    return re.findall(r"<article.*?</article>", text, re.DOTALL)


@pytest.mark.parametrize(
    ("device", "customer", "language"), [("f-brown", "c-brown", "en"), ("f-yusuf", "c-yusuf", "ar")]
)
async def test_what_lies_in_the_inbox_is_in_the_conversation_and_new_until_it_was_read(
    tmp_path: Path, device: str, customer: str, language: str
) -> None:
    async with visit(tmp_path, None, notifiers=NOTIFIERS) as web:
        said, t = await tell(web.town, customer), TEXTS[language]
        page = link(web.town, device)
        text = await web.page(page)
        [new] = [article for article in articles(text) if "data-unread" in article]
        assert said.split("\n")[0][:30] in new
        assert f'<span class="new">{t["unread"]}</span>' in new
        assert t["mark_read"] in text
        assert re.search(r'<a href="http://127\.0\.0\.1:8080/p/[^"]+" rel="[^"]*noreferrer', new)
        # Looking alone is no reading: mail programs follow links by themselves.
        assert "data-unread" in await web.page(page)
        answer = await web.client.post(f"{page}/inbox/read", headers=FORM, allow_redirects=False)
        assert (answer.status, answer.headers["Location"]) == (303, f"{page}#talk-title")
        after = await web.page(page)
        assert "data-unread" not in after
        assert t["mark_read"] not in after
        assert articles(after)[-1].count(said.split("\n")[0][:30]) == 1


async def test_a_link_without_a_case_shows_the_inbox_in_the_order_of_time_and_once_each(tmp_path: Path) -> None:
    async with visit(tmp_path, None, notifiers=NOTIFIERS) as web:
        for number in (1, 2):
            await tell(web.town, "c-brown", number)
        token = web.town.deps.links.token("c-brown")
        shown = articles(await web.page(f"/p/{token}"))
        assert len(shown) == 2
        assert all("data-unread" in article for article in shown)
        other = await web.page(f"/p/{web.town.deps.links.token('c-yusuf')}")
        assert articles(other) == []


async def test_fifty_messages_leave_the_page_below_100_kilobytes(tmp_path: Path) -> None:
    async with visit(tmp_path, None, notifiers=NOTIFIERS) as web:
        await tell(web.town, "c-yusuf")
        n = schema.notifications
        [row] = web.town.rows(n, channel="inbox", customer_id="c-yusuf")
        body = "".join(str(row["body"])[:200] for _ in range(2))
        with web.town.store.write() as connection:
            for number in range(60):
                copied = {**row, "key": f"k{number}", "provider_id": f"p{number}", "body": body}
                connection.execute(n.insert().values({name: value for name, value in copied.items() if name != "id"}))
        text = await web.page(link(web.town, "f-yusuf"))
        assert text.count("data-unread") == 50
        files = ["/static/tokens.css", *re.findall(r'(?:href|src)="(/static/[^"]+)"', text)]
        sizes = [len(await (await web.get(file)).read()) for file in files]
        assert len(text.encode()) + sum(sizes) < 100_000
