"""Alembic migrations, run by the store itself when it opens a database that is behind."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine

__all__ = ["config", "upgrade"]


def config() -> Config:
    """Alembic's configuration for this folder; there is no ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return settings


def upgrade(engine: Engine) -> None:
    """Bring a database to the newest schema; two processes that start together take turns."""
    settings = config()
    with engine.begin() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "head")
