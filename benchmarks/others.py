"""How busy others kept a machine while something of ours was measured: few machines are idle."""

from __future__ import annotations

import psutil

__all__ = ["busy_s", "cores_of_others"]


def busy_s() -> float:
    """Return the processor time that all processes of this machine have used since it started."""
    used = psutil.cpu_times()
    return float(used.user + used.system + getattr(used, "nice", 0.0))


def cores_of_others(all_s: float, ours_s: float, wall_s: float) -> float:
    """Return how many cores others used: of the time of all, what was not ours."""
    return round(max((all_s - ours_s) / wall_s, 0.0), 2)
