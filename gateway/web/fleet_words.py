"""What a fleet incident is, in the staff's words: which devices are alike, what changed before, what they share."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gateway.web.language import N_, _, day_text, say, span_text
from gateway.web.wording import moment
from rules.response.alike import LIKENESSES

LIKENESS_WORDS = frozenset(LIKENESSES)
"""Our names of what devices can have in common are the staff's too."""


def alike_text(alike: object) -> str:
    """Write what devices have in common: "model FX-200, firmware 2.4"."""
    if not isinstance(alike, Mapping):
        return ""
    return ", ".join(f"{_(str(name))} {value}" for name, value in alike.items())


def changed_sentences(explanation: Mapping[str, Any]) -> list[str]:
    """Say what changed before it began, one sentence each: "firmware 2.3 → 2.4 on 11 of the 12 since 3 Mar"."""
    found = []
    for change in explanation.get("changed") or ():
        if not isinstance(change, Mapping):
            continue
        first = moment(change.get("first_at"))
        since = f" {day_text(first)} {first:%H:%M}" if first else ""
        if "rule" in change:
            added = change.get("change") == "added"
            words = N_("rule {1} was added by {2}{3}") if added else N_("rule {1} was edited by {2}{3}")
            found.append(say(words, change["rule"], change.get("by"), since))
            continue
        was, became = change.get("before") or _("none"), change.get("after") or _("none")
        failing, of = change.get("failing"), explanation.get("failing")
        who = say("all {1}", of) if failing == of else say("{1} of the {2}", failing, of)
        words = N_("{1} {2} → {3} on {4} ({5} devices in all) since{6}")
        found.append(say(words, _(str(change.get("field"))), was, became, who, change.get("devices"), since))
    return found


def common_sentences(explanation: Mapping[str, Any]) -> list[str]:
    """Say what the failing devices share that others do not, one sentence each."""
    return [
        say(
            "{1} of the {2} have {3} {4}, as have {5} of all {6}",
            same.get("failing"),
            explanation.get("failing"),
            _(str(same.get("field"))),
            same.get("value"),
            same.get("devices"),
            explanation.get("population"),
        )
        for same in explanation.get("in_common") or ()
        if isinstance(same, Mapping)
    ]


def standing_text(crowd: Mapping[str, Any]) -> str:
    """Say where a fleet rule stands for the devices alike to one."""
    return say(
        "{1} of {2} alike devices ({3}) began to fail in the last {4}; {5} make an incident, if chance alone would do "
        "so at most once in {6}.",
        crowd["count"],
        crowd["population"],
        alike_text(crowd.get("alike")),
        span_text(timedelta(seconds=crowd["within_s"])),
        crowd["needed"],
        f"{1 / crowd['significance']:,.0f}",
    )
