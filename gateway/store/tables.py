"""All tables of the store: importing this module makes ``metadata`` know every one of them."""

from gateway.store import (
    erasure,
    ownership,
    reachability,
    rule_sets,
    schema,
    subscriptions,
    verdicts,
    ways_in,
)

__all__ = [
    "erasure",
    "metadata",
    "ownership",
    "reachability",
    "rule_sets",
    "schema",
    "subscriptions",
    "verdicts",
    "ways_in",
]

metadata = schema.metadata
