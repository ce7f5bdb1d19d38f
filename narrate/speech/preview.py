"""The preview voice: espeak-ng from the `espeakng-loader` wheel. No download, no GPU.

Each call of `speak` owns a small process of `espeak_process`, so calls from several threads, from
several processes and after a fork never share espeak's state, and a crash inside the library is
an error here instead of the end of the run.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from narrate.core import Spoken, Utterance, Voice, canonical_digest
from narrate.errors import BackendError, VoiceError
from narrate.speech import espeak_process as protocol
from narrate.speech.backend import SpeechOptions
from narrate.speech.languages import ESPEAK_VOICES, espeak_voice

__all__ = ["PreviewBackend", "preview_voice"]

# Raise it when a change of ours changes samples: takes spoken before it are then spoken again.
_VERSION = 1
_WORDS_PER_MINUTE = 175  # espeak's own pace, the meaning of speed 1.0

# espeak never frees the dictionary of a second script it met (180 kB); a new process does
_REQUESTS_PER_PROCESS = 200

_SILENCE_S = 0.1
_SILENCE_PEAK = 2  # of 32,768: about -84 dBFS, quiet but not digital zero
_AUDIBLE_PEAK = 33  # of 32,768: -60 dBFS

_STATUS_TEXTS: Mapping[int, str] = {
    protocol.NO_ENGINE: "espeak-ng does not start: its library or its data is damaged",
    protocol.NO_VOICE: "espeak-ng has no data for this language",
    protocol.NO_SPEECH: "espeak-ng refused a text",
}
_REINSTALL = "reinstall the wheel: pip install --force-reinstall espeakng-loader"


@dataclass(frozen=True, slots=True)
class _Installation:
    library: Path
    data: Path


def _find_installation() -> _Installation:
    """The library and the data folder inside the wheel; `BackendError` where one is missing."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise BackendError(
            "the preview voice is not installed",
            where=str(error),
            remedy="install it: pip install espeakng-loader",
        ) from error
    # NOTE: the loader's get_data_path raises a bare RuntimeError where the folder is missing.
    library = Path(espeakng_loader.get_library_path())
    data = library.parent / "espeak-ng-data"
    for path in (library, data / "phontab"):
        if not path.exists():
            raise BackendError(
                "the preview voice is incomplete", where=str(path), remedy=_REINSTALL
            )
    return _Installation(library, data)


