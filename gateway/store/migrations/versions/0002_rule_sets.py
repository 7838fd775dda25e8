"""Which rule set was live when, put there by whom."""

from alembic import op

from gateway.store.rule_sets import rule_sets

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; a store made by this version has it from its first migration."""
    rule_sets.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Forget what was live."""
    op.drop_table(rule_sets.name)
