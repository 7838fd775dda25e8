"""What messages and articles say: in each language, how it reads on each channel, its versions, a test to oneself."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from device_models.event import rfc3339
from gateway.commands.texts import NoteTestSend, SaveText, TextKind
from gateway.rulebook.editing import changed_lines
from gateway.texts.desk import BROKEN, TextDesk, direction_of
from gateway.texts.drafts import TextDraft, drafts, find
from gateway.texts.own import TextVersion, read_words, version, versions_of
from gateway.unchanged import tag_of, text_ident
from gateway.web import forms
from gateway.web.access import IDENTITY, fields, is_api, read
from gateway.web.api import present
from gateway.web.case_forms import number_of
from gateway.web.deps import DEPS
from gateway.web.errors import FieldError
from gateway.web.language import N_, _
from gateway.web.pages.case import done, id_of
from gateway.web.pages.shell import show
from gateway.web.preconditions import quoted
from gateway.web.queries import people
from gateway.web.render import ENVIRONMENT
from gateway.web.security import content_security_policy
from notifiers.errors import NotifierError
from notifiers.wording.article import read_article
from notifiers.wording.render import TEMPLATES
from notifiers.wording.template_check import CHANNELS, Finding

MEANS: Mapping[str, str] = {
    "address_added": N_("Another address was added"),
    "agent_reply": N_("An agent's answer"),
    "answer_noted": N_("Thanks for an answer"),
    "check": N_("Proof of an address: a code"),
    "date_booked": N_("A service date was booked"),
    "date_cancelled": N_("A service date, or a call, was cancelled"),
    "digest": N_("Several messages in one"),
    "fault_improving": N_("It gets better"),
    "fault_opened": N_("A fault was found"),
    "fault_resolved": N_("It is over"),
    "fault_update": N_("News from an agent"),
    "help": N_("How to reach a person"),
    "maintenance_confirmed": N_("A service was noted"),
    "maintenance_due": N_("A service is due"),
    "offer": N_("An offer near a shop"),
    "page_link": N_("A new link to their page"),
    "start_confirmed": N_("They agreed again"),
    "stop_confirmed": N_("They said stop"),
    "survey": N_("How was our help? Asked once it is over"),
    "test": N_("A test of a channel"),
    "welcome": N_("Welcome, after registration"),
}
"""What each message is for, as staff say it."""
LARGEST = 100_000
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"


async def show_texts(request: web.Request) -> web.StreamResponse:
    """GET /texts: messages and articles by language, with what is missing."""
    desk = desk_of(request)
    messages, articles = await asyncio.to_thread(desk.messages), await asyncio.to_thread(desk.articles)
    titles = {name: _(said) for name, said in MEANS.items()}
    return await show(
        request,
        "texts.html",
        "texts",
        messages=messages,
        articles=articles,
        languages=desk.languages,
        titles=titles,
        drafts=await read(request, drafts),
    )


async def show_message(request: web.Request) -> web.StreamResponse:
    """GET /texts/messages/{id}?language=de&channel=sms: its words, its template, and how it reads."""
    desk, name = desk_of(request), request.match_info["id"]
    if name not in TEMPLATES:
        raise web.HTTPNotFound(text="There is no such message.")
    language, channel = _language_of(request), _channel_of(request.query)
    rule = request.query.get("rule", "")
    written = await _written(request, name, language)
    texts = desk.with_drafts(written) if written else None
    words = await asyncio.to_thread(desk.words, name, language, texts)
    shown = await _tried(request, "words", name, language, channel, None, rule, written)
    of_words, of_source = find(written, "words", "", language), find(written, "template", name, "")
    kept = await read(request, versions_of, "words", "", language, 20)
    of_template = await read(request, versions_of, "template", name, "", 20)
    page = await show(
        request,
        "text_message.html",
        "texts",
        name=name,
        title=_(MEANS.get(name, name)),
        words=words,
        source=of_source.text if of_source is not None else desk.source(name),
        drafts={"words": of_words, "template": of_source},
        changes=_changed_words(desk.own_words(language), of_words),
        lines=changed_lines(desk.source(name), of_source.text) if of_source is not None else [],
        language=language,
        languages=desk.languages,
        channels=CHANNELS,
        send_by=desk.channels if desk.send is not None else [],
        faults=desk.faults(),
        rule=rule,
        direction=direction_of(language),
        versions=sorted([*kept, *of_template], key=lambda one: -one.id),
        in_force={one[0].id for one in (kept, of_template) if one},
        etags={kind: await _etag(request, kind, name, language) for kind in ("words", "template")},
        **shown,
    )
    # The mail is shown in a frame, which asks us for it.
    page.headers["Content-Security-Policy"] = (
        f"{content_security_policy(request.app[DEPS].tiles_url)}; frame-src 'self'"
    )
    return page


async def show_article(request: web.Request) -> web.StreamResponse:
    """GET /texts/articles/{id}?language=de: an article as it is written, and as the customer reads it."""
    desk, name, language = desk_of(request), request.match_info["id"], _language_of(request)
    line = next((line for line in await asyncio.to_thread(desk.articles) if line.name == name), None)
    if line is None:
        raise web.HTTPNotFound(text="There is no such article.")
    in_force = await asyncio.to_thread(desk.article, name, language)
    draft = find(await read(request, drafts), "article", name, language)
    text = draft.text if draft is not None else in_force
    kept = await read(request, versions_of, "article", name, language, 20)
    return await show(
        request,
        "text_article.html",
        "texts",
        name=name,
        line=line,
        text=text,
        language=language,
        direction=direction_of(language),
        versions=kept,
        in_force={kept[0].id} if kept else set(),
        etag=await _etag(request, "article", name, language),
        draft=draft,
        lines=changed_lines(in_force, text) if draft is not None else [],
        send_by=desk.channels if desk.send is not None else [],
        **_as_article(name, language, text),
    )


async def preview(request: web.Request) -> web.StreamResponse:
    """POST /texts/preview and its twin under /api: how a text would read, saved or not, and what is wrong with it."""
    sent = await fields(request)
    kind, name, language, text = await text_sent(request, sent)
    if kind == "article":
        told = _as_article(name, language, text or "")
        answer: dict[str, Any] = {"error": told["error"], "html": told["html"], "steps": list(told["steps"])}
        template = "_text_article.html"
    else:
        name = forms.text_of(sent, "template", what="which message") if kind == "words" else name
        if name not in TEMPLATES:
            raise FieldError("template", f"template: there is none of that name; there are {', '.join(TEMPLATES)}")
        rule = forms.optional_text(sent, "rule")
        written = [] if is_api(request) else await _written(request, name, language)
        told = await _tried(request, kind, name, language, _channel_of(sent), text, rule, written)
        answer = _presented(told)
        template = "_text_preview.html"
    if not request.path.startswith("/api/"):
        context = {**told, "direction": direction_of(language), "name": name, "language": language}
        answer["fragment"] = request.app[ENVIRONMENT].get_template(template).render(**context)
    return present.answer(answer)


async def mail(request: web.Request) -> web.StreamResponse:
    """POST /texts/mail: a message as mail, as a document of its own to be shown in a frame."""
    sent = await fields(request)
    kind, name, language, text = await text_sent(request, sent)
    name = forms.text_of(sent, "template", what="which message") if kind == "words" else name
    written = await _written(request, name, language)
    told = await _tried(request, kind, name, language, "email", text, forms.optional_text(sent, "rule"), written)
    body = told["message"].html if told["message"] is not None else ""
    headers = {"Content-Security-Policy": _MAIL_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return web.Response(text=body or "", content_type="text/html", charset="utf-8", headers=headers)


async def save(request: web.Request) -> web.StreamResponse:
    """POST /texts and /api/texts: put a text in force; without ``text`` what the files or the product say."""
    sent = await fields(request)
    kind, name, language, text = await text_sent(request, sent)
    if text is not None and kind != "article":
        await refuse_wrong(request, kind, name, language, text)
    name = "" if kind == "words" else name
    language = "" if kind == "template" else language
    draft = number_of(sent, "seen") if sent.get("seen") not in (None, "") else None
    command = SaveText(kind, name, language, text, request[IDENTITY].name, draft)
    number = await request.app[DEPS].commands.submit(command)
    before = await _before(request, number)
    return done(request, page_of(kind, name, language, sent), version=number, before=before)


async def restore(request: web.Request) -> web.StreamResponse:
    """POST /texts/{id}/restore and its twin under /api: put an earlier version in force once more."""
    earlier = await read(request, version, id_of(request))
    if earlier is None:
        raise web.HTTPNotFound(text="There is no such version.")
    kind: TextKind = earlier.kind  # type: ignore[assignment]
    command = SaveText(kind, earlier.name, earlier.language, earlier.text, request[IDENTITY].name)
    number = await request.app[DEPS].commands.submit(command)
    return done(request, page_of(kind, earlier.name, earlier.language, {}), version=number)


async def send_test(request: web.Request) -> web.StreamResponse:
    """POST /texts/test and its twin under /api: send a message to oneself: as it is in force, or as ``draft`` says."""
    sent, desk = await fields(request), desk_of(request)
    template = forms.text_of(sent, "template", what="which message")
    language, channel = str(sent.get("language") or "en"), forms.text_of(sent, "channel", what="which channel")
    address = forms.text_of(sent, "address", what="your address")
    if template not in TEMPLATES:
        raise FieldError("template", f"template: there is none of that name; there are {', '.join(TEMPLATES)}")
    if language not in desk.languages:
        raise FieldError("language", f"language: there is no catalogue for it; there are {', '.join(desk.languages)}")
    if desk.send is None or channel not in desk.channels:
        raise FieldError("channel", f"channel: one of {', '.join(desk.channels) or 'none, as no provider is set up'}")
    if await read(request, people.holding):
        raise web.HTTPConflict(text="Everything that goes out is on hold.")
    written = await _written(request, template, language) if forms.flag_of(sent, "draft") else []
    texts = desk.with_drafts(written) if written else None
    try:
        rendered = await asyncio.to_thread(
            desk.try_message, template, language, channel, texts, forms.optional_text(sent, "rule")
        )
    except BROKEN as error:
        raise FieldError("draft", str(error)) from error
    try:
        await desk.send(channel, address, rendered)
    except (NotifierError, LookupError) as error:
        raise FieldError("address", str(error)) from error
    await request.app[DEPS].commands.submit(NoteTestSend(template, language, channel, request[IDENTITY].name))
    return done(request, f"/texts/messages/{template}?language={language}&channel={channel}")


async def list_texts(request: web.Request) -> web.StreamResponse:
    """GET /api/texts: messages and articles, with what is missing in each language and what is the company's own."""
    desk = desk_of(request)
    messages, articles = await asyncio.to_thread(desk.messages), await asyncio.to_thread(desk.articles)
    items = [
        {
            "kind": kind,
            "name": line.name,
            "title": MEANS.get(line.name, line.title),
            "about": line.about,
            "own_template": line.own,
            "languages": {s.language: {"missing": s.missing, "own": s.own} for s in line.languages},
        }
        for kind, lines in (("message", messages), ("article", articles))
        for line in lines
    ]
    return present.answer({"items": items, "next": None})


