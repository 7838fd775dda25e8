"""What providers post to us, in one shape: is it theirs, and what does it say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import orjson

from notifiers.inbound import Blocking, Inbound
from notifiers.receipts import Receipt

Item = Inbound | Receipt | Blocking


@dataclass(frozen=True, slots=True)
class Reading:
    """One post, read."""

    items: tuple[Item, ...] = ()
    """In the order the provider gives them; empty where it says nothing to us."""
    response: Mapping[str, Any] | None = None
    """JSON the provider wants in the answer's body."""


class CallbackReader(Protocol):
    """Reads one provider's posts."""

    @property
    def provider(self) -> str:
        """Its name, which is also the end of the address it posts to."""
        ...

    def is_genuine(self, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
        """Tell whether the provider posted this; compares in constant time. ``body`` is raw, as received."""
        ...

    def read(self, body: bytes, at: datetime) -> Reading:
        """Read a genuine post that came in ``at``. Never raises: what is not understood is left out."""
        ...

    def challenge(self, query: Mapping[str, str]) -> str | None:
        """Answer the question by which a provider asks whether the address is ours; None: it is not answered."""
        ...


def parse_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; empty where it is none."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def part(data: Any, *names: str) -> dict[str, Any]:
    """Walk down to a nested object; empty where there is none."""
    for name in names:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def objects(data: Any) -> Sequence[dict[str, Any]]:
    """Return the objects of a list; empty where it is none."""
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []


def text_of(data: Mapping[str, Any], name: str) -> str:
    """Return a text, or a whole number as text; empty where there is neither."""
    value = data.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else ""
