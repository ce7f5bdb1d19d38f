"""Numbers in words, one way for all commands."""

from __future__ import annotations

__all__ = ["amount", "duration", "pace", "size"]


def amount(number: int, noun: str) -> str:
    """Return `1 chapter`, `61 chapters`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return `11 h 23 min`, `4 min 12 s` or `9.6 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def pace(times: float) -> str:
    """Return `340x real time`, or `0.56x` where it is slow."""
    return f"{times:.0f}x real time" if times >= 10 else f"{times:.2g}x real time"


def size(count_bytes: float) -> str:
    """Return a number of bytes as `3.6 GB`, in powers of 1,000."""
    for unit in ("B", "kB", "MB"):
        if count_bytes < 1000:
            return f"{count_bytes:.0f} {unit}" if unit == "B" else f"{count_bytes:.1f} {unit}"
        count_bytes /= 1000
    return f"{count_bytes:.1f} GB"
