"""Rules: those in force with their precision, one with its cases in shadow, and which want a second look."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
import yaml
from aiohttp import web

from device_models.duration import parse_duration
from device_models.localized import in_language
from device_models.registry import Device
from gateway.cases.verdicts import count_by_rule
from gateway.commands import JudgeWouldBe, PromoteRule
from gateway.rulebook.drafts import open_drafts
from gateway.rulebook.review import RuleReview, review
from gateway.rulebook.shadow import LOOK_BACK, Trial, trials
from gateway.store.schema import cases
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, is_api, read, wants_json
from gateway.web.api import present
from gateway.web.deps import DEPS, WebDeps
from gateway.web.errors import FieldError
from gateway.web.language import _, voice
from gateway.web.pages.case import VERDICTS, id_of
from gateway.web.pages.shell import show
from gateway.web.wording import field_spec, moment, text_in, unit_text, value_text
from rules.authoring.migration import as_written
from rules.authoring.precision import Verdicts
from rules.base import BaseRule
from rules.schema import RuleSet

COUNTED = timedelta(days=30)
"""Over which the list counts cases."""
LISTED = 200
"""Would-be cases on a rule's page, the newest."""


@dataclass(frozen=True, slots=True)
class RuleNumbers:
    """What the list of rules says beside each."""

    cases: Mapping[str, int]
    """Opened within ``COUNTED``, by rule."""
    verdicts: Mapping[str, Verdicts]
    """All there ever were, by rule; of one in shadow, on its would-be cases."""


async def show_rules(request: web.Request) -> web.StreamResponse:
    """GET /rules: the rule set in force with each rule's precision, and what is wrong with the files."""
    said = dict(request.app[DEPS].status().get("rules", {}))
    loaded_at = moment(said.get("loaded_at")) if said.get("loaded_at") else None
    numbers, drafts = await _numbers(request), await read(request, open_drafts)
    return await show(
        request,
        "rules.html",
        "rules",
        rules=said,
        loaded_at=loaded_at,
        titles={rule.id: in_language(rule.title, voice().language) for rule in _ruleset(request).rules},
        numbers=numbers,
        no_verdicts=Verdicts(),
        drafts=drafts,
    )


async def show_rule(request: web.Request) -> web.StreamResponse:
    """GET /rules/{id}: what it says, how right it is, and in shadow its would-be cases to be marked."""
    rule = _rule(request)
    numbers, trial = await _numbers(request), await _trial(request, rule)
    return await show(
        request,
        "rule.html",
        "rules",
        rule=rule,
        title=in_language(rule.title, voice().language) or rule.id,
        text=yaml.safe_dump(_said(rule), allow_unicode=True, sort_keys=False, width=100),
        advice=in_language(rule.advice, voice().language),
        opened=numbers.cases.get(rule.id, 0),
        verdicts=numbers.verdicts.get(rule.id, Verdicts()),
        trial=trial,
        would_be=trial.cases[:LISTED] if trial else [],
        marks=[(name, _(label), key) for name, label, key in VERDICTS[:2]],
        devices=request.app[DEPS].devices,
        worded=partial(_reading, request.app[DEPS]),
    )


async def show_review(request: web.Request) -> web.StreamResponse:
    """GET /review?since=30d: which rules want a second look, and why."""
    since = _span(request)
    found = await _review(request, since)
    return await show(request, "review.html", "rules", found=found, since=since, zero=timedelta(0))


async def list_rules(request: web.Request) -> web.StreamResponse:
    """GET /api/rules: those in force, in the order of their files, with verdicts and precision."""
    numbers = await _numbers(request)
    items = [_present(rule, numbers) for rule in _ruleset(request).rules]
    return present.answer({"items": items, "next": None})


async def get_rule(request: web.Request) -> web.StreamResponse:
    """GET /api/rules/{id}: with what it says, and in shadow ``trial`` and ``would_be_cases``."""
    rule = _rule(request)
    trial = await _trial(request, rule)
    shown = _present(rule, await _numbers(request)) | {"says": as_written(rule)}
    if trial is not None:
        shown |= {"trial": trial.as_dict(), "would_be_cases": [case.as_dict() for case in trial.cases]}
    return present.answer(shown)


