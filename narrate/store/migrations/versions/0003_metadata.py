"""What a book says about itself beyond title and author, and its covers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    for name in ("series", "description"):
        op.add_column("books", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("books", sa.Column("year", sa.BigInteger(), nullable=True))
    op.create_table(
        "covers",
        sa.Column(
            "book_id", sa.Text(), sa.ForeignKey("books.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("origin", sa.Text(), primary_key=True),
        sa.Column("data", sa.LargeBinary(), nullable=False),
    )
