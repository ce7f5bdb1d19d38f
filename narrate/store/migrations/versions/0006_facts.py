"""What was found out when a file was made, such as a chapter's gain."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply."""
    op.add_column("outputs", sa.Column("facts", sa.JSON(), nullable=False, server_default="{}"))
