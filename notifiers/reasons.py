"""Why a message goes this way, now, or not at all: a code and its facts as data, and the sentence staff read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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

SENTENCES = {
    "consent.objected": "{name} objected to messages about {purpose}.",
    "consent.missing": "{name} has not agreed to messages about {purpose}, which need it.",
    "consent.given": "{name} agreed to messages about {purpose}{source}.",
    "consent.not_needed": "Messages about {purpose} are sent unless objected to, and {name} has not objected.",
    "consent.asked_for": "{name} asked for this, which needs no consent.",
    "channel.no_address": "{name} has no address on {channel}.",
    "channel.no_transport": "{channel} is not set up here.",
    "channel.unverified": "{name}'s address on {channel} is not verified yet.",
    "channel.dead": "{name}'s address on {channel} is dead ({provider}: {reason}); it is tried again once it changes.",
    "channel.blocked": "{name} has told {provider} to stop messages on {channel}.",
    "channel.reply": "{name} wrote last on {channel}, and the answer goes there.",
    "channel.chosen": "{name} chose {channel} for messages about {purpose} (own choice).",
    "channel.preferred": "{name} prefers {channel} (own choice).",
    "channel.learned": "{name} answers best on {channel} ({answered} of {asked} messages answered there).",
    "channel.learned_alike": "People like {name} answer best on {channel} ({answered} of {asked} messages).",
    "channel.trying": "{channel} is tried: it is not known well yet how {name} answers there"
    " ({answered} of {asked} so far).",
    "channel.holdout": "For {name} the channel is not learned, so that the gain of learning can be measured.",
    "channel.not_enough_data": "There is not enough data yet on what {name} answers to.",
    "channel.country": "People in {country} mostly prefer {channel} ({share}; {source}, {year}).",
    "channel.configured": "{channel} comes next in the company's order.",
    "channel.none": "No channel reaches {name}.",
    "silence.own": "{name} asked on their page to hear nothing of this until {until}.",
    "quiet_hours.hold": "It is {local_time} for {name}; their quiet hours ({hours}) end at {ends_at}.",
    "quiet_hours.default_hold": "It is {local_time} for {name}; the company's quiet hours ({hours}) end at {ends_at}.",
    "quiet_hours.holiday": "It is a public holiday in {country} ({holiday}); for {name} it ends at {ends_at}.",
    "cap.hold": "{name} had {sent} messages{about} within {within}, the most is {at_most}; there is room at {ends_at}.",
    "cap.broken": "{name} had {sent} messages{about} within {within} of at most {at_most}, but this one is critical.",
    "reply.unread": "{name} wrote what may be a STOP and nobody has read yet; what can wait is not sent before.",
    "quiet_hours.broken": "Sent within quiet hours ({hours}) because it is {urgency}.",
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

    def sentence(self, name: str, translate: Callable[[str], str] = str) -> str:
        """Say it to staff; ``name`` is the customer's, ``translate`` turns the English into their language."""
        shown = {key: _shown(key, value, translate) for key, value in self.facts.items()}
        said = translate(SENTENCES[self.code]).format_map({"name": name, "source": "", **shown})
        return said[:1].upper() + said[1:]


CODES = frozenset(SENTENCES)
"""Every code there is."""


def _shown(key: str, value: object, translate: Callable[[str], str]) -> str:
    if key == "channel":
        return translate(channel_name(str(value)))
    if key == "purpose":
        return translate(str(value))
    if key == "about":
        return translate(" about {value}").format(value=translate(str(value))) if value else ""
    if key == "share":
        return f"{float(str(value)):.0%}"
    return str(value)


def channel_name(channel: str) -> str:
    """Name a channel as people do."""
    return CHANNEL_NAMES.get(channel, channel)
