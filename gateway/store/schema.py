"""The tables. SQLite and PostgreSQL share them; what differs between the two lives in ``dialect.py``."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Index, Table
from sqlalchemy.engine import Dialect

from device_models.event import rfc3339

metadata = sa.MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
)


class UtcTime(sa.types.TypeDecorator[datetime]):
    """An aware UTC time; SQLite keeps it as sortable text, PostgreSQL as ``timestamptz``."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time here rather than store whose clock nobody knows."""
        return None if value is None else _aware(value).astimezone(UTC)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        """Write SQLite's text at once: by SQLAlchemy's type it takes several times as long, for each row of a batch."""
        return _sqlite_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give back an aware UTC time whatever the dialect made of it."""
        if value is None:
            return None
        at: datetime = value
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at


def _sqlite_text(at: datetime | None) -> str | None:
    """As SQLAlchemy writes and reads it: ``2026-03-01 12:00:00.000000``."""
    if at is None:
        return None
    day, _, time = rfc3339(_aware(at)).removesuffix("Z").partition("T")
    return f"{day} {time}" if at.microsecond else f"{day} {time}.000000"


# BIGINT on PostgreSQL; SQLite numbers rows by itself only in an INTEGER primary key.
RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("key", sa.Text, primary_key=True),
    Column("value", sa.JSON, nullable=False),
)
"""Small facts of the installation: the clock, the hold switch, the company's name."""

positions = Table(
    "positions",
    metadata,
    Column("partition", sa.Integer, primary_key=True),
    Column("sequence", sa.BigInteger, nullable=False),
    Column("version", sa.BigInteger, nullable=False),
)
"""How far the log has had its effect. Each commit compares and sets both, also when only a timer moved."""

devices = Table(
    "devices",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("profile", sa.Text, nullable=False),
    Column("customer_id", sa.Text, index=True),
    Column("name", sa.Text),
    Column("model", sa.Text),
    Column("serial", sa.Text, index=True),
    Column("firmware", sa.Text),
    Column("site", sa.Text, index=True),
    Column("hub", sa.Text, index=True),
    Column("latitude", sa.Float),
    Column("longitude", sa.Float),
    Column("warranty_until", sa.Date),
)

customers = Table(
    "customers",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("name", sa.Text, nullable=False),
    Column("country", sa.Text),
    Column("locale", sa.Text, nullable=False),
    Column("timezone", sa.Text, nullable=False),
    Column("segment", sa.Text),
    Column("tier", sa.Text),
    Column("email", sa.Text, index=True),
    Column("phone", sa.Text, index=True),
    Column("preferred_channel", sa.Text),
    Column("addresses", sa.JSON, nullable=False),
    Column("channel_choices", sa.JSON, nullable=False, default=dict),
    Column("quiet_hours", sa.Text),
    Column("consents", sa.JSON, nullable=False),
    Column("objections", sa.JSON, nullable=False),
    Column("origins", sa.JSON, nullable=False, default=dict),
    Column("left_at", UtcTime),
)

shops = Table(
    "shops",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("name", sa.Text, nullable=False),
    Column("latitude", sa.Float, nullable=False),
    Column("longitude", sa.Float, nullable=False),
    Column("radius_m", sa.Float, nullable=False),
    Column("opening_hours", sa.Text),
    Column("country", sa.Text),
    Column("address", sa.Text),
    Column("phone", sa.Text),
    Column("url", sa.Text),
    Column("services", sa.JSON, nullable=False),
)

offers = Table(
    "offers",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("title", sa.Text, nullable=False),
    Column("text", sa.Text, nullable=False),
    Column("locale", sa.Text, nullable=False),
    Column("shops", sa.JSON, nullable=False),
    Column("profiles", sa.JSON, nullable=False),
    Column("occasion", sa.Text),
    Column("valid_from", UtcTime),
    Column("valid_until", UtcTime),
    Column("codes", sa.JSON, nullable=False),
    Column("budget", sa.Integer),
)

