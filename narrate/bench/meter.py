"""Time, memory and energy of a run: the card's where there is one, this process's elsewhere."""

from __future__ import annotations

import ctypes
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from narrate.speech.devices import cuda_cards

__all__ = ["Meter", "Reading"]

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_FORGET_THE_PEAK = "5"  # of the resident memory; see proc(5)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the meter saw between start and stop; None where nobody tells."""

    wall_s: float
    peak_bytes: int | None
    energy_j: float | None


class Meter:
    """A stopwatch that waits for the card, and asks it for its memory and energy."""

    def __init__(self) -> None:
        self._energy = _Energy() if cuda_cards() else None

    @property
    def device(self) -> str:
        """Where the memory is counted."""
        return "card" if self._cuda() is not None else "process"

    def start(self) -> None:
        """Begin; what was asked of the card before is done by then."""
        cuda = self._cuda()
        if cuda is not None:
            cuda.synchronize()
            cuda.reset_peak_memory_stats()
        elif _CLEAR.exists():
            _CLEAR.write_text(_FORGET_THE_PEAK)
        self._joules = self._energy.joules() if self._energy else None
        self._started = time.perf_counter()

    def stop(self) -> Reading:
        """End; what was asked of the card is done by then."""
        cuda = self._cuda()
        if cuda is not None:
            cuda.synchronize()
        wall_s = time.perf_counter() - self._started
        joules = self._energy.joules() if self._energy else None
        spent = None if joules is None or self._joules is None else joules - self._joules
        peak = int(cuda.max_memory_allocated()) if cuda is not None else _peak_bytes()
        return Reading(wall_s, peak, spent)

    @staticmethod
    def _cuda() -> Any:
        """torch's view of the card, once somebody has loaded torch and there is a card."""
        torch = sys.modules.get("torch")
        return torch.cuda if torch is not None and torch.cuda.is_available() else None


def _peak_bytes() -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else None


class _Energy:
    """The first card's energy counter, read through the driver's management library."""

    def __init__(self) -> None:
        self._card = ctypes.c_void_p()
        try:
            self._library: Any = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            self._library = None
            return
        library = self._library
        if library.nvmlInit_v2() or library.nvmlDeviceGetHandleByIndex_v2(
            0, ctypes.byref(self._card)
        ):
            self._library = None

    def joules(self) -> float | None:
        """Joules since the driver was loaded; None for a card that does not count them."""
        if self._library is None:
            return None
        spent = ctypes.c_ulonglong(0)
        failed = self._library.nvmlDeviceGetTotalEnergyConsumption(self._card, ctypes.byref(spent))
        return None if failed else spent.value / 1e3