async def list_review(request: web.Request) -> web.StreamResponse:
    """GET /api/review?since=30d: each rule in force, with ``findings``."""
    found = await _review(request, _span(request))
    return present.answer({"items": [rule.as_dict() for rule in found], "next": None})


async def judge(request: web.Request) -> web.StreamResponse:
    """POST /would-be/{id}/verdict and its twin under /api: say of a would-be case whether it was real."""
    verdict = forms.verdict_of(await fields(request))
    before = await request.app[DEPS].commands.submit(JudgeWouldBe(id_of(request), verdict, request[IDENTITY].name))
    if wants_json(request) or is_api(request):
        return web.json_response({"ok": True, "before": before})
    raise web.HTTPSeeOther("/rules")


async def promote(request: web.Request) -> web.StreamResponse:
    """POST /rules/{id}/promote and its twin under /api: out of shadow; JSON says what that does and how it did."""
    rule_id = request.match_info["id"]
    result = await request.app[DEPS].commands.submit(PromoteRule(rule_id, request[IDENTITY].name))
    if wants_json(request) or is_api(request):
        return web.json_response({"ok": True, **result})
    raise web.HTTPSeeOther(f"/rules/{rule_id}")


def _ruleset(request: web.Request) -> RuleSet:
    detector = request.app[DEPS].detector
    return detector().ruleset if detector is not None else RuleSet()


def _rule(request: web.Request) -> BaseRule:
    try:
        return _ruleset(request)[request.match_info["id"]]
    except KeyError:
        raise web.HTTPNotFound(text="There is no such rule in force.") from None


def _said(rule: BaseRule) -> dict[str, Any]:
    """What a file says of it, without the texts in many languages."""
    return {name: value for name, value in as_written(rule).items() if name not in ("title", "advice")}


def _present(rule: BaseRule, numbers: RuleNumbers) -> dict[str, Any]:
    return {
        "id": rule.id,
        "kind": rule.kind,
        "mode": rule.mode,
        "profile": list(rule.profile),
        "severity": rule.severity.value,
        "purpose": rule.purpose.value,
        "title": in_language(rule.title, "en") or rule.id,
        "cases_30d": numbers.cases.get(rule.id, 0),
        **numbers.verdicts.get(rule.id, Verdicts()).as_dict(),
    }


async def _numbers(request: web.Request) -> RuleNumbers:
    deps = request.app[DEPS]
    shadow = {rule.id: rule.reopen_within for rule in _ruleset(request).rules if rule.shadow}
    now = deps.clock.now()

    def counted(connection: sa.Connection) -> RuleNumbers:
        query = sa.select(cases.c.rule, sa.func.count()).where(
            cases.c.opened_at >= now - COUNTED, cases.c.on_arrival.is_(sa.false())
        )
        opened = {row[0]: row[1] for row in connection.execute(query.group_by(cases.c.rule))}
        verdicts = count_by_rule(connection)
        if shadow:
            for rule_id, trial in trials(connection, shadow, deps.devices, now - LOOK_BACK).items():
                verdicts[rule_id] = trial.verdicts
        return RuleNumbers(opened, verdicts)

    return await read(request, counted)


def _reading(deps: WebDeps, device: Device | None, name: str, value: object) -> str:
    """Say what was measured: inside temperature −8.5 °C."""
    spec = field_spec(deps.profiles.get(device.profile) if device else None, name)
    return f"{text_in(spec.title)} {value_text(value, unit_text(spec.unit), spec.decimals)}"


async def _trial(request: web.Request, rule: BaseRule) -> Trial | None:
    if not rule.shadow:
        return None
    deps = request.app[DEPS]
    since: datetime = deps.clock.now() - LOOK_BACK
    return (await read(request, trials, {rule.id: rule.reopen_within}, deps.devices, since))[rule.id]


async def _review(request: web.Request, since: timedelta) -> list[RuleReview]:
    deps = request.app[DEPS]
    if deps.detector is None:
        return []
    now = deps.clock.now()
    return await read(request, review, deps.detector(), deps.profiles, deps.devices, now - since, now)


def _span(request: web.Request) -> timedelta:
    text = request.query.get("since", "30d")
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise FieldError("since", f"since: {error}") from error
    if span > timedelta(days=3660):
        raise FieldError("since", "since: ten years are the most")
    return span
