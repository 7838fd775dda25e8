"""The first tables."""

from alembic import op

from gateway.store import search_index
from gateway.store.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them all."""
    metadata.create_all(op.get_bind())
    search_index.create(op.get_bind())


def downgrade() -> None:
    """Drop them all."""
    search_index.drop(op.get_bind())
    metadata.drop_all(op.get_bind())
