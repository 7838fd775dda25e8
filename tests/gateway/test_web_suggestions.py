"""Better settings in the console: looked for in a process of its own, shown with their evidence, taken into a draft."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

from device_models.sentences import sentence
from gateway.commands import PutFilesLive
from gateway.rulebook.proposals import Terms
from gateway.rulebook.suggestions import Found
from gateway.store.rule_drafts import rule_drafts
from tests.gateway.web_visit import Visit, visit

RULE = """\
rules:
  - id: warmish
    kind: condition
    profile: freezer
    title: {en: Rather warm, de: Recht warm}
    when: temperature > -17
    for: 5m
"""
FIGURES = {"precision": 0.5, "precision_95": [0.3, 0.7], "recall": 1.0, "real_found": 6, "false_alarms": 6}
POINT = {**FIGURES, "alerts": 12, "unjudged_alerts": 0, "limit": -17.0, "for": "5m", "field": "temperature"}
PROPOSAL: dict[str, Any] = {
    "rule": "warmish",
    "proposes": True,
    "unrecorded_verdicts": 1,
    "changes": [
        {
            "field": "when",
            "before": "temperature > -17",
            "after": "temperature > -8",
            "why": sentence("the limit that keeps the real ones and leaves most false alarms out"),
        },
        {"field": "for", "before": "5m", "after": "20m", "why": sentence("false alarms end sooner than real ones")},
    ],
    "now": POINT,
    "proposed": {**POINT, "limit": -8.0, "precision": 1.0},
    "cross_checked": POINT,
    "curve": [POINT, {**POINT, "limit": -8.0}],
    "settings_tried": 34,
    "notes": [],
    "verified": {name: {"cases": 6, "messages": 12, "customers_told": 1} for name in ("now", "proposed")},
    "withdrawn": None,
}


async def ended(web: Visit) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            # The search is another process: there is no event of ours to wait for.
            told: dict[str, Any] = await (await web.api("GET", "/api/suggestions", "viewer")).json()
            if told["state"] not in ("waiting", "running"):
                return told
            await asyncio.sleep(0.05)


async def test_what_there_is_to_learn_from_is_looked_through_beside_the_work_and_said(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        assert "Nobody has looked yet" in await web.page("/suggestions")
        await web.town.submit(PutFilesLive(((RULE, "kitchen.yaml"),), "Lea"))
        assert (await web.api("POST", "/api/suggestions", "agent", json={})).status == 403
        wrong = await web.api("POST", "/api/suggestions", "lead", json={"favour": "luck"})
        assert (wrong.status, (await wrong.json())["detail"]) == (422, "favour: precision or recall")
        assert (await web.script("/suggestions", {"since": "30d"})).status == 200
        again = await web.script("/suggestions", {"since": "30d"})
        assert (again.status, "Lea is looking for better settings" in await again.text()) == (409, True)
        told = await ended(web)
        assert (told["state"], told["error"], told["since"]) == ("done", None, "30d")
        assert [(one["rule"], one["reason"]) for one in told["items"]] == [("warmish", "not_enough_verdicts")]
        page = await web.page("/suggestions?fragment=1")
        assert "0 real and 0 false alarms are recorded; 10 are needed" in page
        assert "Nothing better was found" in page


async def test_a_proposal_is_shown_with_its_evidence_and_becomes_a_draft_on_trial(tmp_path: Path) -> None:
    async with visit(tmp_path, "Lea") as web:
        await web.town.submit(PutFilesLive(((RULE, "kitchen.yaml"),), "Lea"))
        desk, now = web.town.deps.rule_desk, web.town.deps.clock.now()
        assert desk is not None
        found = Found("Lea", now, Terms(timedelta(days=90), now), "v", "done", 1.0, answers=[PROPOSAL])
        desk.suggestions.last = found
        german = await (await web.client.get("/suggestions", headers={"Accept-Language": "de"})).text()
        assert "Fehlalarme enden früher als echte" in german
        assert "temperature &gt; -8" in german
        assert "Recht warm" in german
        none = await web.api("POST", "/api/suggestions/other/draft", "lead", json={})
        assert none.status == 404
        taken = await web.script("/suggestions/warmish/draft", {"try": "1"})
        assert taken.status == 200, await taken.text()
        (draft,) = web.town.rows(rule_drafts)
        assert "when: temperature > -8\n    for: 20m" in draft["text"]
        assert draft["replaces"] == ["warmish"]
        assert desk.backtests.of(draft["id"]) is not None
        assert f'href="/drafts/{draft["id"]}"' in await web.page("/suggestions")
