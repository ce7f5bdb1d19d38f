"""Whether there is a CUDA card, asked of its driver: loading torch for the answer takes seconds."""

from __future__ import annotations

import ctypes
import functools
import sys

__all__ = ["cuda_cards"]

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
