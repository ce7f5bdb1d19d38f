"""A PostgreSQL of the tests' own: in a temporary folder, on a socket in it, gone afterwards."""

from __future__ import annotations

import contextlib
import getpass
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START_S = 60.0
SUPERUSER = "tester"
_INSTALLED = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server, reached through a socket in `folder`."""

    folder: Path

    def url(self, database: str) -> str:
        """Return the URL of a database, as NARRATE_DATABASE_URL takes it."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """Make an empty database; returns its URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with self._connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def _connect(self, database: str) -> Any:
        import psycopg

        return psycopg.connect(self.url(database), autocommit=True)

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Return once the server answers."""
        import psycopg

        until = time.monotonic() + START_S
        while True:
            try:
                self._connect("postgres").close()
                return
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > until:
                    log = (self.folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"PostgreSQL did not start: {log}") from None
                time.sleep(0.05)


def binaries() -> Path | None:
    """Find the folder of the server's programs; distributions keep it off the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(_INSTALLED.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


@contextlib.contextmanager
def cluster(programs: Path, *, durable: bool = False) -> Iterator[Cluster]:
    """Run a server while the block runs. It refuses to be root's, so root lends it to another.

    A test's data need not survive a power cut; a benchmark's `durable` server writes as a real one.
    """
    folder = Path(tempfile.mkdtemp(prefix="narrate-pg-"))  # a socket's path may have 107 bytes
    user = _other_user() if os.geteuid() == 0 else None
    as_user: dict[str, Any] = {"user": user, "group": pwd.getpwnam(user).pw_gid} if user else {}
    if user:
        as_user["extra_groups"] = []
        os.chown(folder, pwd.getpwnam(user).pw_uid, as_user["group"])
    folder.chmod(0o755 if user else 0o700)
    data = folder / "data"
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", SUPERUSER, "-A", "trust"]
    # SIGTERM would end this process and leave the server behind; so it unwinds as Ctrl-C does
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        subprocess.run(
            [*initdb, "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            timeout=START_S,
            **as_user,
        )
        sync = "on" if durable else "off"
        settings = [
            "listen_addresses=",
            f"fsync={sync}",
            "max_connections=200",
            "shared_buffers=32MB",
        ]
        options = [word for setting in settings for word in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(programs / "postgres"), "-D", str(data), "-k", str(folder), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,  # Ctrl-C is for the tests, which stop it themselves
                **as_user,
            )
        try:
            made = Cluster(folder)
            made.wait(process)
            yield made
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing in it is worth a checkpoint
            process.wait(START_S)
    finally:
        signal.signal(signal.SIGTERM, before)
        shutil.rmtree(folder, ignore_errors=True)


def _other_user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody", getpass.getuser()) if name in known)
