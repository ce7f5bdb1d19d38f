"""The process in which espeak-ng speaks: requests on standard input, samples on standard output.

Run as a script with the library's path and the data folder's; imports the standard library only,
so it starts in a few milliseconds. The library is loaded afresh for every request, because it
keeps state that its interface cannot reset (the phase of the pitch flutter, for one): a library
that was just loaded has no history, and one text always gives the same samples.

A request is `REQUEST` (lengths of voice name and text, words a minute), the voice, the text. An
answer is `ANSWER` (status, length) and that many bytes of 16-bit mono samples.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import BinaryIO

REQUEST = struct.Struct("<IIi")
ANSWER = struct.Struct("<iI")

OK, NO_ENGINE, NO_VOICE, NO_SPEECH = range(4)

RATE_HZ = 22_050
# AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback on the calling thread. NOTE: RETRIEVAL
# (1) also ends there, but from a thread of the library's own, after espeak_Synth has returned.
_SYNCHRONOUS = 2
_NEVER_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: missing data is our error to report
_RATE_PARAMETER = 1
_UTF8_TEXT = 1  # espeakCHARS_UTF8 alone: no SSML, no [[phonemes]]
_BYTES_PER_SAMPLE = 2

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def _unload(library: ctypes.CDLL) -> None:
    if sys.platform == "win32":
        _ctypes.FreeLibrary(library._handle)
    else:
        _ctypes.dlclose(library._handle)


def _say(
    library: ctypes.CDLL, home: bytes, voice: bytes, text: bytes, wpm: int
) -> tuple[int, bytes]:
    pieces: list[bytes] = []

    def keep(wave: int | None, samples: int, _events: int | None) -> int:
        if wave and samples > 0:
            pieces.append(ctypes.string_at(wave, samples * _BYTES_PER_SAMPLE))
        return 0

    callback = _CALLBACK(keep)
    if library.espeak_Initialize(_SYNCHRONOUS, 0, home, _NEVER_EXIT) != RATE_HZ:
        return NO_ENGINE, b""
    # breath noise draws from libc's rand(), which outlives the library
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice) != 0:
        return NO_VOICE, b""
    library.espeak_SetParameter(_RATE_PARAMETER, wpm, 0)
    size = ctypes.c_size_t(len(text) + 1)
    if library.espeak_Synth(text, size, 0, 1, 0, _UTF8_TEXT, None, None) != 0:
        return NO_SPEECH, b""
    library.espeak_Terminate()
    return OK, b"".join(pieces)


def say(library_path: str, home: bytes, voice: bytes, text: bytes, wpm: int) -> tuple[int, bytes]:
    """Speak one text with a freshly loaded library: a status and int16 samples at `RATE_HZ`."""
    try:
        library = ctypes.CDLL(library_path)
    except OSError:
        return NO_ENGINE, b""
    try:
        return _say(library, home, voice, text, wpm)
    finally:
        _unload(library)


def serve(library_path: str, home: bytes, requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the other side closes its end."""
    while len(head := requests.read(REQUEST.size)) == REQUEST.size:
        voice_length, text_length, wpm = REQUEST.unpack(head)
        voice, text = requests.read(voice_length), requests.read(text_length)
        if len(text) < text_length:
            return
        status, samples = say(library_path, home, voice, text, wpm)
        answers.write(ANSWER.pack(status, len(samples)))
        answers.write(samples)
        answers.flush()


def main() -> None:
    """Serve on the standard streams, with whatever the library prints kept out of the answers."""
    library_path, data_folder = sys.argv[1], Path(sys.argv[2])
    # NOTE: espeak keeps its data path in 160 bytes, so it gets a relative one.
    os.chdir(data_folder.parent)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(library_path, os.fsencode(data_folder.name), sys.stdin.buffer, answers)
        answers.close()
    except BrokenPipeError:
        os._exit(0)  # nobody listens any more; closing the stream would only fail again


if __name__ == "__main__":
    main()