async def get_text(request: web.Request) -> web.StreamResponse:
    """GET /api/texts/one?kind=&name=&language=: what is in force, and ``own``: whether it is the company's own word."""
    desk, query = desk_of(request), request.query
    kind, name, language, _ = await text_sent(
        request, {n: query[n] for n in ("kind", "name", "language") if n in query}
    )
    match kind:
        case "template":
            text, language = await asyncio.to_thread(desk.source, name), ""
        case "words":
            text, name = json.dumps(desk.own_words(language), ensure_ascii=False, sort_keys=True), ""
        case _:
            text = await asyncio.to_thread(desk.article, name, language)
    saved = await read(request, versions_of, kind, name, language, 1)
    newest = _version(saved[0]) if saved else None
    own = newest is not None and newest["text"] is not None
    about = {"kind": kind, "name": name or None, "language": language or None, "text": text, "own": own}
    etag = await _etag(request, kind, name, language)
    return present.answer({**about, "version": newest and {**newest, "text": None}, "etag": etag})


async def list_versions(request: web.Request) -> web.StreamResponse:
    """GET /api/texts/versions?kind=&name=&language=: what was saved of one text, the newest first."""
    query = request.query
    found = await read(
        request, versions_of, query.get("kind", ""), query.get("name", ""), query.get("language", ""), 50
    )
    return present.answer({"items": [_version(one) for one in found], "next": None})


