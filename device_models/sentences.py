"""English sentences that remember what they were put together of, so that they can be said in another language too."""

import re
from functools import cached_property

_HOLE = re.compile(r"\{(\d+)\}")
_LONGEST_CODE = 9
"""Words of a code; more make no sentence clearer."""


class Sentence(str):
    """A text like any other, which knows its ``template`` and the ``values`` that stand for ``{1}``, ``{2}``, … in it.

    A value may be a sentence itself, such as a hint. Whatever makes another text of it (an f-string, ``str()``) keeps
    the English words alone.
    """

    template: str
    values: tuple[str, ...]

    @cached_property
    def code(self) -> str:
        """What kind of sentence it is, whatever its values are: ``there-is-no-rule-here``."""
        words = re.findall(r"[a-z0-9_]+", _HOLE.sub("", self.template).lower())
        return "-".join(words[:_LONGEST_CODE])


def sentence(template: str, *values: object) -> Sentence:
    """Put ``values`` into a template."""
    kept = tuple(value if isinstance(value, Sentence) else str(value) for value in values)
    made = Sentence(_HOLE.sub(lambda hole: kept[int(hole[1]) - 1], template))
    made.template, made.values = template, kept
    return made


def words_of(error: Exception) -> str:
    """Return what an exception was raised with, as a sentence still where it was one."""
    said = error.args[0] if error.args else ""
    return said if isinstance(said, Sentence) else str(error)
