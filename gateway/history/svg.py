"""Writing SVG elements: attributes and text escaped in one place. Pure."""

from html import escape
from unicodedata import category

_DIRECTION = frozenset("\u200e\u200f\u2066\u2067\u2068\u2069")
"""Marks that keep a number's sign before its digits in text that runs right to left (UAX #9)."""


def el(name: str, *children: str, **attributes: str | float | None) -> str:
    """Write an element; ``children`` are markup already: other elements, or what ``text`` returns.

    ``stroke_width`` becomes ``stroke-width``, numbers get one decimal, None leaves an attribute out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(words: str) -> str:
    """Escape for markup; what HTML cannot hold at all, a device's control characters, is replaced."""
    return escape("".join(c if _is_text(c) else "\ufffd" for c in words), quote=True)


def _is_text(c: str) -> bool:
    # Python counts all spaces but one as unprintable; numbers are written with those that do not break.
    return c.isprintable() or c in _DIRECTION or category(c) == "Zs"


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return text(value)
    return f"{value:.1f}".removesuffix(".0")
