"""What is wrong with templates before a customer finds it: each rendered in each language and form, and its text read.

Messages never ask for a password or payment and link only to the company's own page: phishing must not look like us.
"""

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal

import jinja2
from jinja2 import meta, nodes

from device_models.registry import Customer
from notifiers.message import Brand, Links, Rendered
from notifiers.understanding.plain import plain
from notifiers.wording.links import is_ours
from notifiers.wording.render import TEMPLATES, BrokenTemplate, Renderer
from notifiers.wording.samples import SAMPLES
from notifiers.wording.segments import MOST
from notifiers.wording.view import View

CHANNELS = ("email", "sms", "whatsapp")
"""One of each form: a mail, a text message, a chat."""
_NOW = datetime(2025, 3, 3, 14, 32, tzinfo=UTC)
_LINK = re.compile(r"https?://[^\s\"'<>]+")
_SECRETS = tuple(
    plain(word)
    for word in """
password | passcode | your pin | credit card | card number | cvv | iban | bank account | pay now
passwort | kennwort | ihre pin | kreditkarte | kartennummer | kontonummer | jetzt bezahlen
mot de passe | carte bancaire | carte de crédit | numéro de carte | payez
contraseña | tarjeta de crédito | número de tarjeta | pague ahora
senha | cartão de crédito | número do cartão | pague agora
كلمة المرور | كلمة السر | بطاقة الائتمان | رقم البطاقة
пароль | номер карты | кредитной карты | оплатите
パスワード | 暗証番号 | クレジットカード | カード番号
kata sandi | kartu kredit | nomor kartu | bayar sekarang
密码 | 信用卡 | 银行卡 | 卡号 | 立即付款
""".strip()
    .replace("\n", " | ")
    .split(" | ")
)
"""What no message of ours speaks of, in each language."""
_PAGE = "/c/x9K2mQ"

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend."""

    level: Level
    where: str
    """Template, then language and channel where it is about those: ``fault_opened de sms``."""
    what: str


def check(
    renderer: Renderer, brand: Brand, languages: Sequence[str] = (), templates: Sequence[str] = ()
) -> list[Finding]:
    """Check every template (``templates``: these alone) in every language (``languages``: in these alone) and form;
    errors first."""
    found = list(_unknown_names(renderer, {f"{name}.j2" for name in templates}))
    for template in sorted(templates or TEMPLATES):
        for language in sorted(languages or renderer.languages):
            missing: dict[str, None] = {}
            for channel in CHANNELS:
                where = f"{template} {language} {channel}"
                try:
                    rendered = preview(renderer, template, language, channel, brand)
                except BrokenTemplate as error:
                    found.append(Finding("error", where, f"cannot be rendered: {error}"))
                    continue
                missing.update(dict.fromkeys(rendered.missing))
                found.extend(_of_text(rendered, where, brand))
            found.extend(Finding("warning", f"{template} {language}", f"falls back to English: {m}") for m in missing)
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.level, finding.where))


def preview(
    renderer: Renderer,
    template: str,
    language: str,
    channel: str,
    brand: Brand,
    facts: Mapping[str, Any] | None = None,
    customer: Customer | None = None,
) -> Rendered:
    """Render one template as a customer of ``language`` would read it; ``facts`` None: the sample's.

    Raises UnknownTemplate, and BrokenTemplate for one that fails.
    """
    someone = customer or Customer(id="sample", name="Ana", locale=language)
    home = brand.public_url.rstrip("/")
    links = Links(f"{home}{_PAGE}", f"{home}{_PAGE}/stop", f"{home}{_PAGE}/stop")
    shown = SAMPLES.get(template, {}) if facts is None else facts
    return renderer.render(template, someone, shown, channel, brand, links, _NOW)


def _of_text(rendered: Rendered, where: str, brand: Brand) -> Iterator[Finding]:
    whole = f"{rendered.subject}\n{rendered.text}\n{rendered.html or ''}"
    for link in sorted({link.rstrip(".,;)]") for link in _LINK.findall(whole)}):
        if not is_ours(link, brand.public_url):
            yield Finding("error", where, f"links to {link}, outside {brand.public_url}")
    said = plain(f"{rendered.subject}\n{rendered.text}")
    for secret in _SECRETS:
        if re.search(rf"(?<!\w){re.escape(secret)}" if secret.isascii() else re.escape(secret), said):
            yield Finding("error", where, f"speaks of '{secret}': messages never ask for a password or payment")
    if not rendered.text.strip():
        yield Finding("error", where, "says nothing")
    if not rendered.subject.strip():
        yield Finding("error", where, "has no subject")
    if rendered.segments is not None and rendered.segments.count > MOST:
        count = rendered.segments.count
        yield Finding("warning", where, f"takes {count} SMS segments; {MOST} is the most that arrives well and cheaply")


def _unknown_names(renderer: Renderer, only: Set[str] = frozenset()) -> Iterator[Finding]:
    """Names that no message has, also in branches that the samples do not reach."""
    known = {field.name for field in fields(View)}
    spoken = {field.name for field in fields(Brand)}
    for name, source in renderer.sources():
        if only and name not in only:
            continue
        try:
            tree = renderer.parse(source)
        except jinja2.TemplateSyntaxError as error:
            yield Finding("error", f"{name}:{error.lineno}", f"is no template: {error.message}")
            continue
        # A block is a scope of its own, so what the template imports at its head counts as undeclared there.
        own = {node.name for node in tree.find_all(nodes.Name) if node.ctx != "load"}
        own |= {node.target for node in tree.find_all(nodes.Import)}
        for unknown in sorted(meta.find_undeclared_variables(tree) - _GIVEN - own):
            yield Finding("error", name, f"there is no '{unknown}'; a block sees view, brand and _()")
        for node in tree.find_all(nodes.Getattr):
            owner = node.node.name if isinstance(node.node, nodes.Name) else ""
            if (owner == "view" and node.attr not in known) or (owner == "brand" and node.attr not in spoken):
                yield Finding("error", f"{name}:{node.lineno}", f"there is no {owner}.{node.attr}")


_GIVEN = frozenset({"view", "brand", "words", "links", "content", "_", "gettext", "ngettext"})
