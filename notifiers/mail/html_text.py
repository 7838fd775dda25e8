"""The text of an HTML mail as lines, by the standard library alone."""

import re
from html.parser import HTMLParser

_SKIPPED = frozenset({"style", "script", "head", "title", "template", "blockquote"})
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)
_LINES = frozenset({"p", "div", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "pre", "section"})
_QUOTING = re.compile(
    r"\b(?:gmail_quote|gmail_attr|gmail_signature|yahoo_quoted|moz-cite-prefix|moz-signature|protonmail_quote"
    r"|protonmail_signature_block|ms-outlook-mobile-signature|gmx_quote)\b"
)
_REST_IS_QUOTED = frozenset({"divRplyFwdMsg", "appendonsend", "stopSpelling", "ms-outlook-mobile-reference-message"})
"""Ids that Outlook's programs put in front of the message answered, which is no child of theirs."""


def html_text(html: str) -> str:
    """Return the text of an HTML body as lines, without what programs mark as quotation or signature. Never raises."""
    reader = _HtmlText()
    try:
        reader.feed(html)
        reader.close()
    except AssertionError:
        # What the standard library's parser raises at a ``<![…`` it does not know; what stood before it is kept.
        pass
    lines = (" ".join(line.split()) for line in "".join(reader.pieces).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _HtmlText(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._open: list[str] = []
        self._skipping: int | None = None
        """How many elements were open when the one began whose content is dropped."""
        self._ended = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if (given.get("id") or "").removeprefix("x_") in _REST_IS_QUOTED:
            self._ended = True
        if tag in _LINES or tag == "br":
            self._write("\n")
        if tag in _VOID:
            return
        self._open.append(tag)
        if self._skipping is None and (tag in _SKIPPED or _QUOTING.search(given.get("class") or "")):
            self._skipping = len(self._open)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self._open:
            return
        while self._open:
            closed = self._open.pop()
            if closed == tag:
                break
        if self._skipping is not None and len(self._open) < self._skipping:
            self._skipping = None
        if tag in _LINES:
            self._write("\n")

    def handle_data(self, data: str) -> None:
        self._write(" ".join(data.split("\n")) if "pre" not in self._open else data)

    def _write(self, text: str) -> None:
        if self._skipping is None and not self._ended:
            self.pieces.append(text)
