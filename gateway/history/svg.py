"""Writing SVG elements: attributes and text escaped in one place. Pure."""

from html import escape


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
    return escape("".join(c if c.isprintable() or c == " " else "\ufffd" for c in words), quote=True)


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return text(value)
    return f"{value:.1f}".removesuffix(".0")
