"""The database says what is wrong with it, and never replaces what it does not understand."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from narrate.config import Settings
from narrate.errors import StorageError
from narrate.store import Book, Store
from narrate.store.database import HEAD
from narrate.store.migrations import config
from narrate.store.schema import Base


def settings(home: Path) -> Settings:
    return Settings.from_environment({"NARRATE_HOME": str(home)})


def test_the_migrations_make_the_schema_that_the_models_describe(tmp_path: Path) -> None:
    with Store(settings(tmp_path)) as store, store.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    book = Book("b", Path("/b.txt"), "0", Path("/out/b"), title="Title")
    with Store(settings(tmp_path)) as store:
        store.put_book(book)
    with Store(settings(tmp_path)) as store:
        found = store.book("b")
        assert found and found.title == "Title"


def test_the_pragmas_are_set_on_every_connection(tmp_path: Path) -> None:
    with Store(settings(tmp_path)) as store, store.database.engine.connect() as connection:
        values = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert values == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "narrate.db").write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(StorageError, match="damaged"):
        Store(settings(tmp_path))
    assert (tmp_path / "narrate.db").read_bytes().startswith(b"this is a letter")


def test_a_damaged_page_is_a_storage_error(tmp_path: Path) -> None:
    with Store(settings(tmp_path)) as store:
        for number in range(200):
            store.put_book(Book(f"b{number}", Path("/b"), "0", Path(f"/out/{number}"), "x" * 500))
    file = tmp_path / "narrate.db"
    content = bytearray(file.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    file.write_bytes(content)
    with (
        pytest.raises(StorageError, match=r"damaged.*narrate\.db"),
        Store(settings(tmp_path)) as store,
    ):
        store.books()


def test_a_newer_schema_is_refused_with_both_versions(tmp_path: Path) -> None:
    Store(settings(tmp_path)).close()
    with sqlite3.connect(tmp_path / "narrate.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageError, match=f"newer narrate.*9999.*{HEAD}"):
        Store(settings(tmp_path))


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "narrate.db") as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.close()
    with pytest.raises(StorageError, match="not made by narrate"):
        Store(settings(tmp_path))


def test_a_locked_database_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("narrate.store.database.BUSY_TIMEOUT_S", 0)
    Store(settings(tmp_path)).close()
    blocker = sqlite3.connect(tmp_path / "narrate.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    with Store(settings(tmp_path)) as store, pytest.raises(StorageError, match="locked"):
        store.put_book(Book("b", Path("/b.txt"), "0", Path("/out/b")))
    blocker.close()


def test_a_home_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StorageError, match="home"):
        Store(settings(tmp_path / "home"))


def test_a_nonsense_url_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="NARRATE_DATABASE_URL"):
        Store(Settings(tmp_path, "nonsense"))


def test_processes_that_start_together_make_one_database(tmp_path: Path) -> None:
    script = (
        "from narrate.config import Settings\nfrom narrate.store import Store\n"
        "Store(Settings.from_environment()).close()"
    )
    environment = {"NARRATE_HOME": str(tmp_path), "PATH": "/usr/bin", "PYTHONPATH": str(Path.cwd())}
    runs = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    errors = [run.communicate()[1].decode() for run in runs]
    assert [run.returncode for run in runs] == [0] * 6, errors
