"""On which machine a process is at work: hosts may share a name."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply."""
    op.add_column("workers", sa.Column("machine", sa.Text(), nullable=False, server_default=""))
