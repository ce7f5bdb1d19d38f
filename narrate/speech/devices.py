"""Whether there is a CUDA card, asked of its driver: loading torch for the answer takes seconds."""

from __future__ import annotations

import ctypes
import functools
import sys

__all__ = ["cuda_cards", "driver_cuda"]

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_SUCCESS = 0


@functools.cache
def cuda_cards() -> int:
    """The number of CUDA cards this process may use; 0 without a driver."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != _SUCCESS or driver.cuDeviceGetCount(ctypes.byref(count)) != _SUCCESS:
        return 0
    return count.value


def driver_cuda() -> tuple[int, int] | None:
    """The newest CUDA that the driver speaks, such as (13, 0); None without a driver."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return None
    version = ctypes.c_int(0)
    if driver.cuDriverGetVersion(ctypes.byref(version)) != _SUCCESS or not version.value:
        return None
    return version.value // 1000, version.value % 1000 // 10
