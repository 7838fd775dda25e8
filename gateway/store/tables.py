"""All tables of the store: importing this module makes ``metadata`` know every one of them."""

from gateway.store import (
    case_work,
    desk,
    enrolment,
    erasure,
    fleets,
    outcomes,
    ownership,
    reachability,
    readings,
    redemptions,
    rule_drafts,
    rule_sets,
    schema,
    self_help,
    subscriptions,
    template_uses,
    tickets,
    verdicts,
    ways_in,
)

__all__ = [
    "case_work",
    "desk",
    "enrolment",
    "erasure",
    "fleets",
    "metadata",
    "outcomes",
    "ownership",
    "reachability",
    "readings",
    "redemptions",
    "rule_drafts",
    "rule_sets",
    "schema",
    "self_help",
    "subscriptions",
    "template_uses",
    "tickets",
    "verdicts",
    "ways_in",
]

metadata = schema.metadata
