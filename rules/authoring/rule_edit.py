"""Settings of a rule changed in its file's text: in place, with comments and everything else as they are."""

import json
import re
from collections.abc import Mapping

from device_models.yaml_lines import Document, InvalidFileError, load_yaml

_PLAIN = re.compile(r"[A-Za-z0-9_.(-][^#:{}\[\],&*?|>'\"%@`\n]*\Z|[A-Za-z_][^#:{}\[\]'\"%@`\n]*\Z")
"""What may stand without quotes in any context: neither a comment, nor a key, nor a flow collection begins in it."""


class NotEditable(ValueError):
    """The text cannot be changed so; the message says why."""


def with_settings(document: Document, text: str, index: int, changes: Mapping[str, str]) -> str:
    """Return ``text`` with settings of one rule changed.

    Args:
        document: ``text``, read by ``load_yaml``.
        text: The whole file.
        index: Of the rule under ``rules``.
        changes: The new value of each setting, as text; one that is not there is put behind ``when``.

    Raises NotEditable where the result would not say what it should: an alias, a merge of several lines.
    """
    edits = [_edit(document, text, index, name, value) for name, value in changes.items()]
    for begin, end, said in sorted(edits, reverse=True):
        text = text[:begin] + said + text[end:]
    wanted = dict(document.data)
    wanted["rules"] = [
        rule | dict(changes) if place == index else rule for place, rule in enumerate(document.data["rules"])
    ]
    try:
        written = load_yaml(text, document.filename).data
    except InvalidFileError:
        written = None
    if written != wanted:
        raise NotEditable(f"{document.filename}: cannot be changed in place; write the settings by hand")
    return text


def _edit(document: Document, text: str, index: int, name: str, value: str) -> tuple[int, int, str]:
    span = document.span(("rules", index, name))
    if span is not None:
        begin, end = span
        raw, old = text[begin:end], str(document.data["rules"][index][name])
        if raw.strip() == old and "\n" not in raw:
            return begin, begin + len(raw.rstrip()), _scalar(value)
        if raw[:1] in ("'", '"') and raw[1:-1] == old and not set(value) & {"'", '"', "\\", "\n"}:
            return begin, end, f"{raw[0]}{value}{raw[0]}"
        if "\n" in raw.rstrip():
            raise NotEditable(f"{document.filename}: {name} is written over several lines; change it by hand")
        return begin, end, _quoted(value)
    anchor = document.span(("rules", index, "when"))
    if anchor is None:
        raise NotEditable(f"{document.filename}: there is no when beside which {name} could stand")
    begin, end = anchor
    line, column = document.mark_key(("rules", index, "when"))
    before = text.split("\n")[line - 1][: column - 1]
    if set(before) - {" ", "-"}:
        # A rule on one line: {id: …, when: …}.
        return end, end, f", {name}: {_quoted(value) if _flow_unsafe(value) else value}"
    ends_line = text.find("\n", end)
    at = len(text) if ends_line < 0 else ends_line
    return at, at, f"\n{' ' * (column - 1)}{name}: {_scalar(value)}"


def _scalar(value: str) -> str:
    plain = _PLAIN.match(value) is not None and not value.endswith(" ")
    return value if plain and load_yaml(f"- {value}", "").data == [value] else _quoted(value)


def _flow_unsafe(value: str) -> bool:
    return bool(set(value) & set(",[]{}#:&*!|>'\"%@`"))


def _quoted(value: str) -> str:
    # A JSON text is a YAML text in double quotes; CEL seldom has quotes of its own.
    return json.dumps(value, ensure_ascii=False)
