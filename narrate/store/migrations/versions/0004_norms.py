"""How each voice speaks, as norms for its takes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "norms",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("numbers", sa.JSON(), nullable=False),
    )
