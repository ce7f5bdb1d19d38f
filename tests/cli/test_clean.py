"""`narrate clean` as a user meets it."""

from __future__ import annotations

import os
import time
from pathlib import Path

from .conftest import Inside


def test_what_workers_said_long_ago_goes_and_what_they_said_today_stays(
    inside: Inside, home: Path
) -> None:
    old, young = home / "workers" / "1-1.log", home / "workers" / "2-1.log"
    old.parent.mkdir(parents=True)
    old.write_text("x" * 2_000)
    young.write_text("y")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    assert inside("clean", "--dry-run")[1].startswith("0 takes and 1 stray file would be removed")
    assert old.exists()
    assert inside("clean")[1].startswith("0 takes and 1 stray file removed")
    assert [path.name for path in old.parent.iterdir()] == [young.name]
    assert inside("clean")[1].startswith("0 takes and 0 stray files removed")