class _Process:
    """One speaking process; a context manager that leaves nothing running."""

    def __init__(self, installation: _Installation) -> None:
        self._installation = installation
        self._child = self._start()
        self._requests = 0

    def _start(self) -> subprocess.Popen[bytes]:
        # -I -S: no site, no environment, no folder of ours on the path: it starts in milliseconds.
        # Its own session: Ctrl-C reaches only us, and we close its input.
        script = Path(protocol.__file__)
        command = [sys.executable, "-I", "-S", str(script)]
        try:
            return subprocess.Popen(
                [*command, str(self._installation.library), str(self._installation.data)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise BackendError(
                "the process of the preview voice does not start",
                where=f"{sys.executable}: {error.strerror}",
                remedy="check memory and process limits, then run the same command again",
            ) from error

    def say(self, voice: str, text: bytes, wpm: int) -> bytes:
        """16-bit mono samples of one text; `BackendError` with espeak's reason."""
        if self._requests == _REQUESTS_PER_PROCESS:
            self._stop()
            self._child, self._requests = self._start(), 0
        self._requests += 1
        name = voice.encode()
        answer = self._exchange(protocol.REQUEST.pack(len(name), len(text), wpm) + name + text)
        if answer is None:
            raise BackendError(
                "the preview voice stopped in the middle of a text",
                where=text[:60].decode("utf-8", "replace"),
                remedy="run the same command again; if it stops here again, change this text",
            )
        status, samples = answer
        if status != protocol.OK:
            raise BackendError(_STATUS_TEXTS[status], where=voice, remedy=_REINSTALL)
        return samples

    def _exchange(self, request: bytes) -> tuple[int, bytes] | None:
        to_child, from_child = self._child.stdin, self._child.stdout
        assert to_child is not None and from_child is not None  # both were asked for as pipes
        try:
            to_child.write(request)
            to_child.flush()
        except BrokenPipeError:
            return None
        head = from_child.read(protocol.ANSWER.size)
        if len(head) < protocol.ANSWER.size:
            return None
        status, length = protocol.ANSWER.unpack(head)
        samples = from_child.read(length)
        return (status, samples) if len(samples) == length else None

    def _stop(self) -> None:
        # It holds nothing worth keeping, and after Ctrl-C it may be in the middle of a text.
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout):
            if stream is not None:
                # an unsent request in the buffer fails once more here, and nobody needs it
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()


def preview_voice() -> Voice:
    """The one voice of this backend; what it sounds like is in the backend's own digest."""
    return Voice(name="preview", digest=canonical_digest({"voice": "preview"}))


class PreviewBackend:
    """espeak-ng behind the seam: 22,050 Hz, int16, one answer after the other in order."""

    name = "preview"
    rate_hz = protocol.RATE_HZ
    varies = False
    longest_first = False

    def __init__(self, options: SpeechOptions) -> None:
        self._options = options
        self._installation = _find_installation()

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) over our version, the library's bytes and the data's names and sizes."""
        data = self._installation.data
        files = sorted(path for path in data.rglob("*") if path.is_file())
        return canonical_digest(
            {
                "backend": self.name,
                "version": _VERSION,
                "library": hashlib.sha256(self._installation.library.read_bytes()).hexdigest(),
                "data": [
                    [path.relative_to(data).as_posix(), path.stat().st_size] for path in files
                ],
            }
        )

    @property
    def sampling(self) -> Mapping[str, object]:
        """The speed; there is no randomness, so no seed."""
        return {"speed": self._options.speed}

    def languages(self) -> tuple[str, ...]:
        """The language tags it speaks, sorted; regions of them are understood too."""
        return tuple(sorted(ESPEAK_VOICES))

    def import_ahead(self) -> None:
        """Nothing that takes long."""

    def load_ahead(self, voice: Voice) -> None:
        """Nothing: there is no model."""

    def speak(self, utterances: Iterator[Utterance], voice: Voice) -> Generator[Spoken, None, None]:
        """Yield each utterance's samples in order.

        A text without a sound (symbols only) gives 0.1 s at about -84 dBFS and the check
        `silent`. Raises `BackendError` for a language espeak lacks or when espeak fails, and
        `VoiceError` for any voice but `preview_voice()`: it never stands in for another.
        """
        if voice.digest != preview_voice().digest:
            raise VoiceError(
                "the preview backend speaks with its own voice only",
                where=voice.name,
                remedy="leave out --voice, or choose a backend that can clone",
            )
        wpm = round(_WORDS_PER_MINUTE * self._options.speed)
        with _Process(self._installation) as process:
            for utterance in utterances:
                name = espeak_voice(utterance.language)
                samples = process.say(name, _plain_bytes(utterance.spoken), wpm)
                yield _spoken(utterance, np.frombuffer(samples, dtype="<i2").astype(np.int16))

    def close(self) -> None:
        """Nothing is held between calls of `speak`."""


def _plain_bytes(text: str) -> bytes:
    """UTF-8 without control characters: NUL would end the text, \\x01 starts a command."""
    printable = "".join(" " if ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 else c for c in text)
    return printable.encode("utf-8", "replace")


def _spoken(utterance: Utterance, samples: NDArray[np.int16]) -> Spoken:
    loudest = int(np.abs(samples.astype(np.int32)).max(initial=0))
    if loudest >= _AUDIBLE_PEAK:
        return Spoken(utterance, samples, protocol.RATE_HZ)
    noise = np.random.default_rng(0).integers(
        -_SILENCE_PEAK, _SILENCE_PEAK, round(_SILENCE_S * protocol.RATE_HZ), np.int16, endpoint=True
    )
    return Spoken(utterance, noise, protocol.RATE_HZ, {"silent": True})
