"""Everything that the console says, found where it says it: templates, the web's Python, its scripts."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from device_models.purpose import Purpose
from device_models.schema_words import SCHEMA, YAML
from gateway.web.language import script_words, without_numbers
from gateway.web.spoken import messages_in
from notifiers.reasons import CHANNEL_NAMES, SENTENCES, WORDS
from rules.authoring.overlap import NOBODY

WEB = Path(str(files("gateway.web")))
MADE = frozenset({"Figure", "Column", "Report"})
SAYING = frozenset({"_", "_n", "N_", "say", "markup"})


def all_messages() -> dict[str, str]:
    """Return each msgid with where it is said first."""
    found: dict[str, str] = {}
    for path in sorted((WEB / "templates").glob("*.html")):
        for msgid in messages_in(path.read_text(encoding="utf-8")):
            found.setdefault(msgid, path.name)
    for path in sorted(WEB.rglob("*.py")):
        if "customer" not in path.parts:
            for msgid in _said_by(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(msgid, path.name)
    for path in sorted((WEB.parent / "reports").glob("*.py")):
        for msgid in _named_by_reports(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(msgid, path.name)
    for name in ("chart.py", "chart_words.py"):
        for msgid in _said_by(ast.parse((WEB.parent / "history" / name).read_text(encoding="utf-8"))):
            found.setdefault(msgid, name)
    for msgid in (*SENTENCES.values(), *CHANNEL_NAMES.values(), *WORDS, *map(str, Purpose)):
        found.setdefault(msgid, "reasons.py")
    for msgid in script_words():
        found.setdefault(msgid, "static")
    return found


def _named_by_reports(tree: ast.AST) -> Iterator[str]:
    """Titles, labels, notes and explanations: what the page looks up as it shows them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MADE:
            for given in (*node.args, *(k.value for k in node.keywords if k.arg in ("note", "explains", "title"))):
                for part in (given.body, given.orelse) if isinstance(given, ast.IfExp) else (given,):
                    text = part.value if isinstance(part, ast.Constant) else None
                    if isinstance(part, ast.JoinedStr):
                        text = without_numbers(
                            "".join(str(v.value) if isinstance(v, ast.Constant) else "0" for v in part.values)
                        )
                    if isinstance(text, str) and re.search(r"^[A-Z]| ", text):
                        yield text


def _said_by(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _called(node)) in SAYING:
            for given in node.args[: 2 if name == "_n" else 1]:
                for part in ast.walk(given):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str) and re.search(r"\w", part.value):
                        yield part.value


def _called(call: ast.Call) -> str:
    function = call.func
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


REFUSING = frozenset({"FieldError", "CommandRefused", "LoginRefused", "ProviderUnreachable"})


def all_refusals() -> dict[str, str]:
    """Return each sentence with which something is refused, ``{1}``, … for what is put in, and where.

    Those that begin with the name of a field (``cursor: …``) are for programs, which are answered in English.
    """
    found: dict[str, str] = {}
    for path in sorted(WEB.parent.rglob("*.py")):
        if not {"customer", "cli", "bench", "demo", "ingest", "history"} & set(path.parts):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    for msgid in _refused_by(node):
                        if not re.match(r"[a-z_]+: |\{1\}: ", msgid):
                            found.setdefault(msgid, path.name)
    return found


def all_mistakes() -> dict[str, str]:
    """Return the template of each ``Sentence`` about rules, with where it is made."""
    found = {template: "schema_words.py" for template, _ in SCHEMA.values()}
    found |= dict.fromkeys(YAML, "schema_words.py") | dict.fromkeys(NOBODY.values(), "overlap.py")
    root = WEB.parent.parent
    for folder in ("device_models", "rules", "gateway/rulebook"):
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                given = node.args[:1] if isinstance(node, ast.Call) and _called(node) == "sentence" else []
                for first in given:
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        found.setdefault(first.value, path.name)
    return found


def _refused_by(call: ast.Call) -> Iterator[str]:
    name = _called(call)
    if name in REFUSING and call.args:
        yield from _sentence(call.args[-1])
    elif name.startswith("HTTP"):
        for keyword in call.keywords:
            if keyword.arg == "text":
                yield from _sentence(keyword.value)


def _sentence(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from (*_sentence(node.body), *_sentence(node.orelse))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        text, count = "", 0
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
            else:
                count += 1
                text += f"{{{count}}}"
        if re.search(r"\w+ \w+", re.sub(r"\{\d+\}", "", text)):
            yield text
