"""What people mute for a time."""

from alembic import op

from gateway.store.schema import silences

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; a store made by this version has it from its first migration."""
    silences.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Forget them."""
    op.drop_table(silences.name)
