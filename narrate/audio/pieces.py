"""AAC in pieces, encoded side by side and joined packet by packet, so that no join is heard.

An encoder's packet holds what two frames of 1,024 samples overlap in, so a packet is the same
wherever encoding began, if that was long enough before it. Each piece begins a little before the
packets that are its own and ends a little after them; what is not its own is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from narrate.errors import OutputError

__all__ = ["FRAME_SAMPLES", "Piece", "joined", "packet_times", "pieces_of"]

FRAME_SAMPLES = 1024
PIECE_PACKETS = 32_768  # 13 minutes at 44.1 kHz; to start an encoder costs as much as 25 s of it
_BEFORE_PACKETS = 32
"""With 2, joins in the middle of a word are heard; with 8, they are as exact as all else."""
_AFTER_PACKETS = 4
_HEADER_BYTES = 7


@dataclass(frozen=True, slots=True)
class Piece:
    """Packets `first` up to `last` of a stream of so many `samples`.

    Packet 0 is the encoder's own; packet n plays the samples before n * 1024.
    """

    first: int
    last: int
    samples: int

    @property
    def start(self) -> int:
        """First sample that has to be encoded for it."""
        return (self.first - self._before) * FRAME_SAMPLES

    @property
    def end(self) -> int:
        """Where the samples end that have to be encoded for it."""
        return min(self.samples, (self.last + _AFTER_PACKETS) * FRAME_SAMPLES)

    @property
    def _before(self) -> int:
        return min(self.first, _BEFORE_PACKETS)

    def own(self, packets: list[memoryview]) -> list[memoryview]:
        """Pick those of its packets that are its own."""
        return packets[self._before : self._before + self.last - self.first]


def pieces_of(samples: int, packets: int = PIECE_PACKETS) -> list[Piece]:
    """Cut a stream into pieces of so many packets; the last one may be shorter."""
    total = -(-samples // FRAME_SAMPLES) + 1
    return [
        Piece(first, min(first + packets, total), samples) for first in range(0, total, packets)
    ]


def packet_times(samples: int) -> str:
    """The filter of ffmpeg that gives the packets of a stream of so many samples their times.

    The first one lies before 0, the last one ends with the samples. All in lengths of a packet:
    what it says of its time base is not what it counts in (ffmpeg 5.1).
    """
    last, rest = divmod(samples - 1, FRAME_SAMPLES)
    length = f"if(eq(N,{last + 1}),{rest + 1}/{FRAME_SAMPLES},1)*DURATION"
    return f"setts=ts=(N-1)*DURATION:duration='{length}'"


def joined(pieces: Iterable[Piece], paths: Iterable[Path]) -> Iterator[bytes]:
    """Yield the packets of the whole stream; `OutputError` where a piece has too few."""
    for piece, path in zip(pieces, paths, strict=True):
        own = piece.own(_packets(path.read_bytes()))
        if len(own) != piece.last - piece.first:
            raise OutputError(
                f"a piece of the sound has {len(own)} packets, not {piece.last - piece.first}",
                where=str(path),
                remedy="run the same command again",
            )
        yield b"".join(own)


def _packets(content: bytes) -> list[memoryview]:
    """Cut ADTS at its headers: 13 bits of each are its length (ISO/IEC 13818-7, 6.2)."""
    view, at, found = memoryview(content), 0, []
    while at + _HEADER_BYTES <= len(content):
        length = int.from_bytes(content[at + 3 : at + 6], "big") >> 5 & 0x1FFF
        if length < _HEADER_BYTES or at + length > len(content):
            break
        found.append(view[at : at + length])
        at += length
    return found
