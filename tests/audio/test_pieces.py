"""AAC in pieces: what is put together plays like what was encoded in one go."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from narrate.audio import ffmpeg, pieces
from narrate.audio.encode import Labels, encode, encode_piece, join_pieces
from narrate.audio.pieces import FRAME_SAMPLES, pieces_of
from narrate.audio.tags import Mark, parse_marks
from narrate.errors import OutputError

RATE_HZ = 44_100
SAMPLES = 300 * FRAME_SAMPLES + 77
MARKS = (Mark(0, 2_000, "one"), Mark(2_000, 6_968, "two"))


def swept() -> np.ndarray:
    """Give a tone that never rests: at every join there is something to hear."""
    time_s = np.arange(SAMPLES) / RATE_HZ
    noise = np.random.default_rng(2).standard_normal(SAMPLES) * 40
    tone = 6_000 * np.sin(2 * np.pi * (200 + 150 * time_s) * time_s)
    return np.asarray(np.rint(tone + noise), np.int16)


def in_pieces(samples: np.ndarray, folder: Path, packets: int) -> Path:
    cut = pieces_of(len(samples), packets)
    paths = [folder / f"{number}.aac" for number in range(len(cut))]
    for piece, path in zip(cut, paths, strict=True):
        encode_piece("m4b", [samples[piece.start : piece.end]], RATE_HZ, path)
    join_pieces("m4b", cut, paths, folder / "joined.m4b", Labels({}, MARKS))
    return folder / "joined.m4b"


def decoded(path: Path) -> np.ndarray:
    return np.concatenate(list(ffmpeg.decode(path, RATE_HZ))) * 32_768


def worst_error(path: Path, samples: np.ndarray) -> float:
    """The largest RMS difference over any 1,024 samples."""
    whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
    off = (decoded(path)[:whole] - samples[:whole]).reshape(-1, FRAME_SAMPLES)
    return float(np.sqrt((off**2).mean(axis=1)).max())


def test_joins_are_as_exact_as_all_else_and_no_sample_is_more_or_less(tmp_path: Path) -> None:
    samples = swept()
    encode("m4b", [samples], RATE_HZ, tmp_path / "whole.m4b", Labels({}, MARKS))
    joined = in_pieces(samples, tmp_path, 101)
    assert len(decoded(joined)) == len(decoded(tmp_path / "whole.m4b"))
    assert worst_error(joined, samples) < 1.1 * worst_error(tmp_path / "whole.m4b", samples)
    assert parse_marks(ffmpeg.describe(joined)[1]) == list(MARKS)


def test_a_join_without_what_lies_before_it_would_be_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = swept()
    with_it = worst_error(in_pieces(samples, tmp_path, 101), samples)
    monkeypatch.setattr(pieces, "_BEFORE_PACKETS", 0)
    assert worst_error(in_pieces(samples, tmp_path, 101), samples) > 5 * with_it


@given(st.integers(1, 200_000), st.integers(1, 90))
def test_every_packet_belongs_to_one_piece(samples: int, packets: int) -> None:
    cut = pieces_of(samples, packets)
    own = [number for piece in cut for number in range(piece.first, piece.last)]
    assert own == list(range(-(-samples // FRAME_SAMPLES) + 1))
    assert all(0 <= piece.start < samples or piece.first for piece in cut)
    assert cut[-1].end == samples


def test_a_piece_that_lacks_packets_is_refused(tmp_path: Path) -> None:
    samples = swept()
    cut = pieces_of(SAMPLES, 200)
    paths = [tmp_path / "0.aac", tmp_path / "1.aac"]
    for piece, path in zip(cut, paths, strict=True):
        encode_piece("m4b", [samples[piece.start : piece.end]], RATE_HZ, path)
    paths[1].write_bytes(paths[1].read_bytes()[:2000])
    with pytest.raises(OutputError, match="packets"):
        join_pieces("m4b", cut, paths, tmp_path / "joined.m4b", Labels({}))
    assert not (tmp_path / "joined.m4b").exists()
