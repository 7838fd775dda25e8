"""Values and the plain sentence of a case, in the language of the staff member who looks."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from device_models.event import Value
from device_models.localized import in_language
from device_models.profile import GENERIC, DeviceProfile, FieldSpec
from gateway.web.language import N_, _, day_text, listed, number_text, say, short_span, span_text, voice
from notifiers.reasons import channel_name

__all__ = ["number_text", "short_span", "span_text"]

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")

_UNITS = {
    "Cel": "°C",
    "[degF]": "°F",
    "%": "%",
    "kW.h": "kWh",
    "W.h": "Wh",
    "m/s": "m/s",
    "km/h": "km/h",
    "L/min": "l/min",
    "L/h": "l/h",
    "Ohm": "Ω",
    "u[H2O]": "mmH₂O",
    "[ppm]": "ppm",
    "deg": "°",
    "dB[mW]": "dBm",
    "dB": "dB",
    "1": "",
}
"""UCUM as people write it (ucum.org); a unit that is not here is written as it is."""
_TIGHT = {"%", "°"}


def unit_text(ucum: str | None) -> str:
    """Write a UCUM unit as people do."""
    return _UNITS.get(ucum or "", ucum or "")


def value_text(value: object, unit: str = "", decimals: int = 1) -> str:
    """Write a measured value with its display unit; truth values are yes and no."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        number = number_text(value, 0 if isinstance(value, int) else decimals)
        text = number if not unit else f"{number}{'' if unit in _TIGHT else chr(0xA0)}{unit}"
        # Within Arabic a minus and a unit would change places: isolated, left to right (UAX #9).
        return f"\N{LEFT-TO-RIGHT ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}" if voice().direction == "rtl" else text
    return str(value)


def zone_of(name: str | None) -> ZoneInfo:
    """Return a zone; UTC where there is none or its name is wrong."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def moment(value: object) -> datetime | None:
    """Read an RFC 3339 text of an explanation; None where it is none."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def text_in(localized: object, locale: str | None = None) -> str:
    """Pick a text by language from an explanation, whether it is a mapping or plain; None: the viewer's."""
    locale = locale or voice().language
    if isinstance(localized, Mapping):
        return in_language({str(k): str(v) for k, v in localized.items()}, locale)
    return str(localized or "")


def title_of(explanation: Mapping[str, Any], rule: str, locale: str | None = None) -> str:
    """Name a fault: the rule's title, else its id in words."""
    return text_in(explanation.get("title"), locale) or rule.replace("-", " ").replace("_", " ").capitalize()


def staff_title(explanation: Mapping[str, Any], rule: str) -> str:
    """Name a fault to staff: rules speak to the customer ("Your freezer is …"), and it is not the agent's freezer."""
    title = title_of(explanation, rule).replace(" your ", " the ").removeprefix("Your ")
    title = title.replace(" Ihre ", " die ").replace(" Ihr ", " das ")
    title = title.removeprefix("Ihre ").removeprefix("Ihr ")
    return title[:1].upper() + title[1:]


def reach_text(hours: int) -> str:
    """Write how far back a chart goes: 24 h, 7 d."""
    return f"{hours}\N{NO-BREAK SPACE}{_('h')}" if hours <= 24 else f"{hours // 24}\N{NO-BREAK SPACE}{_('d')}"


