"""Which approved template says a message: WhatsApp takes nothing else once a customer's last is a day old.

Source: developers.facebook.com, WhatsApp Business Platform, "Templates" (categories utility and marketing, variables,
quick replies); Twilio, "Content API". A variable takes no line breaks, tabs or runs of spaces, and 1,024 characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from device_models.purpose import Purpose
from notifiers.errors import Unwritten
from notifiers.message import Outgoing

UTILITY = frozenset(purpose for purpose in Purpose if not purpose.needs_opt_in)
"""What a template of the category *utility* may carry; for the others Meta wants *marketing*."""
_LONGEST_VARIABLE = 1024


@dataclass(frozen=True, slots=True)
class Template:
    """One that was approved, whose body is ``{{1}}``."""

    name: str
    """Meta's name; with Twilio the content's SID (HX…)."""
    languages: tuple[str, ...] = ("en",)
    """As Meta writes them (``pt_BR``)."""
    purposes: frozenset[Purpose] = UTILITY
    buttons: tuple[str, ...] = ()
    """Ids of its quick replies, in their order (``done``, ``later``)."""


def template_for(templates: Sequence[Template], outgoing: Outgoing) -> tuple[Template, str] | None:
    """Return the template for a message and its language nearest to the customer's; None where no purpose matches.

    One with the message's own buttons comes first, else one without any: the text says how to answer as well.
    """
    buttons = tuple(button.id for button in outgoing.rendered.buttons)
    fitting = [one for one in templates if outgoing.purpose in one.purposes]
    own = [one for one in fitting if one.buttons == buttons] or [one for one in fitting if not one.buttons]
    wanted = outgoing.rendered.language.replace("-", "_")
    spoken = [(one, code) for one in own for code in one.languages]
    exact = (pair for pair in spoken if pair[1] == wanted)
    near = (pair for pair in spoken if pair[1].partition("_")[0] == wanted.partition("_")[0])
    return next(exact, None) or next(near, None) or next(iter(spoken), None)


def variable(provider: str, code: str, outgoing: Outgoing) -> str:
    """Return the message as a template's variable.

    Raises Unwritten where it is too long: what is cut off would be its link and how to stop.
    """
    text = " ".join(outgoing.rendered.text.split())
    if len(text) > _LONGEST_VARIABLE:
        raise Unwritten(provider, code, "the text is longer than a template takes, 1,024 characters")
    return text
