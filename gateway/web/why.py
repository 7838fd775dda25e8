"""Why and why not: where each rule stands on a device, as sentences for staff, from ``rules.explain``'s data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from device_models.profile import DeviceProfile
from device_models.registry import Device
from gateway.web.fleet_words import LIKENESS_WORDS, alike_text, standing_text
from gateway.web.language import N_, say, span_text, voice
from gateway.web.wording import field_spec, moment, text_in, unit_text, value_text

NOBODY: Mapping[str, Device] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RuleStanding:
    """One rule on one device."""

    rule: str
    state: str
    sentence: str
    condition: str
    """CEL text; empty for kinds without one."""
    applies: bool


def standings(
    explained: Sequence[Mapping[str, Any]],
    profile: DeviceProfile | None,
    now: datetime,
    devices: Mapping[str, Device] = NOBODY,
) -> list[RuleStanding]:
    """Say where each rule stands; the ones that fire first, the ones for other devices last.

    ``devices``: those that are registered, so that another one is called by its name.
    """
    order = {"firing": 0, "pending": 1, "resolved": 2, "inactive": 3}
    found = [_standing(rule, profile, now, devices) for rule in explained]
    return sorted(found, key=lambda rule: (not rule.applies, order.get(rule.state, 3)))


def _standing(
    rule: Mapping[str, Any], profile: DeviceProfile | None, now: datetime, devices: Mapping[str, Device]
) -> RuleStanding:
    applies = bool(rule.get("applies", True))
    state = str(rule.get("state", "inactive"))
    sentence = _sentence(rule, state, profile, now, devices) if applies else _capital(str(rule.get("why", "")))
    return RuleStanding(str(rule["rule"]), state, sentence, str(rule.get("condition") or ""), applies)


def _sentence(
    rule: Mapping[str, Any],
    state: str,
    profile: DeviceProfile | None,
    now: datetime,
    devices: Mapping[str, Device],
) -> str:
    if rule.get("kind") == "fleet":
        crowd = rule.get("crowd")
        return standing_text(crowd) if isinstance(crowd, Mapping) else _capital(str(rule.get("why", "")))
    said = [_begin(rule, state, now)]
    values = rule.get("values")
    if isinstance(values, Mapping) and values:
        said.append(say("It sees {1}.", ", ".join(_seen(name, value, profile) for name, value in values.items())))
    if missing := rule.get("missing"):
        said.append(say("Never said by the device: {1}.", ", ".join(_title(name, profile) for name in missing)))
    no_sample = rule.get("no_sample")
    if isinstance(no_sample, Mapping):
        said.append(say("The last message could not be evaluated: {1}.", no_sample.get("reason")))
    timer = moment(rule["next_timer"]) if rule.get("next_timer") else None
    if timer and timer > now and state == "pending":
        said.append(say("It fires in {1} unless that changes.", span_text(timer - now)))
    if isinstance(rule.get("withheld"), Mapping):
        said.append(withheld_sentence(rule["withheld"], now, devices))
    if why := rule.get("why"):
        said.append(_capital(str(why)))
    return " ".join(part for part in said if part)


def withheld_sentence(withheld: Mapping[str, Any], now: datetime, devices: Mapping[str, Device] = NOBODY) -> str:
    """Say why a fault that fires has no case of its own, and until when: an explanation's ``withheld``."""
    until = moment(withheld["until"]) if withheld.get("until") else None
    rule = withheld.get("rule")
    wait = say(", for {1} more", span_text(until - now)) if until and until > now else ""
    if withheld.get("by") == "inhibition":
        if withheld.get("ended_at"):
            return say("It may still come from {1}, which is over, so it opens no case of its own{2}.", rule, wait)
        if withheld.get("device_id"):
            return say(
                "It has no case of its own: {1} on {2} explains it.", rule, named(withheld["device_id"], devices)
            )
        return say("It has no case of its own: {1} explains it.", rule)
    if withheld.get("by") == "silence":
        by = withheld.get("silence"), withheld.get("author"), wait, withheld.get("reason")
        return say("Silence #{1} of {2} withholds it{3}: {4}.", *by)
    if withheld.get("by") == "storm":
        words = N_("A storm holds its case{1}, under #{2}: too many would open at once.")
        return say(words, wait, withheld.get("case_id"))
    site = withheld.get("site")
    if "fleet" in withheld:
        alike = alike_text({name: value for name, value in withheld.items() if name in LIKENESS_WORDS})
        if withheld.get("by") == "group":
            return say("It waits{1} whether others alike ({2}) fail too.", wait, alike)
        words = N_("It is part of incident #{1}: devices alike ({2}) fail alike.")
        return say(words, withheld.get("case_id"), alike)
    hub = named(withheld["hub"], devices) if withheld.get("hub") else None
    if withheld.get("by") == "group":
        where = say("behind hub {1}", hub) if "hub" in withheld else say("at {1}", site)
        return say("It waits{1} whether others {2} fall silent too.", wait, where)
    gone = say("hub {1}", hub) if "hub" in withheld else str(site)
    return say("It is part of incident #{1}: no data from {2}.", withheld.get("case_id"), gone)


def named(device_id: object, devices: Mapping[str, Device]) -> str:
    """What people call a product or a hub; its id where it is not registered."""
    device = devices.get(str(device_id))
    return device.label if device is not None else str(device_id)


def _begin(rule: Mapping[str, Any], state: str, now: datetime) -> str:
    alerts = [a for a in rule.get("alerts") or () if isinstance(a, Mapping) and a.get("state") == state]
    since = moment(alerts[0].get("since")) if alerts else None
    held = say(" for {1}", span_text(now - since)) if since else ""
    words = {
        "firing": N_("Fires: it has held{1}."),
        "pending": N_("Holds{1}, not yet long enough."),
        "resolved": N_("Is over{1}."),
    }.get(state, N_("Does not hold."))
    return say(words, held)


def _seen(name: str, value: object, profile: DeviceProfile | None) -> str:
    if not isinstance(value, Mapping):
        return f"{_title(name, profile)} {value}"
    spec = field_spec(profile, name)
    text = value_text(value.get("value"), unit_text(spec.unit), spec.decimals)
    age = timedelta(seconds=float(value.get("age_s") or 0))
    return f"{_title(name, profile)} {text}" + (
        say(" ({1} old)", span_text(age)) if age >= timedelta(minutes=1) else ""
    )


def _title(name: str, profile: DeviceProfile | None) -> str:
    title = text_in(field_spec(profile, name).title)
    return title if voice().language == "de" else title[:1].lower() + title[1:]


def _capital(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith(".") else f"{text}."
