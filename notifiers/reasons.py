"""Why a message goes this way, now, or not at all: a code and its facts as data, and the sentence staff read."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from notifiers.learning.priors import SOURCE

CHANNEL_NAMES = {
    "email": "e-mail",
    "sms": "SMS",
    "whatsapp": "WhatsApp",
    "telegram": "Telegram",
    "line": "LINE",
    "push": "push",
    "webpush": "push in the browser",
    "inbox": "the inbox on their page",
    "apprise": "another service",
    "webhook": "the company's app",
    "voice": "a call",
}

MESSAGES = {
    "safety": "messages about safety",
    "fault": "messages about faults",
    "maintenance": "messages about service",
    "offer": "messages about offers",
    "news": "messages about news",
}
"""What messages of a purpose are called."""
WORDS = (
    *(*MESSAGES.values(), "messages"),
    *("a safety notice", "critical", "an answer"),
    *(" through {value}", " on {value}", SOURCE),
)
"""What else the sentences are made of."""
_PROVIDERS = {
    "twilio": "Twilio",
    "whatsapp_cloud": "WhatsApp",
    "telegram": "Telegram",
    "line": "LINE",
    "fcm": "Firebase",
    "web_push": "Web Push",
    "smtp": "SMTP",
    "apprise": "Apprise",
}
_UNITS = {"d": "d", "h": "h", "m": "min", "s": "s"}
_SPAN = re.compile(r"(\d+)([dhms])")

SENTENCES = {
    "consent.objected": "{name} objected to {messages}.",
    "consent.missing": "{name} has not agreed to {messages}, which need it.",
    "consent.given": "{name} agreed to {messages}{source}.",
    "consent.not_needed": "{messages} are sent unless objected to, and {name} has not objected.",
    "consent.asked_for": "{name} asked for this, which needs no consent.",
    "channel.no_address": "{name} has no address on {channel}.",
    "channel.no_transport": "{channel} is not set up here.",
    "channel.unverified": "{name}'s address on {channel} is not verified yet.",
    "channel.dead": "{name}'s address on {channel} is dead ({provider}); it is tried again once it changes or"
    " they write from it.",
    "channel.blocked": "{name} has told the provider to stop messages on {channel} ({provider}).",
    "channel.reply": "{name} wrote last on {channel}, and the answer goes there.",
    "channel.chosen": "{name} chose {channel} for {messages} (own choice).",
    "channel.preferred": "{name} prefers {channel} (own choice).",
    "channel.learned": "{name} answers best on {channel} ({answered} of {asked} messages answered there).",
    "channel.learned_alike": "People like {name} answer best on {channel} ({answered} of {asked} messages).",
    "channel.trying": "{channel} is tried: it is not known well yet how {name} answers there ({answered} of {asked} so"
    " far).",
    "channel.holdout": "For {name} the channel is not learned, so that the gain of learning can be measured.",
    "channel.not_enough_data": "There is not enough data yet on what {name} answers to.",
    "channel.country": "Where {name} lives ({country}) {share} of those asked prefer {channel} ({source}, {year}).",
    "channel.configured": "{channel} comes next in the company's order.",
    "channel.none": "No channel reaches {name}.",
    "silence.own": "{name} asked on their page to hear nothing of this until {until}.",
    "quiet_hours.hold": "It is {local_time} for {name}, within their quiet hours ({hours}); it waits until {ends_at}.",
    "quiet_hours.default_hold": "It is {local_time} for {name}, within the company's quiet hours ({hours}); it waits"
    " until {ends_at}.",
    "quiet_hours.holiday": "It is a public holiday where {name} lives ({holiday}, {country}); it waits"
    " until {ends_at}.",
    "cap.hold": "{name} had {sent} {messages} within {within}, the most is {at_most}; there is room at {ends_at}.",
    "cap.broken": "{name} had {sent} {messages} within {within} of at most {at_most}, but this one is critical.",
    "reply.unread": "{name} wrote what may be a STOP and nobody has read yet; what can wait is not sent before.",
    "quiet_hours.broken": "It does not wait for the end of quiet hours ({hours}) because it is {urgency}.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of a decision."""

    code: str
    """``area.what``; one of ``CODES``."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """JSON-ready."""

    def as_dict(self) -> dict[str, Any]:
        """Return it as the store keeps it."""
        return {"code": self.code, **self.facts}

    def sentence(self, name: str, translate: Callable[[str], str] = str, place: Callable[[str], str] = str) -> str:
        """Say it to staff; ``name`` is the customer's.

        ``translate`` turns the English into their language, ``place`` a country's code into its name.
        """
        shown = {key: _shown(key, value, translate, place) for key, value in self.facts.items()}
        shown |= {"messages": translate(_messages(self.facts)), "provider": _provider(self.facts)}
        if self.code == "consent.given":
            shown["source"] = _origin(self.facts, translate)
        said = translate(SENTENCES[self.code]).format_map({"name": name, **shown})
        return said[:1].upper() + said[1:]


CODES = frozenset(SENTENCES)
"""Every code there is."""


def _messages(facts: Mapping[str, Any]) -> str:
    return MESSAGES.get(str(facts.get("purpose") or facts.get("about") or ""), "messages")


def _provider(facts: Mapping[str, Any]) -> str:
    """Who said it, and the code they said it with, where there was one."""
    provider, said = str(facts.get("provider") or ""), str(facts.get("reason") or "")
    named = _PROVIDERS.get(provider, provider)
    return f"{named}: {said}" if said and said not in ("dead", "blocked") else named


def _origin(facts: Mapping[str, Any], translate: Callable[[str], str]) -> str:
    parts = ((" through {value}", facts.get("source")), (" on {value}", facts.get("on")))
    return "".join(translate(words).format(value=translate(str(value))) for words, value in parts if value)


def _shown(key: str, value: object, translate: Callable[[str], str], place: Callable[[str], str]) -> str:
    match key:
        case "channel":
            return translate(channel_name(str(value)))
        case "share":
            return f"{float(str(value)):.0%}"
        case "country":
            return place(str(value))
        case "urgency" | "source":
            return translate(str(value))
        case "within":
            # As durations are written in settings: 1d, 1h30m.
            return " ".join(f"{n} {translate(_UNITS[unit])}" for n, unit in _SPAN.findall(str(value))) or str(value)
        case _:
            return str(value)


def channel_name(channel: str) -> str:
    """Name a channel as people do."""
    return CHANNEL_NAMES.get(channel, channel)
