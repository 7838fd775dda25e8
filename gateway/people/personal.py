"""What of a customer stands where: one decision for every table and column, which export and erasure both follow.

A test reads all tables of the store and fails for a column that is not decided on here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Owned(Enum):
    """How a row is found to be about a customer."""

    BY_CUSTOMER = "customer_id"
    BY_CASE = "case_id"
    """Of a case of theirs."""
    BY_DEVICE = "device_id"
    """Of a device of theirs."""


class Fate(Enum):
    """What erasure does with a column of a row that stays."""

    KEEP = "keep"
    """Says nothing about the person once the rest is gone."""
    PSEUDONYM = "pseudonym"
    """Becomes a made-up id, the same in all rows, that leads back to nobody."""
    EMPTY = "empty"
    """Is emptied."""
    NUMBER = "number"
    """Becomes ``erased-`` and the row's number: it must stay unique, and as it was it leads back."""


@dataclass(frozen=True, slots=True)
class Held:
    """A table that holds something about customers."""

    owned: Owned
    fates: Mapping[str, Fate] = field(default_factory=dict)
    """Every column; empty: the whole row is deleted."""
    secret: frozenset[str] = frozenset()
    """Columns that no export shows: what would open a door."""

    @property
    def deletes(self) -> bool:
        """Whether rows go as a whole."""
        return not self.fates


def _held(
    owned: Owned, *, keep: str = "", pseudonym: str = "", empty: str = "", number: str = "", hidden: str = ""
) -> Held:
    fates = dict.fromkeys(keep.split(), Fate.KEEP)
    fates |= dict.fromkeys(pseudonym.split(), Fate.PSEUDONYM)
    fates |= dict.fromkeys(empty.split(), Fate.EMPTY)
    fates |= dict.fromkeys(number.split(), Fate.NUMBER)
    return Held(owned, fates, frozenset(hidden.split()))


HELD: Mapping[str, Held] = {
    "customers": _held(Owned.BY_CUSTOMER),
    "consent_log": _held(Owned.BY_CUSTOMER),
    "unreachable": _held(Owned.BY_CUSTOMER),
    "address_checks": Held(Owned.BY_CUSTOMER, secret=frozenset({"token_hash", "answer_hash", "claim_hash"})),
    "link_codes": Held(Owned.BY_CUSTOMER, secret=frozenset({"code_hash"})),
    "verified_addresses": _held(Owned.BY_CUSTOMER),
    "tasks": _held(
        Owned.BY_CUSTOMER,
        keep="id kind state case_id wanted_from wanted_until created_at settled_by settled_at",
        pseudonym="customer_id",
        empty="number about outcome",
    ),
    "bookings": _held(
        Owned.BY_CUSTOMER,
        keep="id slot_id team state case_id starts_at ends_at held_until created_at",
        pseudonym="customer_id",
    ),
    "survey_answers": _held(
        Owned.BY_CUSTOMER,
        keep="id case_id satisfaction effort helped at",
        pseudonym="customer_id",
        empty="helped_other better",
    ),
    "customer_settings": _held(Owned.BY_CUSTOMER),
    "claim_codes": _held(
        Owned.BY_CUSTOMER,
        keep="code_hash device_id created_at created_by expires_at used_at",
        empty="customer_id",
        hidden="code_hash",
    ),
    "devices": _held(
        Owned.BY_DEVICE,
        keep="id profile model serial firmware warranty_until",
        empty="customer_id name site hub latitude longitude",
    ),
    # Where a thing stood, and what hung on which hub.
    "device_changes": _held(Owned.BY_DEVICE),
    "crowd_members": _held(
        Owned.BY_CUSTOMER, keep="key device_id counted_at faults failing incident told", pseudonym="customer_id"
    ),
    "device_people": _held(
        Owned.BY_CUSTOMER, keep="id device_id role purposes starts_at ends_at source", pseudonym="customer_id"
    ),
    "cases": _held(
        Owned.BY_CUSTOMER,
        keep="id dedupe_key rule fault kind device_id severity purpose state on_arrival explanation opened_at "
        "updated_at response_due_at sla_policy sla_hours sla_target sla_since sla_warn_at sla_due_at sla_paused "
        "waiting_since first_response_at acknowledged_at assignee team routed_to region needs_reply resolved_at "
        "resolved_by reopened previous_case_id version snoozed_until merged_into escalated_at cause",
        pseudonym="customer_id",
        empty="resolution field_task fix",
    ),
    "timeline": _held(Owned.BY_CASE, keep="id case_id at kind author notification_id", empty="body"),
    "notifications": _held(
        Owned.BY_CUSTOMER,
        keep="id case_id device_id purpose severity template state reason channel tried not_before expires_at "
        "attempts provider created_at approved_by handed_over_at accepted_at delivered_at read_at updated_at",
        pseudonym="customer_id",
        empty="facts text address why provider_id subject body",
        number="key",
    ),
    "inbound": _held(
        Owned.BY_CUSTOMER,
        keep="id provider channel case_id intent received_at",
        pseudonym="customer_id",
        empty="text",
        number="provider_id",
    ),
    # A file is whose conversation it is in; the zip of an export has it, the JSON what it is.
    "attachments": _held(Owned.BY_CUSTOMER, hidden="content"),
    "tried_steps": _held(Owned.BY_CUSTOMER, keep="case_id step article via at", pseudonym="customer_id"),
    "watches": _held(Owned.BY_CUSTOMER, keep="case_id via field state began_at ended_at told", pseudonym="customer_id"),
    "readings": _held(
        Owned.BY_CUSTOMER,
        keep="inbound_id case_id intent confidence tagged_by urgency sentiment noise may_stop language "
        "language_confidence translated_to waits_for attempts not_before at",
        pseudonym="customer_id",
        empty="cues translation",
    ),
    "unjoined": _held(Owned.BY_CUSTOMER),
    "offer_decisions": _held(
        Owned.BY_CUSTOMER,
        keep="id rule shop_id offer_id code reason at notification_id opened_at",
        pseudonym="customer_id device_id",
        empty="explanation",
    ),
    "outcomes": _held(
        Owned.BY_CUSTOMER,
        keep="notification_id channel case_id purpose country segment decided_by holdout asks sent_at delivered_at "
        "read_at answered_at fixed_at failed_at settles_at settled taken segments billed_as",
        pseudonym="customer_id",
    ),
    # What was learned of those alike names nobody, and stays.
    "tallies": _held(Owned.BY_CUSTOMER),
    "redemptions": _held(
        Owned.BY_CUSTOMER, keep="id key offer_id code decision_id amount shop_id source at", pseudonym="customer_id"
    ),
    "silences": _held(
        Owned.BY_CUSTOMER,
        keep="id created_at starts_at ends_at ended_at ended_by device_id site profile whose rule safety days begins "
        "ends zone",
        pseudonym="customer_id author",
        empty="reason",
    ),
    "transitions": _held(
        Owned.BY_DEVICE,
        keep="id sequence device_id rule fault state at committed_at severity purpose on_arrival shadow case_id "
        "explanation",
    ),
}
"""Tables with rows about customers. What explains a case or transition about a place goes besides, see ``erasure``."""

