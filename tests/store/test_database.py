"""The database says what is wrong with it, and never replaces what it does not understand."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, text

from narrate.config import Settings
from narrate.core import Chunk, Plan, Span
from narrate.errors import StorageError
from narrate.store import Book, NewTake, Output, Store
from narrate.store.database import HEAD
from narrate.store.migrations import config
from narrate.store.schema import Base

from .conftest import OpenStore


def settings(home: Path) -> Settings:
    return Settings.from_environment({"NARRATE_HOME": str(home)})


# Only PostgreSQL tells of an index what it is over; there it is compared, too.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_the_migrations_make_the_schema_that_the_models_describe(store: Store) -> None:
    with store.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


def test_opening_again_changes_nothing(open_store: OpenStore) -> None:
    book = Book("b", Path("/b.txt"), "0", Path("/out/b"), title="Title", job={"seed": 2**60})
    with open_store() as store:
        store.put_book(book)
    with open_store() as store:
        found = store.book("b")
        assert found and found.title == "Title" and found.job == {"seed": 2**60}


def test_a_plan_comes_back_as_it_was_stored(store: Store, tmp_path: Path) -> None:
    chunks = tuple(
        Chunk(1 + n // 600, n, f"“Où?” {n}", f"Où {n}", Span(n, n + 1), 0.35)
        for n in range(1, 1201)
    )
    plan = Plan("Ein Buch", "", "de", ("Eins", "Zwei", "Drei"), chunks, ())
    keys = [f"{n:064x}" for n in range(1200)]
    book = Book("b", Path("/b.txt"), "0", tmp_path / "b", plan_digest="p", speech_digest="s")
    for _ in range(2):  # a second plan replaces the first
        store.put_plan(book, plan, keys, [0] * 1200)
    assert store.chunks("b") == list(zip(chunks, keys, strict=True))
    assert store.chapter_titles("b") == ["Eins", "Zwei", "Drei"]
    store.takes.add([NewTake(keys[0], b"x", 22050, 22050, seed=2**62, attempt=0, checks={})])
    assert [(part.chunks, part.done, part.audio_s) for part in store.progress("b")] == [
        (599, 1, 1.0),
        (600, 0, 0.0),
        (1, 0, 0.0),
    ]
    store.put_keys(book, {1: (keys[1], 2)})
    assert store.outline("b")[0].take_key == keys[1]
    assert store.attempts("b") == {"Où 1": (keys[1], 2)}


def test_an_output_is_known_until_its_file_changes(store: Store, tmp_path: Path) -> None:
    store.put_book(Book("b", Path("/b.txt"), "0", tmp_path))
    (tmp_path / "one.wav").write_bytes(b"sound")
    output = Output("chapter", 1, tmp_path / "one.wav", "digest", 3, 44_100)
    for _ in range(2):
        store.put_output("b", output)
    assert store.outputs("b") == {("chapter", 1): output}
    (tmp_path / "one.wav").write_bytes(b"other sound")
    assert store.outputs("b") == {}
    assert store.drop_output("b", "chapter", 1) == output.path
    assert store.output_keys("b") == []


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


def test_a_write_that_ctrl_c_cuts_short_is_undone_and_keeps_nobody_waiting(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("narrate.store.database.BUSY_TIMEOUT_S", 0)
    with open_store() as store:
        engine = store.database.engine
        store.put_book(book := Book("b", Path("/b.txt"), "0", Path("/out/b")))

        def press_ctrl_c(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if statement.startswith("DELETE"):
                raise KeyboardInterrupt

        event.listen(engine, "after_cursor_execute", press_ctrl_c)
        with pytest.raises(KeyboardInterrupt) as kept, store.database.session() as session:
            session.execute(text("DELETE FROM alembic_version RETURNING version_num"))
        event.remove(engine, "after_cursor_execute", press_ctrl_c)
        store.put_book(replace(book, title="Title"))
        assert kept.value.__traceback__  # whose frames still hold the statement
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT version_num FROM alembic_version")) == HEAD
        assert (found := store.book("b")) and found.title == "Title"


def test_a_home_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(StorageError, match="home"):
        Store(settings(tmp_path / "home"))


def test_a_nonsense_url_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="NARRATE_DATABASE_URL"):
        Store(Settings(tmp_path, "nonsense"))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root@localhost/narrate", "no store can be kept in mysql"),
        ("postgresql://nobody:secret@127.0.0.1:1/none", "cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_used_is_named_without_its_password(
    tmp_path: Path, url: str, said: str
) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StorageError, match=said) as raised:
        Store(Settings(tmp_path, url))
    assert "secret" not in str(raised.value)


def test_processes_that_start_together_make_one_database(environment: dict[str, str]) -> None:
    script = (
        "from narrate.config import Settings\nfrom narrate.store import Store\n"
        "Store(Settings.from_environment()).close()"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE)
        for _ in range(6)
    ]
    errors = [run.communicate(timeout=60)[1].decode() for run in runs]
    assert [run.returncode for run in runs] == [0] * 6, errors
