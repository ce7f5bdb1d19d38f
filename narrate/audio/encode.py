"""From chapters to files that players know: MP3, M4B, Opus and FLAC, from the chapters' samples."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from narrate.audio import ffmpeg
from narrate.audio.flac import picture_block, relabel_flac, write_flac
from narrate.audio.pieces import Piece, joined, packet_times
from narrate.audio.tags import Mark, Tags, ffmetadata
from narrate.core import Cover
from narrate.errors import OutputError

__all__ = [
    "ENCODE_VERSION",
    "FORMATS",
    "Format",
    "Labels",
    "check_encoders",
    "encode",
    "encode_piece",
    "encoder_options",
    "join_pieces",
    "relabel",
]

ENCODE_VERSION = 3
"""Raised by hand when encoding changes what the same samples give."""

Blocks = Iterable[NDArray[np.int16]]


@dataclass(frozen=True, slots=True)
class Labels:
    """What a file carries beside its sound."""

    tags: Tags
    marks: tuple[Mark, ...] = ()
    cover: Cover | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """How a kind of file is made; `by_chapter` is one file a chapter, else one a book.

    `options` are the encoder's, `container` those of what it is put into. `longest_s` is where a
    file ends at the latest. `rate_hz` is what players see. Above `highest_hz` the encoder does not
    look, falling off from `slope_hz` below it; 0 leaves that to it. `bytes_per_s` is for estimates.
    """

    suffix: str
    encoder: str
    options: tuple[str, ...]
    container: tuple[str, ...]
    by_chapter: bool
    longest_s: float
    bytes_per_s: int
    rate_hz: int = 44_100
    highest_hz: int = 0
    slope_hz: int = 0
    attaches_cover: bool = False
    in_pieces: bool = False


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "flac": Format(
            ".flac", "", (), (), by_chapter=True, longest_s=120 * 60, bytes_per_s=30_000
        ),
        "mp3": Format(
            ".mp3",
            "libmp3lame",
            # quality 7 of LAME's 0 to 9: twice as fast as its default, and at 192 kb/s for one
            # channel there are bits to spare
            ("-b:a", "192k", "-compression_level", "7"),
            ("-id3v2_version", "3", "-f", "mp3"),
            by_chapter=True,
            longest_s=119 * 60,
            bytes_per_s=24_000,
            highest_hz=20_000,
            slope_hz=44_100 // 2 // 32 + 1,  # one of LAME's 32 bands
            attaches_cover=True,
        ),
        "m4b": Format(
            ".m4b",
            "aac",
            # the fast coder takes a fifth of the default one's time, and gets half as much again;
            # noise substitution and temporal shaping cost 5 % and bring no sample nearer
            ("-b:a", "96k", "-aac_coder", "fast", "-aac_pns", "0", "-aac_tns", "0"),
            ("-movflags", "+faststart", "-f", "ipod"),
            by_chapter=False,
            longest_s=2**32 / 44_100,  # MP4 counts samples in 32 bits where old players read it
            bytes_per_s=12_000,
            highest_hz=16_000,  # speech has nothing above it
            attaches_cover=True,
            in_pieces=True,
        ),
        "opus": Format(
            ".opus",
            "libopus",
            ("-b:a", "48k", "-compression_level", "5"),
            ("-f", "opus"),
            by_chapter=False,
            longest_s=100 * 3600,
            bytes_per_s=9_000,
            rate_hz=48_000,
        ),
    }
)


def check_encoders(names: Iterable[str]) -> None:
    """Raise the OutputError now that encoding to these formats would end with."""
    wanted = {name: FORMATS[name].encoder for name in names if FORMATS[name].encoder}
    if not wanted:
        return
    there = ffmpeg.encoders(f"--format {','.join(wanted)}")
    for name, encoder in wanted.items():
        if encoder not in there:
            raise OutputError(
                f"this ffmpeg was built without {encoder}",
                where=f"--format {name}",
                remedy="install a complete one, or `pip install imageio-ffmpeg` without the other",
            )


def encoder_options(name: str, voice_hz: int = 0) -> tuple[str, ...]:
    """Return a format's encoder options for samples that once had the rate `voice_hz`.

    Nothing lies above half of it, and not to look there saves up to a fifth of the time.
    """
    form = FORMATS[name]
    if not form.highest_hz:
        return form.options
    highest_hz = form.highest_hz
    if voice_hz:
        highest_hz = min(highest_hz, voice_hz // 2 + form.slope_hz)
    return (*form.options, "-cutoff", str(highest_hz))


def encode(
    name: str, blocks: Blocks, rate_hz: int, out: Path, labels: Labels, *, voice_hz: int = 0
) -> None:
    """Encode mono samples to a file of this format; it appears whole or not at all.

    `voice_hz` is as for `encoder_options`. `StorageError` for a full disk, `OutputError` for what
    else prevents it.
    """
    if name == "flac":
        write_flac(blocks, rate_hz, out, labels.tags, labels.cover)
        return
    form = FORMATS[name]
    rate = ("-ar", str(form.rate_hz), "-ac", "1")
    codec = [*rate, "-c:a", form.encoder, *encoder_options(name, voice_hz)]
    _label(name, ffmpeg.pcm(blocks, rate_hz), (), codec, out, labels)


def encode_piece(name: str, blocks: Blocks, rate_hz: int, out: Path, *, voice_hz: int = 0) -> None:
    """Encode samples to bare AAC packets, for `join_pieces`; the rest is as for `encode`."""
    codec = encoder_options(name, voice_hz)
    options = ["-c:a", FORMATS[name].encoder, *codec, "-f", "adts"]
    ffmpeg.convert(ffmpeg.pcm(blocks, rate_hz), (), options, out)


def join_pieces(
    name: str, pieces: Sequence[Piece], paths: Sequence[Path], out: Path, labels: Labels
) -> None:
    """Put pieces that are encoded into one file, as if they had been encoded in one go."""
    times = ["-c:a", "copy", "-bsf:a", f"aac_adtstoasc,{packet_times(pieces[-1].samples)}"]
    _label(name, ffmpeg.packets(joined(pieces, paths)), (), times, out, labels)


def relabel(name: str, made: Path, out: Path, labels: Labels) -> None:
    """Write an encoded file again with other labels; its sound is copied, not encoded."""
    if name == "flac":
        relabel_flac(made, out, labels.tags, labels.cover)
        return
    _label(name, None, (made,), ["-c:a", "copy"], out, labels)


def _label(
    name: str,
    stream: ffmpeg.Stream | None,
    sources: tuple[Path, ...],
    codec: Sequence[str],
    out: Path,
    labels: Labels,
) -> None:
    """Write the sound of a stream, or of a file, with its labels."""
    form = FORMATS[name]
    tags, marks = (_ogg_tags(labels), ()) if name == "opus" else (labels.tags, labels.marks)
    with tempfile.TemporaryDirectory(prefix="narrate-") as folder:
        text = Path(folder) / "labels.txt"
        text.write_text(ffmetadata(tags, marks), encoding="utf-8", errors="replace")
        inputs = [*sources, text]
        options = ["-map", "0:a:0", "-map_metadata", "1", "-map_chapters", "1"]
        options += ["-map_metadata:s:a:0", "-1"]  # a copy would bring its old labels
        if form.attaches_cover and labels.cover:
            picture = Path(folder) / f"cover{labels.cover.suffix}"
            picture.write_bytes(labels.cover.data)
            inputs.append(picture)
            options += ["-map", "2:v:0", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
            options += ["-metadata:s:v", "title=Cover", "-metadata:s:v", "comment=Cover (front)"]
        language = labels.tags.get("language")
        if language:
            options += ["-metadata:s:a:0", f"language={_ISO_639_2.get(language, language)}"]
        ffmpeg.convert(stream, inputs, [*options, *codec, *form.container], out)


def _ogg_tags(labels: Labels) -> Tags:
    """Tags, marks and cover as Ogg's comments, by the names that they have there.

    ffmpeg writes the marks' seconds rounded and their milliseconds beside them (1.505 for 0.505),
    and a comment over the description: so both are written here.
    """
    tags = {name: value for name, value in labels.tags.items() if name != "comment"}
    for number, mark in enumerate(labels.marks):
        seconds, ms = divmod(mark.start_ms, 1000)
        hours, minutes = seconds // 3600, seconds // 60 % 60
        tags[f"CHAPTER{number:03}"] = f"{hours:02}:{minutes:02}:{seconds % 60:02}.{ms:03}"
        tags[f"CHAPTER{number:03}NAME"] = mark.title
    if labels.cover:
        tags["METADATA_BLOCK_PICTURE"] = base64.b64encode(picture_block(labels.cover)).decode()
    return tags


_LANGUAGES = """
af afr ar ara bg bul bn ben ca cat cs ces cy cym da dan de deu el ell en eng eo epo es spa et est
eu eus fa fas fi fin fr fra ga gle gu guj he heb hi hin hr hrv hu hun hy hye id ind is isl it ita
ja jpn ka kat kn kan ko kor la lat lt lit lv lav mk mkd ml mal mr mar ms msa nb nob nl nld no nor
pa pan pl pol pt por ro ron ru rus sk slk sl slv sq sqi sr srp sv swe sw swa ta tam te tel th tha
tr tur uk ukr ur urd vi vie zh zho
"""
_CODES = _LANGUAGES.split()
_ISO_639_2 = dict(zip(_CODES[::2], _CODES[1::2], strict=True))
"""MP4 names a language by three letters."""