IMPERSONAL: Mapping[str, frozenset[str]] = {
    name: frozenset(columns.split())
    for name, columns in {
        "meta": "key value",
        "positions": "partition sequence version",
        "shops": "id name latitude longitude radius_m opening_hours country address phone url services",
        "offers": "id title text locale shops profiles occasion valid_from valid_until codes budget",
        # Of nobody's devices until they are registered, which takes them out.
        "unknown_devices": "id ecosystem topic first_heard_at last_heard_at messages",
        # A thing's state stays with the thing, without places; a person's phone goes as a whole.
        "device_states": "device_id state due_at heard_at",
        "alerts": "dedupe_key device_id rule fault state at severity purpose on_arrival explanation withheld_by "
        "withheld_key withheld due_at",
        # Bounded to the newest few thousand; those that name a person's phone are deleted.
        "rejections": "id sequence topic reason first_bytes received_at",
        "channel_reports": "channel stage last_at",
        # Those of their messages are deleted.
        "receipts": "id provider provider_id state error_code because received_at",
        "crowds": "key rule alike state",
        # Said by staff, or by "customer" without a name.
        "verdicts": "id case_id transition_id rule device_id verdict duplicate_of said_by at fired_at",
        # When staff work, and what is due when.
        "working_hours": "name hours zone place closed_on",
        "sla_policies": "name position within hours severities kinds segments tiers pauses warn_before_s",
        "sla_clocks": "case_id target round runs stopped_at due_at warn_at warned_at breached_at",
        # Who of the staff works together, and is bounded to what.
        "teams": "name position hours rules profiles languages regions assigns fallback",
        "team_members": "team user_name languages at_most",
        "away": "user_name until",
        "scopes": "who teams regions",
        "rotas": "name zone team severities breaches alarms ack_within_s lines",
        "rota_overrides": "id rota starts_at ends_at person instead_of said_by",
        "staff_contacts": "user_name channel address position",
        "staff_alerts": "id rota state opened_at items sent_items told last_sent_at next_at acknowledged_by "
        "acknowledged_at",
        "staff_alert_keys": "rota key alert_id",
        "case_links": "case_id other_id",
        "case_steps": "case_id step done_by done_at",
        "device_commands": "id device_id case_id name payload state reason sent_by asked_at published_at answer_by "
        "confirmed_at",
        # Written by staff for many customers.
        "macros": "name text sends saved_by saved_at",
        "phrases": "id words text language intent said_by at",
        "saved_views": "id owner name query saved_at",
        "own_texts": "id kind name language text saved_by saved_at",
        "text_drafts": "kind name language text began_from version saved_by saved_at",
        "rule_drafts": "id state text replaces began_as began_from version began_by began_at saved_by saved_at "
        "put_live_as backtest trying",
        "rule_sets": "id version rules origin files_version who put_live_at migration",
        "template_uses": "template version language approved_by at",
        "users": "name password_hash role created_at disabled totp_secret totp_step email language",
        "sessions": "token_hash user_name created_at expires_at address browser way",
        "outside_identities": "issuer subject user_name created_at",
        "api_tokens": "token_hash name role created_at",
        "account_links": "token_hash user_name role forget_second_factor created_by created_at expires_at email",
        "recovery_codes": "user_name code_hash",
        "tickets": "desk case_id ticket_id last_comment status",
        "subscriptions": "name position state failures failing_since next_try_at reason",
        "refused_events": "id subscription entry_id case_id kind reason at",
        # A customer's id in it becomes the pseudonym.
        "audit": "id at who action subject detail",
        "device_replacements": "new_id old_id at by",
        "erased_objections": "address_hash purpose at",
        "history_erasures": "device_id asked_at",
        "service_slots": "id team feed starts_at ends_at",
    }.items()
}
"""Tables about the company, its staff and its products, each with all of its columns: a new one must be decided on."""
