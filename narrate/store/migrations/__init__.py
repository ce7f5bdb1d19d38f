"""Alembic migrations, run by the store itself when it opens a database that is behind."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

__all__ = ["config", "upgrade"]


def config() -> Config:
    """Alembic's configuration for this folder; there is no ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return settings


def upgrade(connection: Connection) -> None:
    """Bring a database to the newest schema, in the transaction of this connection."""
    settings = config()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
