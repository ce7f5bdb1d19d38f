"""A speech server of our own on the loopback: it speaks with the preview voice, and misbehaves
when it is told to, request by request."""

from __future__ import annotations

import functools
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import soundfile

from narrate.core import Utterance
from narrate.speech.backend import SpeechOptions
from narrate.speech.preview import PreviewBackend, preview_voice

RATE_HZ = 22_050
TYPES = {"wav": "audio/wav", "flac": "audio/flac", "pcm": "audio/pcm"}


@dataclass
class Asked:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class SpeechServer:
    """What the server was asked, and how it is to answer: `script[text]` holds behaviours."""

    url: str = ""
    models: list[str] = field(default_factory=lambda: ["Qwen/Qwen3-TTS-12Hz-1.7B-Base"])
    script: dict[str, list[Behaviour]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def texts(self) -> list[str]:
        """The texts of all speech requests, in the order they came."""
        return [one.body["input"] for one in self.asked if "input" in one.body]

    def next_for(self, asked: Asked) -> Behaviour:
        with self.lock:
            self.asked.append(asked)
            planned = self.script.get(asked.body.get("input", ""))
            return planned.pop(0) if planned else speak


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: SpeechServer

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        self.owner.asked.append(Asked(self.path, dict(self.headers), {}))
        if self.path == "/v1/models":
            values = [{"id": name, "object": "model"} for name in self.owner.models]
            self.answer(200, json.dumps({"object": "list", "data": values}).encode())
        else:
            self.answer(404, b'{"detail":"Not Found"}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = Asked(self.path, dict(self.headers), body)
        with self.owner.lock:
            self.owner.at_once += 1
            self.owner.most_at_once = max(self.owner.most_at_once, self.owner.at_once)
        try:
            self.owner.next_for(asked)(self, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.owner.lock:
                self.owner.at_once -= 1

    def answer(
        self, status: int, content: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)


Behaviour = Callable[[Handler, dict[str, Any]], None]


@functools.cache
def sound_of(text: str, language: str = "en") -> np.ndarray[Any, np.dtype[np.int16]]:
    """What the server says for a text, as 16-bit samples."""
    backend = PreviewBackend(SpeechOptions())
    [spoken] = backend.speak(iter([Utterance("key", text, language, seed=0)]), preview_voice())
    return spoken.samples.astype(np.int16)


def encoded(text: str, kind: str) -> bytes:
    samples = sound_of(text)
    if kind == "pcm":
        return samples.astype("<i2").tobytes()
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, format=kind.upper(), subtype="PCM_16")
    return file.getvalue()


def speak(handler: Handler, body: dict[str, Any]) -> None:
    kind = body["response_format"]
    handler.answer(200, encoded(body["input"], kind), TYPES[kind], X_Sample_Rate=str(RATE_HZ))


def fail(status: int, message: str = "try later", **headers: str) -> Behaviour:
    """Answer with an error in OpenAI's form."""
    content = json.dumps({"error": {"message": message, "type": "Error", "code": status}})
    return lambda handler, _: handler.answer(status, content.encode(), **headers)


def say(content: bytes, kind: str) -> Behaviour:
    """Answer 200 with whatever is given."""
    return lambda handler, _: handler.answer(200, content, kind)


def cut(handler: Handler, body: dict[str, Any]) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
    handler.connection.close()


def half_body(handler: Handler, body: dict[str, Any]) -> None:
    """Promise a whole answer, send half of it, and close."""
    content = encoded(body["input"], body["response_format"])
    handler.send_response(200)
    handler.send_header("Content-Type", TYPES[body["response_format"]])
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def half_sound(handler: Handler, body: dict[str, Any]) -> None:
    """Send half a sound as if it were whole."""
    kind = body["response_format"]
    content = encoded(body["input"], kind)
    handler.answer(200, content[: len(content) // 2 + 1], TYPES[kind])


def hang(handler: Handler, body: dict[str, Any]) -> None:
    """Answer when the test allows it."""
    handler.owner.released.wait(60)
    speak(handler, body)


def drip(handler: Handler, body: dict[str, Any]) -> None:
    """Send a byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Type", "audio/wav")
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.owner.released.wait(0.02):
        handler.wfile.write(b"R")
        handler.wfile.flush()
    handler.close_connection = True


@contextmanager
def serving() -> Iterator[SpeechServer]:
    """Serve on a free port of the loopback until the end of the block."""
    owner = SpeechServer()
    handler = type("Bound", (Handler,), {"owner": owner})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        owner.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield owner
        finally:
            owner.released.set()
            server.shutdown()
            thread.join()
