"""Several processes on one book: who is there, who leads, and who speaks which take."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply; leases of runs under the old schema end."""
    op.drop_table("leases")
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("book_id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_workers_book_id", "workers", ["book_id"])
    for table, key in (("leases", "book_id"), ("claims", "take_key")):
        op.create_table(
            table,
            sa.Column(key, sa.Text(), primary_key=True),
            sa.Column(
                "worker_id",
                sa.Text(),
                sa.ForeignKey("workers.id", ondelete="CASCADE"),
                nullable=False,
            ),
        )
        op.create_index(f"ix_{table}_worker_id", table, ["worker_id"])
