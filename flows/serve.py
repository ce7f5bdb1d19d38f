"""The child process behind `EmbeddedServer`: `python -m narrate.flows.serve SOCKET`.

Leaves when its standard input ends, so it never outlives the run that started it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import sys
import threading
from importlib.metadata import version
from pathlib import Path

__all__ = ["main"]


def _leave_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _migrate(home: Path) -> None:
    """Create or update Prefect's database once per version, one process at a time."""
    done = home / f"migrated-{version('prefect')}"
    if done.exists() and (home / "prefect.db").exists():
        os.environ["PREFECT_SERVER_DATABASE_MIGRATE_ON_START"] = "false"
        return
    with (home / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        from prefect.server.database import provide_database_interface

        asyncio.run(provide_database_interface().create_db())
        done.touch()


def main() -> None:
    """Serve Prefect's API on the socket handed over by the parent."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    listener = socket.socket(fileno=int(sys.argv[1]))
    os.environ.update(
        PREFECT__SERVER_EPHEMERAL="1", PREFECT__SERVER_FINAL="1", PREFECT_UI_ENABLED="0"
    )
    _migrate(Path(os.environ["PREFECT_HOME"]))
    import uvicorn

    config = uvicorn.Config(
        "prefect.server.api.server:create_app", factory=True, log_level="error", lifespan="on"
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
