"""What a customer reads of a rule's transition, in English, German and Arabic."""

from datetime import timedelta
from typing import Any

from device_models.event import rfc3339
from notifiers.wording.render import render
from rules.transition import Transition
from tests.notifiers.making import BRAND, LINKS, PEOPLE

_MARKS = dict.fromkeys(map(ord, "\u2066\u2067\u2068\u2069"))
"""Isolates around numbers and names: right on a screen, in the way of reading a test."""


def sentences(fact: Transition, title: str, *, template: str = "fault_opened", **more: Any) -> list[str]:
    """Render the first sentence two minutes after the transition, with plain spaces and without isolates."""
    facts = {**fact.explanation, "title": title, "severity": fact.severity.value, "purpose": fact.purpose.value, **more}
    facts["at"] = rfc3339(fact.at)
    said = []
    for language in ("en", "de", "ar"):
        made = render(template, PEOPLE[language], facts, "whatsapp", BRAND, LINKS, fact.at + timedelta(minutes=2))
        assert not [what for what in made.missing if what.startswith("msgid")]
        said.append(made.text.split("\n")[0].translate(_MARKS).replace("\u00a0", " "))
    return said
