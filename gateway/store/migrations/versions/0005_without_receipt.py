"""Finding the messages that nobody saw arrive."""

from alembic import op

from gateway.store.schema import notifications

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_NAME = "ix_notifications_without_receipt"


def upgrade() -> None:
    """Create the index; a store made by this version has it from its first migration."""
    [index] = (index for index in notifications.indexes if index.name == _NAME)
    index.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop it."""
    op.drop_index(_NAME, notifications.name)