def desk_of(request: web.Request) -> TextDesk:
    """Return where texts are worded."""
    desk = request.app[DEPS].text_desk
    if desk is None:
        raise web.HTTPNotFound(text="Texts are not written here.")
    return desk


async def _written(request: web.Request, template: str, language: str) -> list[TextDraft]:
    """Read the drafts that a message in a language is made of: its template, its words, its articles."""
    known = await read(request, drafts)
    return [
        one
        for one in known
        if (one.kind == "template" and one.name == template) or (one.kind != "template" and one.language == language)
    ]


def _changed_words(own: Mapping[str, str], draft: TextDraft | None) -> list[tuple[str, str | None, str | None]]:
    """Return (phrase, now, then) of each that a draft would change; None: as it ships."""
    if draft is None:
        return []
    then = read_words(draft.text)
    return [(p, own.get(p), then.get(p)) for p in sorted({*own, *then}) if own.get(p) != then.get(p)]


async def _tried(
    request: web.Request,
    kind: str,
    name: str,
    language: str,
    channel: str,
    text: str | None,
    rule: str,
    written: Sequence[TextDraft] = (),
) -> dict[str, Any]:
    """``message``, with ``text`` beside the drafts ``written``; ``findings`` of it, ``error`` where there is none."""
    desk = desk_of(request)

    def work() -> dict[str, Any]:
        try:
            texts = desk.with_drafts(written) if written else None
            if text is not None:
                texts = desk.with_text(kind, name, language, text, texts)
            message = desk.try_message(name, language, channel, texts, rule)
            found = desk.findings(name, texts, [language]) if texts is not None else []
        except BROKEN as error:
            return {"message": None, "findings": [], "error": str(error), "channel": channel}
        return {"message": message, "findings": found, "error": "", "channel": channel}

    return await asyncio.to_thread(work)


