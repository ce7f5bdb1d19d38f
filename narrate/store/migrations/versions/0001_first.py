"""Books, chapters, chunks, takes, outputs and leases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "books",
        sa.Column("id", sa.Text(), primary_key=True),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in (
                "source_path",
                "source_sha256",
                "folder",
                "title",
                "author",
                "language",
                "plan_digest",
                "speech_digest",
            )
        ),
        sa.Column("job", sa.JSON(), nullable=False),
        sa.Column("skipped", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
    )
    op.create_index("ix_books_source_path", "books", ["source_path"])
    op.create_index("ix_books_folder", "books", ["folder"], unique=True)
    op.create_table(
        "chapters",
        _of_book(),
        sa.Column("number", sa.BigInteger(), primary_key=True),
        sa.Column("title", sa.Text(), nullable=False),
    )
    op.create_table(
        "chunks",
        _of_book(),
        sa.Column("position", sa.BigInteger(), primary_key=True),
        sa.Column("chapter", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("spoken", sa.Text(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("end", sa.BigInteger(), nullable=False),
        sa.Column("pause_after_s", sa.Float(), nullable=False),
        sa.Column("take_key", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_chunks_chapter", "chunks", ["book_id", "chapter"])
    op.create_index("ix_chunks_take_key", "chunks", ["take_key"])
    op.create_table(
        "takes",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("size_bytes", "mtime_ns", "samples", "rate_hz", "seed", "attempt")
        ),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
    )
    op.create_table(
        "outputs",
        _of_book(),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("size_bytes", "mtime_ns", "samples", "rate_hz")
        ),
    )
    op.create_table(
        "leases",
        sa.Column("book_id", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
    )


def _of_book() -> sa.Column[str]:
    return sa.Column(
        "book_id", sa.Text(), sa.ForeignKey("books.id", ondelete="CASCADE"), primary_key=True
    )
