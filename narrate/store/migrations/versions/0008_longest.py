"""The chunks of a book by length: a claim on the longest begins where the last one ended."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_chunks_longest", "chunks", ["book_id", sa.text("(-length(spoken))"), "position"]
    )
