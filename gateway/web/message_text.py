"""A rendered message as staff see it: its words to be edited, and no link that would open the customer's page."""

import re

# The customer's page is theirs: whoever holds its address may write in their name, so staff are not shown it.
_LINK = re.compile(r"https?://\S+?/p/[\w.-]+(?:/stop)?")
_INVISIBLE = re.compile("[\u2066-\u2069\u200e\u200f]")


def without_links(text: str) -> str:
    """Replace links to the customer's page by what they are."""
    return _LINK.sub("[link to their page]", text)


def words_to_edit(text: str, brand: str) -> str:
    """Return the part of a rendered message that a person may word anew: what comes before the link.

    Link, signature and STOP line are put around an agent's own words when they go out, so an editor that offered them
    would send them twice.
    """
    link = _LINK.search(text)
    words = text[: link.start()] if link else text
    # Above the link stands what it does ("See what is happening:"), in its paragraph; a text message has but one.
    head, gap, _action = words.rpartition("\n\n")
    words = head if gap and link else words
    return _INVISIBLE.sub("", words).removeprefix(f"{brand}: ").strip()
