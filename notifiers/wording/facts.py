"""What a message is about, as the gateway states it, read without ever trusting its shape.

A message must go out even where a rule file, an import or an agent left something odd: what cannot be read is absent.
"""

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypedDict

from device_models.localized import in_language
from notifiers.wording.bidi import without_controls

LocalizedText = Mapping[str, str] | str
"""Text by language tag; a plain string is in no particular language and is taken as it is."""


class DeviceFacts(TypedDict, total=False):
    """The product: the customer's own name for it, and what its profile calls it."""

    name: str
    product: LocalizedText


class ShopFacts(TypedDict, total=False):
    """The shop an offer holds in; ``distance_m`` from the customer."""

    name: str
    address: str
    distance_m: float


class OfferFacts(TypedDict, total=False):
    """The offer, in its own language; ``valid_until`` RFC 3339."""

    title: str
    text: str
    code: str
    valid_until: str


class Facts(TypedDict, total=False):
    """All that templates may use. Every key may be absent; times are RFC 3339 or aware datetimes."""

    kind: str
    """The rule's kind, from its explanation, as are the keys down to ``plan``."""
    title: LocalizedText
    advice: LocalizedText
    """Steps, one a line."""
    field: str
    """Which of ``values`` the limit is about."""
    labels: Mapping[str, LocalizedText]
    """The profile's title of each field."""
    values: Mapping[str, float | str | bool]
    units: Mapping[str, str]
    """UCUM by value name."""
    decimals: Mapping[str, int]
    limit: float
    direction: str
    """``above`` or ``below``: on which side of ``limit`` it fires."""
    since: str
    last_heard_at: str
    code: str
    """Of an error."""
    due_at: str
    phase: str
    """Of a service: ``upcoming`` or ``due``."""
    plan: LocalizedText
    """The service that is due. A plain string is the plan's key, which nobody should read: then ``title`` says it."""
    purpose: str
    """Of the message; absent: the template's usual one."""
    severity: str
    case_id: int | str
    """For a person to read out."""
    device: DeviceFacts
    shop: ShopFacts
    offer: OfferFacts
    text: str
    """An agent's own words."""
    may_repeat: bool
    """An earlier copy may have arrived on another channel."""
    agent: str
    answer: str
    """What a message was answered with: ``done`` or ``later`` to a maintenance notice; ``fixed``, ``not_seen_fixed``,
    ``call`` or ``visit`` to one about a fault; ``rated`` to a survey."""
    check_code: str
    """What proves a channel."""
    expires_at: str
    """Of ``check_code``."""
    starts_at: str
    ends_at: str
    """Of a service date."""
    team: str
    """Who comes to it, as the company calls them."""
    is_anothers: bool
    """The product is somebody else's now."""
    added_channel: str
    """Where they are reached besides from now on, as ``notifiers.reasons.CHANNEL_NAMES`` has it."""
    added_address: str
    """Masked; absent where an address says nothing to its owner."""


_IDENTIFIER = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)+")
_MOST_NAME = 80
_MOST_LINE = 400
_MOST_TEXT = 4000


def part(facts: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a nested mapping, empty where there is none."""
    value = facts.get(key)
    return value if isinstance(value, Mapping) else {}


def line(value: object, most: int = _MOST_LINE) -> str:
    """Return a text as one clean line of at most ``most`` characters; empty for anything else."""
    if not isinstance(value, str):
        return ""
    return _shortened(" ".join(_clean(value).split()), most)


def name(value: object) -> str:
    """Return what someone named a thing, short enough for a sentence."""
    return line(value, _MOST_NAME)


def phrase(value: object) -> str:
    """Return a text as ``line`` does, empty where it is an identifier such as ``freezer-too-warm``.

    A rule without a title is titled by its id, which is for staff.
    """
    text = line(value)
    return "" if _IDENTIFIER.fullmatch(text) else text


def paragraphs(value: object) -> list[str]:
    """Return a text's lines that say something."""
    if not isinstance(value, str):
        return []
    lines = (" ".join(one.split()) for one in _clean(value[: _MOST_TEXT * 2]).splitlines())
    return [one for one in _shortened("\n".join(one for one in lines if one), _MOST_TEXT).split("\n") if one]


def localized(value: object, language: str) -> tuple[str, bool]:
    """Return a text in ``language`` or what it falls back to, and whether it is in that language."""
    if isinstance(value, str):
        return value, True
    if not isinstance(value, Mapping):
        return "", True
    texts = {tag: text for tag, text in value.items() if isinstance(tag, str) and isinstance(text, str) and text}
    return in_language(texts, language), not texts or language in texts


def number(value: object) -> float | None:
    """Return a finite number, None for anything else; true is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        as_float = float(value)
    except OverflowError:
        return None
    return as_float if math.isfinite(as_float) else None


def moment(value: object) -> datetime | None:
    """Return an aware time within the years a calendar can show, None for anything else."""
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    # A day of room at either end, since the customer's zone moves it.
    return at if at is not None and at.tzinfo is not None and 2 <= at.year <= 9998 else None


def _clean(text: str) -> str:
    """Drop what is no text: control characters, lone surrogates, direction controls."""
    kept = (c if c.isprintable() or c in "\n\u200d\ufe0f" else " " for c in without_controls(text) if c != "\u00ad")
    return "".join(kept)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
