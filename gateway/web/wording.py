"""Numbers, spans of time and the plain sentence of a case, in the staff's language (English)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from device_models.event import Value
from device_models.localized import in_language
from device_models.profile import GENERIC, DeviceProfile, FieldSpec

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


def number_text(value: float, decimals: int = 1) -> str:
    """Write a number with a real minus sign and thin thousands: −1 234.5."""
    # z: what rounds to nothing has no sign.
    return f"{value:z,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}").replace("-", "\N{MINUS SIGN}")


def value_text(value: object, unit: str = "", decimals: int = 1) -> str:
    """Write a measured value with its display unit; truth values are yes and no."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        number = number_text(value, 0 if isinstance(value, int) else decimals)
        return number if not unit else f"{number}{'' if unit in _TIGHT else chr(0xA0)}{unit}"
    return str(value)


def span_text(span: timedelta) -> str:
    """Write a duration as one or two units: 45 s, 22 min, 3 h 5 min, 2 d 4 h, 12 d."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 60:
        return f"{seconds}\N{NO-BREAK SPACE}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    nb = "\N{NO-BREAK SPACE}"
    if minutes < 60:
        return f"{minutes}{nb}min"
    if hours < 24:
        rest = minutes - hours * 60
        return f"{hours}{nb}h" + (f" {rest}{nb}min" if rest and hours < 10 else "")
    rest = hours - days * 24
    return f"{days}{nb}d" + (f" {rest}{nb}h" if rest and days < 7 else "")


def short_span(span: timedelta) -> str:
    """Write a duration as one unit for a narrow column: now, 45s, 22m, 3h, 12d."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 10:
        return "now"
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"


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


def text_in(localized: object, locale: str = "en") -> str:
    """Pick a text by language from an explanation, whether it is a mapping or plain."""
    if isinstance(localized, Mapping):
        return in_language({str(k): str(v) for k, v in localized.items()}, locale)
    return str(localized or "")


def title_of(explanation: Mapping[str, Any], rule: str, locale: str = "en") -> str:
    """Name a fault: the rule's title, else its id in words."""
    return text_in(explanation.get("title"), locale) or rule.replace("-", " ").replace("_", " ").capitalize()


def staff_title(explanation: Mapping[str, Any], rule: str) -> str:
    """Name a fault to staff: rules speak to the customer ("Your freezer is …"), and it is not the agent's freezer."""
    title = title_of(explanation, rule).replace(" your ", " the ").removeprefix("Your ")
    return title[:1].upper() + title[1:]


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
    proof = ", ".join(part for part in _proofs(explanation, profile, at) if part)
    if proof.startswith("for "):
        # That it lasts is all there is to say: "Freezer's door is open for 22 min."
        return f"{title} {proof}."
    return f"{title}: {proof}." if proof else f"{title}."


_TARGETS = {"first_response": "First answer", "next_response": "Answer", "resolve": "Solution"}
_PAUSES = {"customer": "it is the customer's turn", "snoozed": "the case rests"}


def sla_text(case: Any, now: datetime) -> str:
    """Say what is due of a case and when, or why its clock stands; empty where nothing is due.

    Such as "First answer due in 18 min, working hours of Berlin".
    """
    if case.sla_paused:
        return f"{_TARGETS[case.sla_target]}: the clock stands, {_PAUSES[case.sla_paused]}"
    if case.sla_due_at is None:
        return ""
    left = case.sla_due_at - now
    due = f"due in {span_text(left)}" if left > timedelta(0) else f"overdue by {span_text(-left)}"
    whose = f", working hours of {case.sla_hours}" if case.sla_hours else ""
    return f"{_TARGETS[case.sla_target]} {due}{whose}"


_WHY = {"rule": "rule {}", "profile": "{}", "language": "language {}", "region": "customer in {}"}


def routed_text(author: str, body: Mapping[str, Any]) -> str:
    """Say to whom a case went and what decided."""
    if author != "gateway":
        return f"{author} handed it to team {body.get('team')}"
    why: Mapping[str, Any] = body.get("why") or {}
    reasons = [form.format(why[name]) for name, form in _WHY.items() if why.get(name)]
    if own := why.get("instead_of"):
        reasons.append(f"nobody of team {own} is on duty")
    said = f"Went to team {body.get('team')}"
    if agent := body.get("agent"):
        load = why.get("load")
        said += f" and {agent}" + (f", who has {load} open" if load is not None else "")
    elif nobody := why.get("nobody"):
        reasons.append("nobody is on duty" if nobody == "off duty" else "everybody has as many as they can take")
    return f"{said}: {', '.join(reasons)}" if reasons else said


