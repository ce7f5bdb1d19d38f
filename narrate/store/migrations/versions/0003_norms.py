"""How each voice speaks, as norms for its takes."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "norms",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("values", sa.JSON(), nullable=False),
    )