def audited_text(value: object, zone: str) -> str:
    """Write a detail of the audit log: a list with commas, a time in the viewer's zone."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list | tuple):
        return listed(audited_text(one, zone) for one in value)
    at = moment(value) if isinstance(value, str) and _RFC_3339.match(value) else None
    return f"{day_text(at.astimezone(zone_of(zone)))} {at.astimezone(zone_of(zone)):%H:%M}" if at else str(value)


def field_spec(profile: DeviceProfile | None, name: str) -> FieldSpec:
    """Describe a field: as the profile does, else by its own name."""
    return (profile or GENERIC).fields.get(name) or FieldSpec(title={"en": name.replace("_", " ")})


def staff_sentence(
    explanation: Mapping[str, Any],
    rule: str,
    profile: DeviceProfile | None,
    at: datetime,
    latest: Mapping[str, Value] | None = None,
) -> str:
    """Say in one sentence what is true of a fault ``at`` a time.

    Such as "Freezer is too warm: temperature −8.3 °C, limit −12 °C, for 22 min." ``latest``: what the device says now,
    while the fault lasts; without it the values are those that made the rule fire.
    """
    values = explanation.get("values")
    if latest and isinstance(values, Mapping):
        explanation = {**explanation, "values": {name: latest.get(name, value) for name, value in values.items()}}
    title = staff_title(explanation, rule)
    proof = listed(part for part in _proofs(explanation, profile, at) if part)
    if proof.startswith("for "):
        # That it lasts is all there is to say: "Freezer's door is open for 22 min."
        return f"{title} {proof}."
    return f"{title}: {proof}." if proof else f"{title}."


_TARGETS = {"first_response": N_("First answer"), "next_response": N_("Answer"), "resolve": N_("Solution")}
_PAUSES = {"customer": N_("it is the customer's turn"), "snoozed": N_("the case rests")}


def sla_text(case: Any, now: datetime) -> str:
    """Say what is due of a case and when, or why its clock stands; empty where nothing is due.

    Such as "First answer due in 18 min, working hours of Berlin".
    """
    if case.sla_paused:
        return say("{1}: the clock stands, {2}", _(_TARGETS[case.sla_target]), _(_PAUSES[case.sla_paused]))
    if case.sla_due_at is None:
        return ""
    left = case.sla_due_at - now
    target = _(_TARGETS[case.sla_target])
    due = say("{1} due in {2}", target, span_text(left)) if left > timedelta(0) else ""
    said = due or say("{1} overdue by {2}", target, span_text(-left))
    return said + (say(", working hours of {1}", case.sla_hours) if case.sla_hours else "")


_WHY = {
    "rule": N_("rule {1}"),
    "profile": "{1}",
    "language": N_("language {1}"),
    "region": N_("customer in {1}"),
}


def routed_text(author: str, body: Mapping[str, Any]) -> str:
    """Say to whom a case went and what decided."""
    team = body.get("team")
    if author != "gateway":
        return say("{1} handed it to team {2}", author, team)
    why: Mapping[str, Any] = body.get("why") or {}
    reasons = [say(form, why[name]) for name, form in _WHY.items() if why.get(name)]
    if own := why.get("instead_of"):
        reasons.append(say("nobody of team {1} is on duty", own))
    said = say("Went to team {1}", team)
    if agent := body.get("agent"):
        said = say("Went to team {1} and {2}, who has {3} open", team, agent, why.get("load", 0))
    elif nobody := why.get("nobody"):
        reasons.append(_("nobody is on duty") if nobody == "off duty" else _("everybody has as many as they can take"))
    return f"{said}: {', '.join(reasons)}" if reasons else said


def alerted_text(kind: str, author: str, body: Mapping[str, Any]) -> str:
    """Say who of the staff was told, and what they answered."""
    match kind:
        case "staff_alerted":
            channel = channel_name(str(body.get("channel")))
            return say("{1} was told by {2}, rota {3}", body.get("name"), channel, body.get("rota"))
        case "staff_acknowledged":
            return say("{1} takes it", author)
        case "staff_passed_on":
            return say("{1} passed it on", author)
        case _:
            return say("Everybody of the rota {1} was told, and nobody has answered", body.get("rota"))


def past_sentence(explanation: Mapping[str, Any], rule: str, resolved_at: datetime) -> str:
    """Say of a fault that is over what it was and how long it lasted."""
    since = moment(explanation.get("since"))
    title = staff_title(explanation, rule)
    if since and since <= resolved_at:
        return say("{1}: over after {2}.", title, span_text(resolved_at - since))
    return say("{1}: over.", title)


def circumstances(
    explanation: Mapping[str, Any], profile: DeviceProfile | None, latest: Mapping[str, Value]
) -> list[str]:
    """List what else the rule looked at, as it is now: "door open: no", "compressor current: 0.00 A"."""
    given = explanation.get("values")
    values: Mapping[str, Value] = given if isinstance(given, Mapping) else {}
    names = [n for n in values if n != explanation.get("field")]
    shown = []
    for name in names:
        spec = field_spec(profile, name)
        text = value_text(latest.get(name, values[name]), unit_text(spec.unit), spec.decimals)
        shown.append(f"{text_in(spec.title)}: {text}")
    return shown


def _within(title: str) -> str:
    """Write a title within a sentence; German keeps the capitals of its nouns."""
    return title if voice().language == "de" else title.lower()


def _whole(limit: float) -> float:
    """A limit as its author wrote it: -12, not -12.0."""
    return int(limit) if float(limit).is_integer() else limit


def _course(explanation: Mapping[str, Any], shown: Callable[[str, object], str]) -> list[str]:
    """What only some kinds tell of: how a value moved, how often, when it will reach its limit, how far a thing is."""
    told: list[str] = []
    field, change, over_s = (explanation.get(name) for name in ("field", "change", "over_s"))
    if isinstance(field, str) and isinstance(change, int | float) and change and isinstance(over_s, int | float):
        moved = shown(field, abs(change)), span_text(timedelta(seconds=over_s))
        told.append(say("up {1} in {2}", *moved) if change > 0 else say("down {1} in {2}", *moved))
    count, within_s = explanation.get("count"), explanation.get("within_s")
    if isinstance(count, int) and isinstance(within_s, int | float) and "population" not in explanation:
        told.append(say("{1} times in {2}", count, span_text(timedelta(seconds=within_s))))
    reaches, earliest, latest = (moment(explanation.get(name)) for name in ("reaches_at", "earliest", "latest"))
    if reaches and earliest and latest:
        days = day_text(reaches), day_text(earliest), day_text(latest)
        told.append(say("reached {1} (between {2} and {3})", *days))
    if isinstance(missed := explanation.get("missed_meanwhile"), int):
        restarted = explanation.get("restarted_meanwhile")
        told.append(_("it restarted meanwhile") if restarted else say("{1} messages missed", missed))
    if isinstance(moved_m := explanation.get("moved_m"), int | float):
        told.append(say("{1} m from where it was left", f"{moved_m:.0f}"))
    return told


def _of_many(explanation: Mapping[str, Any]) -> list[str]:
    """Of a fleet incident: how many of how many, and how many are usual."""
    count, population = explanation.get("count"), explanation.get("population")
    within_s, expected = explanation.get("within_s"), explanation.get("expected")
    if not isinstance(count, int) or not isinstance(population, int):
        return []
    alike = explanation.get("alike")
    named = ", ".join(f"{name} {value}" for name, value in alike.items()) if isinstance(alike, Mapping) else ""
    told = say("{1} of {2} alike devices ({3})", count, population, named)
    if isinstance(within_s, int | float) and isinstance(expected, int | float):
        usual = say("fewer than {1}", number_text(0.1)) if expected < 0.1 else number_text(expected)
        told += say(" within {1}, where {2} are usual", span_text(timedelta(seconds=within_s)), usual)
    return [told]


def _proofs(explanation: Mapping[str, Any], profile: DeviceProfile | None, at: datetime) -> list[str]:
    proofs: list[str] = []
    name, values = explanation.get("field"), explanation.get("values")
    values = values if isinstance(values, Mapping) else {}
    units = explanation.get("units")
    units = units if isinstance(units, Mapping) else {}

    def shown(field: str, value: object) -> str:
        spec = field_spec(profile, field)
        return value_text(value, unit_text(spec.unit or str(units.get(field, ""))), spec.decimals)

    if code := explanation.get("code"):
        proofs.append(say("code {1}", code))
    if isinstance(name, str) and (isinstance(values.get(name), bool) or (code and str(values.get(name)) == str(code))):
        # "The door is open: door open yes", "code E11, error code E11" say it twice.
        pass
    elif isinstance(name, str) and name in values:
        proofs.append(f"{_within(text_in(field_spec(profile, name).title))} {shown(name, values[name])}")
        if isinstance(explanation.get("limit"), int | float):
            proofs.append(say("limit {1}", shown(name, _whole(explanation["limit"]))))
    else:
        proofs.extend(
            f"{_within(text_in(field_spec(profile, n).title))} {shown(n, v)}" for n, v in list(values.items())[:3]
        )
    heard = moment(explanation.get("last_heard_at"))
    if heard:
        proofs.append(say("last heard {1} ago", span_text(at - heard)))
    due = moment(explanation.get("due_at"))
    if due:
        proofs.append(say("due {1}", day_text(due, year=True)))
    proofs.extend(_course(explanation, shown))
    proofs.extend(_of_many(explanation))
    since = moment(explanation.get("since"))
    if since and not heard and not due and explanation.get("kind") != "forecast":
        proofs.append(say("for {1}", span_text(at - since)))
    return proofs