def past_sentence(explanation: Mapping[str, Any], rule: str, resolved_at: datetime) -> str:
    """Say of a fault that is over what it was and how long it lasted."""
    since = moment(explanation.get("since"))
    lasted = f" after {span_text(resolved_at - since)}" if since and since <= resolved_at else ""
    return f"{staff_title(explanation, rule)}: over{lasted}."


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


def _whole(limit: float) -> float:
    """A limit as its author wrote it: -12, not -12.0."""
    return int(limit) if float(limit).is_integer() else limit


def _course(explanation: Mapping[str, Any], shown: Callable[[str, object], str]) -> list[str]:
    """What only some kinds tell of: how a value moved, how often, when it will reach its limit, how far a thing is."""
    told: list[str] = []
    field, change, over_s = (explanation.get(name) for name in ("field", "change", "over_s"))
    if isinstance(field, str) and isinstance(change, int | float) and change and isinstance(over_s, int | float):
        told.append(
            f"{'up' if change > 0 else 'down'} {shown(field, abs(change))} in {span_text(timedelta(seconds=over_s))}"
        )
    count, within_s = explanation.get("count"), explanation.get("within_s")
    if isinstance(count, int) and isinstance(within_s, int | float) and "population" not in explanation:
        told.append(f"{count} times in {span_text(timedelta(seconds=within_s))}")
    reaches, earliest, latest = (moment(explanation.get(name)) for name in ("reaches_at", "earliest", "latest"))
    if reaches and earliest and latest:
        told.append(f"reached {reaches:%-d %b} (between {earliest:%-d %b} and {latest:%-d %b})")
    if isinstance(missed := explanation.get("missed_meanwhile"), int):
        told.append("it restarted meanwhile" if explanation.get("restarted_meanwhile") else f"{missed} messages missed")
    if isinstance(moved_m := explanation.get("moved_m"), int | float):
        told.append(f"{moved_m:.0f} m from where it was left")
    return told


def _of_many(explanation: Mapping[str, Any]) -> list[str]:
    """Of a fleet incident: how many of how many, and how many are usual."""
    count, population = explanation.get("count"), explanation.get("population")
    within_s, expected = explanation.get("within_s"), explanation.get("expected")
    if not isinstance(count, int) or not isinstance(population, int):
        return []
    alike = explanation.get("alike")
    named = ", ".join(f"{name} {value}" for name, value in alike.items()) if isinstance(alike, Mapping) else ""
    told = f"{count} of {population} alike devices ({named})"
    if isinstance(within_s, int | float) and isinstance(expected, int | float):
        usual = "fewer than 0.1" if expected < 0.1 else number_text(expected)
        told += f" within {span_text(timedelta(seconds=within_s))}, where {usual} are usual"
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
        proofs.append(f"code {code}")
    if isinstance(name, str) and (isinstance(values.get(name), bool) or (code and str(values.get(name)) == str(code))):
        # "The door is open: door open yes", "code E11, error code E11" say it twice.
        pass
    elif isinstance(name, str) and name in values:
        proofs.append(f"{text_in(field_spec(profile, name).title).lower()} {shown(name, values[name])}")
        if isinstance(explanation.get("limit"), int | float):
            proofs.append(f"limit {shown(name, _whole(explanation['limit']))}")
    else:
        proofs.extend(
            f"{text_in(field_spec(profile, n).title).lower()} {shown(n, v)}" for n, v in list(values.items())[:3]
        )
    heard = moment(explanation.get("last_heard_at"))
    if heard:
        proofs.append(f"last heard {span_text(at - heard)} ago")
    due = moment(explanation.get("due_at"))
    if due:
        proofs.append(f"due {due:%-d %b %Y}")
    proofs.extend(_course(explanation, shown))
    proofs.extend(_of_many(explanation))
    since = moment(explanation.get("since"))
    if since and not heard and not due and explanation.get("kind") != "forecast":
        proofs.append(f"for {span_text(at - since)}")
    return proofs
