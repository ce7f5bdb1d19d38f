"""MP3 frames as they stand in a file: which bit rates there are, so whether it is constant."""

from __future__ import annotations

import mmap
from pathlib import Path

__all__ = ["bit_rates"]

_KBPS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Layer III, by version: MPEG 1, and 2 with 2.5 (ISO/IEC 11172-3, 2.4.2.3; 13818-3)."""
_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_HEADER_BYTES = 4


def bit_rates(path: Path) -> set[int]:
    """Return the bit rates of a file's frames in kb/s; the first frame, which may tell, left out.

    Empty where there are no frames of layer III.
    """
    if not path.stat().st_size:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _bit_rates(content)


def _bit_rates(content: mmap.mmap) -> set[int]:
    at, found, first = _after_id3(content), set(), True
    while at + _HEADER_BYTES <= len(content):
        header = int.from_bytes(content[at : at + _HEADER_BYTES], "big")
        kbps, length = _frame(header)
        if not length:
            break
        if not first:
            found.add(kbps)
        first = False
        at += length
    return found


def _after_id3(content: mmap.mmap) -> int:
    if content[:3] != b"ID3":
        return 0
    size = 0
    for byte in content[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _frame(header: int) -> tuple[int, int]:
    """Bit rate in kb/s and length in bytes of a frame, zeros where this is no frame."""
    version, layer = header >> 19 & 3, header >> 17 & 3
    rate, step, padding = header >> 12 & 15, header >> 10 & 3, header >> 9 & 1
    if header >> 21 != 0x7FF or version == 1 or layer != 1 or not 0 < rate < 15 or step == 3:
        return 0, 0
    kbps = _KBPS[3 if version == 3 else 2][rate]
    samples_by_8 = 144 if version == 3 else 72
    return kbps, samples_by_8 * 1000 * kbps // _HZ[version][step] + padding
