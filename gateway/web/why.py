"""Why and why not: where each rule stands on a device, as sentences for staff, from ``rules.explain``'s data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from device_models.profile import DeviceProfile
from gateway.web.fleet_words import LIKENESS_WORDS, alike_text, standing_text
from gateway.web.wording import field_spec, moment, span_text, text_in, unit_text, value_text


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
    explained: Sequence[Mapping[str, Any]], profile: DeviceProfile | None, now: datetime
) -> list[RuleStanding]:
    """Say where each rule stands; the ones that fire first, the ones for other devices last."""
    order = {"firing": 0, "pending": 1, "resolved": 2, "inactive": 3}
    found = [_standing(rule, profile, now) for rule in explained]
    return sorted(found, key=lambda rule: (not rule.applies, order.get(rule.state, 3)))


def _standing(rule: Mapping[str, Any], profile: DeviceProfile | None, now: datetime) -> RuleStanding:
    applies = bool(rule.get("applies", True))
    state = str(rule.get("state", "inactive"))
    sentence = _sentence(rule, state, profile, now) if applies else _capital(str(rule.get("why", "")))
    return RuleStanding(str(rule["rule"]), state, sentence, str(rule.get("condition") or ""), applies)


def _sentence(rule: Mapping[str, Any], state: str, profile: DeviceProfile | None, now: datetime) -> str:
    if rule.get("kind") == "fleet":
        crowd = rule.get("crowd")
        return standing_text(crowd) if isinstance(crowd, Mapping) else _capital(str(rule.get("why", "")))
    said = [_begin(rule, state, now)]
    values = rule.get("values")
    if isinstance(values, Mapping) and values:
        said.append("It sees " + ", ".join(_seen(name, value, profile) for name, value in values.items()) + ".")
    if missing := rule.get("missing"):
        said.append("Never said by the device: " + ", ".join(_title(name, profile) for name in missing) + ".")
    no_sample = rule.get("no_sample")
    if isinstance(no_sample, Mapping):
        said.append(f"The last message could not be evaluated: {no_sample.get('reason')}.")
    timer = moment(rule["next_timer"]) if rule.get("next_timer") else None
    if timer and timer > now and state == "pending":
        said.append(f"It fires in {span_text(timer - now)} unless that changes.")
    if isinstance(rule.get("withheld"), Mapping):
        said.append(withheld_sentence(rule["withheld"], now))
    if why := rule.get("why"):
        said.append(_capital(str(why)))
    return " ".join(part for part in said if part)


def withheld_sentence(withheld: Mapping[str, Any], now: datetime) -> str:
    """Say why a fault that fires has no case of its own, and until when: an explanation's ``withheld``."""
    until = moment(withheld["until"]) if withheld.get("until") else None
    wait = f", for {span_text(until - now)} more" if until and until > now else ""
    if withheld.get("by") == "inhibition":
        if withheld.get("ended_at"):
            return (
                f"It may still come from {withheld.get('rule')}, which is over, so it opens no case of its own{wait}."
            )
        where = f" on {withheld['device_id']}" if withheld.get("device_id") else ""
        return f"It has no case of its own: {withheld.get('rule')}{where} explains it."
    if withheld.get("by") == "silence":
        said = f"Silence #{withheld.get('silence')} of {withheld.get('author')} withholds it{wait}"
        return f"{said}: {withheld.get('reason')}."
    if withheld.get("by") == "storm":
        return f"A storm holds its case{wait}, under #{withheld.get('case_id')}: too many would open at once."
    site = withheld.get("site")
    if "fleet" in withheld:
        alike = alike_text({name: value for name, value in withheld.items() if name in LIKENESS_WORDS})
        if withheld.get("by") == "group":
            return f"It waits{wait} whether others alike ({alike}) fail too."
        return f"It is part of incident #{withheld.get('case_id')}: devices alike ({alike}) fail alike."
    where = f"behind hub {withheld['hub']}" if "hub" in withheld else f"at {site}"
    if withheld.get("by") == "group":
        return f"It waits{wait} whether others {where} fall silent too."
    gone = f"hub {withheld['hub']}" if "hub" in withheld else str(site)
    return f"It is part of incident #{withheld.get('case_id')}: no data from {gone}."


def _begin(rule: Mapping[str, Any], state: str, now: datetime) -> str:
    alerts = [a for a in rule.get("alerts") or () if isinstance(a, Mapping) and a.get("state") == state]
    since = moment(alerts[0].get("since")) if alerts else None
    held = f" for {span_text(now - since)}" if since else ""
    return {
        "firing": f"Fires: it has held{held}.",
        "pending": f"Holds{held}, not yet long enough.",
        "resolved": f"Is over{held}.",
    }.get(state, "Does not hold.")


def _seen(name: str, value: object, profile: DeviceProfile | None) -> str:
    if not isinstance(value, Mapping):
        return f"{_title(name, profile)} {value}"
    spec = field_spec(profile, name)
    text = value_text(value.get("value"), unit_text(spec.unit), spec.decimals)
    age = timedelta(seconds=float(value.get("age_s") or 0))
    return f"{_title(name, profile)} {text}" + (f" ({span_text(age)} old)" if age >= timedelta(minutes=1) else "")


def _title(name: str, profile: DeviceProfile | None) -> str:
    title = text_in(field_spec(profile, name).title)
    return title[:1].lower() + title[1:]


def _capital(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if not text or text.endswith(".") else f"{text}."
