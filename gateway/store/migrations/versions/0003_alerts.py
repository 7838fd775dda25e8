"""What response remembers of alerts, so that one may explain another; filled from the cases that are open."""

import sqlalchemy as sa
from alembic import op

from gateway.store.schema import alerts, cases

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table unless this store began with it."""
    bind = op.get_bind()
    if sa.inspect(bind).has_table(alerts.name):
        return
    alerts.create(bind)
    # A case that a person resolved while its fault went on is not known of; the next word of its rule tells.
    is_open = sa.select(
        cases.c.dedupe_key,
        cases.c.device_id,
        cases.c.rule,
        cases.c.fault,
        sa.literal("firing"),
        cases.c.opened_at,
        cases.c.severity,
        cases.c.purpose,
        cases.c.on_arrival,
        sa.literal({}, sa.JSON),
        sa.literal({}, sa.JSON),
    ).where(cases.c.state == "open")
    names = ["dedupe_key", "device_id", "rule", "fault", "state", "at", "severity", "purpose", "on_arrival"]
    bind.execute(sa.insert(alerts).from_select([*names, "explanation", "withheld"], is_open))


def downgrade() -> None:
    """Forget them."""
    op.drop_table(alerts.name)