async def refuse_wrong(request: web.Request, kind: str, name: str, language: str, text: str) -> None:
    """Raise FieldError where a text could not be sent, in any form or language it is for."""
    desk = desk_of(request)

    def work() -> list[Finding]:
        texts = desk.with_text(kind, name, language, text)
        names = [name] if name in TEMPLATES else list(TEMPLATES)
        languages = [language] if kind == "words" else desk.languages
        return [found for one in names for found in desk.findings(one, texts, languages) if found.level == "error"]

    try:
        wrong = await asyncio.to_thread(work)
    except BROKEN as error:
        raise FieldError("text", str(error)) from error
    if wrong:
        raise FieldError("text", f"{wrong[0].where}: {wrong[0].what}")


async def text_sent(request: web.Request, sent: forms.Sent) -> tuple[TextKind, str, str, str | None]:
    """Read which text, and what it says. Words come whole as ``text``, or phrase by phrase beside the draft's, or those
    in force."""
    kind = sent.get("kind")
    if kind not in ("template", "words", "article"):
        raise FieldError("kind", "kind: template, words or article")
    name, language = forms.optional_text(sent, "name"), forms.optional_text(sent, "language")
    desk = desk_of(request)
    if kind == "template" and name not in TEMPLATES:
        raise FieldError("name", f"name: there is no such template; there are {', '.join(TEMPLATES)}")
    if kind == "words" and language not in desk.languages:
        raise FieldError("language", f"language: one of {', '.join(desk.languages)}; others come as .po files")
    if kind == "article" and not (name and name.replace("-", "").replace("_", "").isalnum()):
        raise FieldError("name", "name: letters, digits and dashes")
    if kind == "article" and not (language and language.replace("-", "").isalnum() and len(language) < 12):
        raise FieldError("language", "language: a code such as de or pt-BR")
    phrases = _phrases_of(sent)
    if kind == "words" and phrases:
        draft = find(await read(request, drafts), "words", "", language)
        own = read_words(draft.text) if draft is not None else desk.own_words(language)
        words = await asyncio.to_thread(_merged, desk, forms.optional_text(sent, "template"), language, phrases, own)
        return kind, name, language, json.dumps(words, ensure_ascii=False, sort_keys=True) if words else None
    text = sent.get("text")
    if text is not None and (not isinstance(text, str) or "\0" in text):
        raise FieldError("text", "text: is no text")
    if text and len(text) > LARGEST:
        raise FieldError("text", f"text: {len(text)} characters; {LARGEST} is the most")
    return kind, name, language, text.replace("\r\n", "\n") if text else None


