"""The installation's own secrets: made once, kept readable by their owner alone, never logged."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secrets:
    """Keys that sign what leaves the gateway and comes back."""

    web: str
    """Signs forms against forgery."""
    link_keys: dict[str, str]
    """Keys of customers' links by name; take one out to revoke what it signed."""
    current_link_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"


def load_secrets(data_dir: Path) -> Secrets:
    """Read ``secrets.json`` below ``data_dir``, or make it where there is none."""
    path = data_dir / "secrets.json"
    if not path.exists():
        made = {"web": secrets.token_hex(32), "link_keys": {"1": secrets.token_hex(32)}, "current_link_key": "1"}
        # Written aside and renamed: a crash half-way must not leave a file that signs with half a key.
        aside = path.with_suffix(".new")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(made, file)
        aside.replace(path)
    data = json.loads(path.read_text(encoding="utf-8"))
    return Secrets(data["web"], data["link_keys"], data["current_link_key"])