unknown_devices = Table(
    "unknown_devices",
    metadata,
    Column("id", sa.Text, primary_key=True),
    Column("ecosystem", sa.Text, nullable=False),
    Column("topic", sa.Text, nullable=False),
    Column("first_heard_at", UtcTime, nullable=False),
    Column("last_heard_at", UtcTime, nullable=False),
    Column("messages", sa.BigInteger, nullable=False),
)
"""Devices that speak and that nobody registered, under the policy *quarantine*."""

device_states = Table(
    "device_states",
    metadata,
    Column("device_id", sa.Text, primary_key=True),
    Column("state", sa.LargeBinary, nullable=False),
    Column("due_at", UtcTime, index=True),
    Column("heard_at", UtcTime),
)
"""``rules.state.DeviceState`` as JSON bytes: twin, presence and the state of each rule."""

transitions = Table(
    "transitions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("sequence", sa.BigInteger, nullable=False),
    Column("device_id", sa.Text, nullable=False),
    Column("rule", sa.Text, nullable=False),
    Column("fault", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("committed_at", UtcTime, nullable=False),
    Column("severity", sa.Text, nullable=False),
    Column("purpose", sa.Text, nullable=False),
    Column("on_arrival", sa.Boolean, nullable=False),
    Column("shadow", sa.Boolean, nullable=False),
    Column("case_id", sa.BigInteger),
    Column("explanation", sa.JSON, nullable=False),
    Index("ix_transitions_device_id_at", "device_id", "at"),
    Index("ix_transitions_case_id", "case_id"),
    Index("ix_transitions_rule_at", "rule", "at"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("dedupe_key", sa.Text, primary_key=True),
    Column("device_id", sa.Text, nullable=False, index=True),
    Column("rule", sa.Text, nullable=False),
    Column("fault", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("severity", sa.Text, nullable=False),
    Column("purpose", sa.Text, nullable=False),
    Column("on_arrival", sa.Boolean, nullable=False),
    Column("explanation", sa.JSON, nullable=False),
    Column("withheld_by", sa.Text),
    Column("withheld_key", sa.Text, index=True),
    Column("withheld", sa.JSON, nullable=False),
    Column("due_at", UtcTime, index=True),
    # What fails now, of all that ever did: the fleet's page counts by it.
    Index(
        "ix_alerts_firing",
        "device_id",
        sqlite_where=sa.text("state = 'firing'"),
        postgresql_where=sa.text("state = 'firing'"),
    ),
)
"""The last word of each alert, ``state``: firing | resolved. ``withheld_by``: silence | inhibition | group | incident
where one that fires has no case, ``withheld_key`` what withholds it, ``due_at`` when it is looked at again."""

OWNER, HEARER = "owner", "hearer"
"""``silences.whose``."""

silences = Table(
    "silences",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("author", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("starts_at", UtcTime, nullable=False),
    Column("ends_at", UtcTime, nullable=False, index=True),
    Column("ended_at", UtcTime),
    Column("ended_by", sa.Text),
    Column("device_id", sa.Text),
    Column("site", sa.Text),
    Column("profile", sa.Text),
    Column("customer_id", sa.Text),
    Column("whose", sa.Text),
    Column("rule", sa.Text),
    Column("safety", sa.Boolean, nullable=False),
    Column("days", sa.Text),
    Column("begins", sa.Text),
    Column("ends", sa.Text),
    Column("zone", sa.Text),
)
"""What people mute for a time: all of device, site, profile, customer and rule that are given must match.

``whose``: None where staff made it. Of one that ``customer_id`` made, ``owner``: it mutes what is theirs; ``hearer``:
they alone are not told. ``days`` (``mon tue``), ``begins``, ``ends`` (``22:00``) and ``zone`` of a weekly one;
``ended_at``: ended early.
"""

rejections = Table(
    "rejections",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("sequence", sa.BigInteger, nullable=False),
    Column("topic", sa.Text, nullable=False),
    Column("reason", sa.Text, nullable=False),
    Column("first_bytes", sa.LargeBinary, nullable=False),
    Column("received_at", UtcTime, nullable=False),
)
"""The newest few thousand; the count of all is a metric and in ``meta``."""

cases = Table(
    "cases",
    metadata,
    Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("dedupe_key", sa.Text, nullable=False, index=True),
    Column("rule", sa.Text, nullable=False),
    Column("fault", sa.Text, nullable=False),
    Column("kind", sa.Text, nullable=False),
    Column("device_id", sa.Text, nullable=False, index=True),
    Column("customer_id", sa.Text, index=True),
    Column("severity", sa.Text, nullable=False),
    Column("purpose", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("on_arrival", sa.Boolean, nullable=False),
    Column("explanation", sa.JSON, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("response_due_at", UtcTime),
    Column("sla_policy", sa.Text),
    Column("sla_hours", sa.Text),
    Column("sla_target", sa.Text),
    Column("sla_since", UtcTime),
    Column("sla_warn_at", UtcTime),
    Column("sla_due_at", UtcTime),
    Column("sla_paused", sa.Text),
    Column("waiting_since", UtcTime),
    Column("first_response_at", UtcTime),
    Column("acknowledged_at", UtcTime),
    Column("assignee", sa.Text),
    Column("team", sa.Text),
    Column("routed_to", sa.Text),
    Column("region", sa.Text),
    Column("needs_reply", sa.Boolean, nullable=False),
    Column("resolved_at", UtcTime),
    Column("resolved_by", sa.Text),
    Column("resolution", sa.Text),
    Column("reopened", sa.Integer, nullable=False),
    Column("previous_case_id", sa.BigInteger),
    Column("snoozed_until", UtcTime),
    Column("merged_into", sa.BigInteger, index=True),
    Column("escalated_at", UtcTime),
    Column("field_task", sa.Text),
    Column("cause", sa.Text),
    Column("fix", sa.Text),
    Column("version", sa.Integer, nullable=False),
    Index("ix_cases_state_updated_at", "state", "updated_at"),
    Index(
        "ix_cases_snoozed_until",
        "snoozed_until",
        sqlite_where=sa.text("snoozed_until IS NOT NULL"),
        postgresql_where=sa.text("snoozed_until IS NOT NULL"),
    ),
    Index(
        "ix_cases_escalated_at",
        "escalated_at",
        sqlite_where=sa.text("escalated_at IS NOT NULL"),
        postgresql_where=sa.text("escalated_at IS NOT NULL"),
    ),
    Index("ix_cases_rule", "rule"),
    Index(
        "ix_cases_incidents",
        "id",
        "state",
        sqlite_where=sa.text("kind = 'incident'"),
        postgresql_where=sa.text("kind = 'incident'"),
    ),
    Index("ix_cases_opened_at", "opened_at"),
    Index("ix_cases_team_state_updated_at", "team", "state", "updated_at"),
    Index("ix_cases_assignee_state_updated_at", "assignee", "state", "updated_at"),
    # The console's queue: what it sorts and counts by, of the few cases that are open, so that the rest is never read.
    Index(
        "ix_cases_open",
        "sla_due_at",
        "id",
        "sla_target",
        "sla_warn_at",
        "first_response_at",
        "acknowledged_at",
        "on_arrival",
        "severity",
        "snoozed_until",
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    ),
    Index(
        "ix_cases_needs_reply",
        "updated_at",
        "id",
        sqlite_where=sa.text("needs_reply IS 1"),
        postgresql_where=sa.text("needs_reply IS true"),
    ),
)
"""``state``: open | resolved. ``on_arrival`` cases stand in their own list and message nobody.

``explanation`` is the opening (or latest reopening) transition's; ``resolved_by`` is ``telemetry`` or a user's name.
``cause`` and ``fix``: what staff found, by the id in the rule's list or in their own words. ``merged_into``: it is
worked on within that case. ``field_task``: what somebody was sent to do there.

``sla_*``: the clock that is due first, see ``staff.clocks``; ``response_due_at`` is that of the first answer.
``routed_to``: the agent that routing chose, while nobody else was. ``region``: the customer's country.
``waiting_since``: since when it is the customer's turn.
"""

timeline = Table(
    "timeline",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("case_id", sa.BigInteger, nullable=False, index=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("kind", sa.Text, nullable=False),
    Column("author", sa.Text, nullable=False),
    Column("body", sa.JSON, nullable=False),
    Column("notification_id", sa.BigInteger),
)
"""One line each. ``kind``: opened reopened firing recovered resolved unresolved acknowledged assigned note message_out
message_in told_together withheld verdict snoozed woken merged unmerged split linked unlinked escalated deescalated
field_service field_called_back step reported command command_published command_failed command_confirmed waits
waits_no_more sla_warning sla_breached routed staff_alerted staff_acknowledged staff_passed_on staff_unreached.
``author``: ``gateway``, ``customer`` or a user's name."""

notifications = Table(
    "notifications",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("key", sa.Text, nullable=False, unique=True),
    Column("case_id", sa.BigInteger, index=True),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("device_id", sa.Text),
    Column("purpose", sa.Text, nullable=False),
    Column("severity", sa.Text, nullable=False),
    Column("template", sa.Text, nullable=False),
    Column("facts", sa.JSON, nullable=False),
    Column("text", sa.Text),
    Column("state", sa.Text, nullable=False),
    Column("reason", sa.Text),
    Column("channel", sa.Text),
    Column("address", sa.Text),
    Column("why", sa.JSON, nullable=False),
    Column("tried", sa.JSON, nullable=False),
    Column("not_before", UtcTime),
    Column("expires_at", UtcTime),
    Column("attempts", sa.Integer, nullable=False),
    Column("provider", sa.Text),
    Column("provider_id", sa.Text),
    Column("subject", sa.Text),
    Column("body", sa.Text),
    Column("created_at", UtcTime, nullable=False),
    Column("approved_by", sa.Text),
    Column("handed_over_at", UtcTime),
    Column("accepted_at", UtcTime),
    Column("delivered_at", UtcTime),
    Column("read_at", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
    Index("ix_notifications_state_not_before", "state", "not_before"),
    Index("ix_notifications_provider_provider_id", "provider", "provider_id"),
    # The outbox's audit looks at the last week alone; so it does at timeline and receipts.
    Index("ix_notifications_created_at", "created_at"),
    # What the ladder looks through: a mail stays accepted for ever, so there are many, and few are recent.
    Index(
        "ix_notifications_without_receipt",
        "accepted_at",
        sqlite_where=sa.text("state = 'accepted' AND reason IS NULL"),
        postgresql_where=sa.text("state = 'accepted' AND reason IS NULL"),
    ),
    # What the sender looks through, however many messages there were: by channel, and what is urgent by itself.
    Index(
        "ix_notifications_queued",
        "channel",
        "id",
        "not_before",
        sqlite_where=sa.text("state = 'queued'"),
        postgresql_where=sa.text("state = 'queued'"),
    ),
    Index(
        "ix_notifications_retried",
        "customer_id",
        "channel",
        sqlite_where=sa.text("state = 'queued' AND attempts > 0"),
        postgresql_where=sa.text("state = 'queued' AND attempts > 0"),
    ),
    Index(
        "ix_notifications_urgent",
        "channel",
        "id",
        sqlite_where=sa.text("state = 'queued' AND (purpose = 'safety' OR severity = 'critical')"),
        postgresql_where=sa.text("state = 'queued' AND (purpose = 'safety' OR severity = 'critical')"),
    ),
    Index(
        "ix_notifications_waiting",
        "case_id",
        "id",
        sqlite_where=sa.text("state = 'awaiting_approval'"),
        postgresql_where=sa.text("state = 'awaiting_approval'"),
    ),
)
"""The outbox. ``state``: awaiting_approval | queued | handed_over | accepted | delivered | read | unknown | dead |
withheld | discarded | cancelled | expired.

``text`` is an agent's own wording, put in place of the template's; ``reason`` says why it stands where it does;
``subject`` and ``body`` are what was handed over; ``tried`` lists channels that failed before.
"""

receipts = Table(
    "receipts",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("provider", sa.Text, nullable=False),
    Column("provider_id", sa.Text, nullable=False),
    Column("state", sa.Text, nullable=False),
    Column("error_code", sa.Text),
    Column("because", sa.Text),
    Column("received_at", UtcTime, nullable=False, index=True),
    sa.UniqueConstraint("provider", "provider_id", "state"),
)
"""``because``: what a failure says of the address itself, see ``Because``; a report may come before the answer."""

inbound = Table(
    "inbound",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("provider", sa.Text, nullable=False),
    Column("provider_id", sa.Text, nullable=False),
    Column("channel", sa.Text, nullable=False),
    Column("customer_id", sa.Text),
    Column("case_id", sa.BigInteger),
    Column("text", sa.Text, nullable=False),
    Column("intent", sa.Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    sa.UniqueConstraint("provider", "provider_id"),
)

offer_decisions = Table(
    "offer_decisions",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("customer_id", sa.Text, index=True),
    Column("device_id", sa.Text, nullable=False, index=True),
    Column("rule", sa.Text, nullable=False),
    Column("shop_id", sa.Text, nullable=False),
    Column("offer_id", sa.Text),
    Column("code", sa.Text),
    Column("reason", sa.Text),
    Column("explanation", sa.JSON, nullable=False),
    Column("at", UtcTime, nullable=False, index=True),
    Column("notification_id", sa.BigInteger),
    Column("opened_at", UtcTime),
    Index("ix_offer_decisions_offer_id_code", "offer_id", "code"),
)
"""Each visit and what came of it: ``offer_id`` where an offer was sent, else the ``reason`` it was withheld.

For ``holdout`` the ``offer_id`` is the one that would have been sent. ``opened_at``: they followed the message's link.
"""

consent_log = Table(
    "consent_log",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("customer_id", sa.Text, nullable=False, index=True),
    Column("purpose", sa.Text, nullable=False),
    Column("granted", sa.Boolean, nullable=False),
    Column("source", sa.Text, nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("allowed_before", sa.Boolean, nullable=False),
)
"""What each person agreed and objected to. ``allowed_before``: whether messages of the purpose came until then."""

users = Table(
    "users",
    metadata,
    Column("name", sa.Text, primary_key=True),
    Column("password_hash", sa.Text),
    Column("role", sa.Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("disabled", sa.Boolean, nullable=False),
    Column("totp_secret", sa.Text),
    Column("totp_step", sa.BigInteger),
    Column("email", sa.Text),
    Column("language", sa.Text),
)
"""``password_hash`` is NULL for those who log in at the identity provider alone.
``totp_secret``: the authenticator's, encrypted with the installation's key; NULL where the password is all.
``totp_step``: the time step of the last code that was taken, so that nobody uses one twice (RFC 6238 §5.2)."""

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", sa.Text, primary_key=True),
    Column("user_name", sa.Text, nullable=False, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("browser", sa.Text),
    Column("address", sa.Text),
    Column("way", sa.Text, nullable=False),
)
"""``way``: ``password`` or ``provider``. ``browser`` (User-Agent) and ``address`` are for their owner to tell sessions
apart."""

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("token_hash", sa.Text, primary_key=True),
    Column("name", sa.Text, nullable=False),
    Column("role", sa.Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", RowId, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("who", sa.Text, nullable=False),
    Column("action", sa.Text, nullable=False),
    Column("subject", sa.Text, nullable=False),
    Column("detail", sa.JSON, nullable=False),
)
