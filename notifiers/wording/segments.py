"""How many segments an SMS takes, and how to need fewer.

A segment holds 140 bytes: 160 septets of the GSM alphabet, or 70 UTF-16 units as soon as one character is outside
it; of several segments each loses six bytes to the header that joins them, leaving 153 or 67.
Source: 3GPP TS 23.038 §6.2.1 (alphabet), TS 23.040 §9.2.3.24.1 (concatenation).
"""

from dataclasses import dataclass
from typing import Literal

MOST = 3
"""More segments than this cost too much and arrive late; templates drop their advice first."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""An escape and a second septet each."""

_PLAINER = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "‑": "-", "…": "...", "•": "-", "·": "-", "×": "x", "°": "",
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‚": "'",
        "\u00a0": " ", "\u202f": " ", "\u2009": " ",
        "\u2068": "", "\u2069": "", "\u200e": "", "\u200f": "", "\u061c": "", "\u00ad": "",
    }
)  # fmt: skip
"""Typography that costs the whole message its alphabet; ``−8.3 °C`` becomes ``-8.3 C``, GSM has no degree sign."""


@dataclass(frozen=True, slots=True)
class Segments:
    """What one SMS costs."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    """Septets or UTF-16 units."""
    count: int
    """Segments; 0 for an empty text."""


def segments(text: str) -> Segments:
    """Count the segments of ``text`` as a network will."""
    if all(c in _BASIC or c in _EXTENDED for c in text):
        widths = [2 if c in _EXTENDED else 1 for c in text]
        return Segments("GSM-7", sum(widths), _count(widths, single=160, joined=153))
    widths = [2 if ord(c) > 0xFFFF else 1 for c in text]
    return Segments("UCS-2", sum(widths), _count(widths, single=70, joined=67))


def _count(widths: list[int], single: int, joined: int) -> int:
    if sum(widths) <= single:
        return 1 if widths else 0
    count, room = 1, joined
    for width in widths:
        # An escaped character or a surrogate pair is never split: the unit left over stays empty.
        if width > room:
            count, room = count + 1, joined
        room -= width
    return count


def thrifty(text: str) -> str:
    """Plain typography where that saves segments; otherwise ``text`` as it is, since nothing is gained.

    Text that stays outside the GSM alphabet is left alone: Arabic would lose the marks that keep a minus sign in place.
    """
    # French sets its quotation marks off with spaces, which plain ones do not want.
    plainer = text.replace("«\u00a0", "«").replace("\u00a0»", "»").translate(_PLAINER)
    saves = segments(plainer).encoding == "GSM-7" and segments(plainer).count < segments(text).count
    return plainer if saves else text