def _phrases_of(sent: forms.Sent) -> dict[str, str]:
    """Read ``msgid.0`` and ``words.0`` of a form."""
    found = {}
    for field, msgid in sent.items():
        said = sent.get(f"words.{field.removeprefix('msgid.')}") if field.startswith("msgid.") else None
        if isinstance(msgid, str) and isinstance(said, str):
            found[msgid] = said.replace("\r\n", "\n").strip()
    return found


def _merged(
    desk: TextDesk, template: str, language: str, phrases: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, str]:
    """Lay phrases over the company's own ``before``; one that says what the files say is none of its own."""
    own = dict(before)
    shipped = {w.phrase.msgid: w.said for w in desk.words(template, language)} if template in TEMPLATES else {}
    for msgid, said in phrases.items():
        if not said:
            own.pop(msgid, None)
        elif msgid in own or said != shipped.get(msgid):
            own[msgid] = said
    return own


def _as_article(name: str, language: str, text: str) -> dict[str, Any]:
    try:
        article = read_article(text, name, language, f"{name}/{language}.md")
    except ValueError as error:
        return {"html": "", "steps": (), "error": str(error), "article": None}
    return {"html": article.html, "steps": article.steps, "error": "", "article": article}


def _presented(told: Mapping[str, Any]) -> dict[str, Any]:
    message = told["message"]
    said: dict[str, Any] = {"error": told["error"] or None}
    if message is not None:
        size = message.segments
        said |= {
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "direction": message.direction,
            "missing": list(message.missing),
            "buttons": [button.label for button in message.buttons],
            "segments": {"count": size.count, "encoding": size.encoding, "units": size.units} if size else None,
        }
    return said | {"findings": [{"level": f.level, "where": f.where, "what": f.what} for f in told["findings"]]}


async def _etag(request: web.Request, kind: str, name: str, language: str) -> str:
    tag: str | None = await read(request, tag_of, "text", text_ident(kind, name, language))
    return quoted(tag or "")


async def _before(request: web.Request, number: int) -> int | None:
    """The version before one, which is what Undo restores; None: there was none."""
    saved = await read(request, version, number)
    if saved is None:
        return None
    earlier = await read(request, versions_of, saved.kind, saved.name, saved.language, 2)
    return earlier[1].id if len(earlier) > 1 else None


def page_of(kind: str, name: str, language: str, sent: forms.Sent) -> str:
    """Return the address of the page on which a text is written."""
    if kind == "article":
        return f"/texts/articles/{name}?language={language}"
    template = name or str(sent.get("template") or "")
    return f"/texts/messages/{template}?language={language or sent.get('language') or 'en'}" if template else "/texts"


def _language_of(request: web.Request) -> str:
    language = request.query.get("language", "en")
    if not language.replace("-", "").isalnum() or len(language) > 12:
        raise web.HTTPNotFound(text="There is no such language.")
    return language


def _channel_of(sent: Mapping[str, Any]) -> str:
    channel = str(sent.get("channel") or "email")
    if channel not in CHANNELS:
        raise FieldError("channel", f"channel: one of {', '.join(CHANNELS)}")
    return channel


def _version(one: TextVersion) -> dict[str, Any]:
    return {"id": one.id, "text": one.text, "saved_by": one.saved_by, "saved_at": rfc3339(one.saved_at)}
