"""A command that is run only while what it changes is as its author saw it; see ``gateway.unchanged``."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Run ``command`` where the thing still has one of the tags ``seen``; raises ``Stale`` otherwise.

    The comparison and the command are one transaction: of two who edit at once one is told.
    """

    command: Any
    """Any other command."""
    thing: str
    ident: str
    seen: tuple[str, ...]
    """Empty: it must not be there yet."""
    by: str
