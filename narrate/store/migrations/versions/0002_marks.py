"""Where each chunk is heard in a chapter's file."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply."""
    op.add_column("outputs", sa.Column("marks", sa.JSON(), nullable=False, server_default="[]"))
