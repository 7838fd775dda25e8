"""What a fleet incident is, in the staff's words: which devices are alike, what changed before, what they share."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gateway.web.wording import moment, span_text
from rules.response.alike import LIKENESSES

LIKENESS_WORDS = frozenset(LIKENESSES)
"""Our names of what devices can have in common are the staff's too."""


def alike_text(alike: object) -> str:
    """Write what devices have in common: "model FX-200, firmware 2.4"."""
    if not isinstance(alike, Mapping):
        return ""
    return ", ".join(f"{name} {value}" for name, value in alike.items())


def changed_sentences(explanation: Mapping[str, Any]) -> list[str]:
    """Say what changed before it began, one sentence each: "firmware 2.3 → 2.4 on 11 of the 12 since 3 Mar"."""
    found = []
    for change in explanation.get("changed") or ():
        if not isinstance(change, Mapping):
            continue
        first = moment(change.get("first_at"))
        since = f" {first:%-d %b %H:%M}" if first else ""
        if "rule" in change:
            verb = "was added" if change.get("change") == "added" else "was edited"
            found.append(f"rule {change['rule']} {verb} by {change.get('by')}{since}")
            continue
        was, became = change.get("before") or "none", change.get("after") or "none"
        failing, of = change.get("failing"), explanation.get("failing")
        who = f"all {of}" if failing == of else f"{failing} of the {of}"
        found.append(
            f"{change.get('field')} {was} → {became} on {who} ({change.get('devices')} devices in all) since{since}"
        )
    return found


def common_sentences(explanation: Mapping[str, Any]) -> list[str]:
    """Say what the failing devices share that others do not, one sentence each."""
    return [
        f"{same.get('failing')} of the {explanation.get('failing')} have "
        f"{same.get('field')} {same.get('value')}, "
        f"as have {same.get('devices')} of all {explanation.get('population')}"
        for same in explanation.get("in_common") or ()
        if isinstance(same, Mapping)
    ]


def standing_text(crowd: Mapping[str, Any]) -> str:
    """Say where a fleet rule stands for the devices alike to one."""
    who = f"{crowd['count']} of {crowd['population']} alike devices ({alike_text(crowd.get('alike'))}) began to fail"
    rarely = f"{1 / crowd['significance']:,.0f}"
    asked = f"{crowd['needed']} make an incident, if chance alone would do so at most once in {rarely}"
    return f"{who} in the last {span_text(timedelta(seconds=crowd['within_s']))}; {asked}."
