"""Requests to a speech server: many at a time, each tried until it succeeds or cannot.

The requests run in an event loop of a thread of their own, so that they go on while the caller
works, and all of them end at once when the caller stops.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx

from narrate.errors import BackendError
from narrate.speech.server import ServerOptions, api_root

__all__ = ["Answer", "SpeechClient", "UnusableAnswer"]

_CONNECT_S = 10.0
_HERE = ("localhost", "127.0.0.1", "::1")
_OK = 200
_AGAIN = {408, 425, 429}  # and all from 500 up
_SERVER_FAULT = 500
_MOST_OF_A_MESSAGE = 300
_LONGEST_BODY_BYTES = 256 << 20
T = TypeVar("T")

# What to do about an answer that another try would not change.
_REMEDIES: Mapping[int, str] = {
    401: "set NARRATE_API_KEY to the server's key",
    403: "set NARRATE_API_KEY to a key that may use this model",
    404: "check the address in --server and the model's name in --model",
    405: "check the address in --server: it does not take speech requests",
    413: "use a shorter recording of the voice",
    421: "check the address in --server",
}
_REMEDY = "check that the server runs a Qwen3-TTS model that fits --voice and --model"


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a good answer, and its headers by lower-case name."""

    content: bytes
    headers: Mapping[str, str]

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class UnusableAnswer(Exception):
    """An answer that says yes and is not what was asked for; another try may mend it."""


class _Passing(Exception):
    """A failure that another try may mend."""

    def __init__(self, what: str, asked_wait_s: float = 0.0) -> None:
        super().__init__(what)
        self.asked_wait_s = asked_wait_s


class SpeechClient:
    """A connection to one server; a context manager that leaves no request and no thread behind."""

    def __init__(self, server: ServerOptions) -> None:
        self._server, self._root = server, api_root(server.url)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="requests")
        headers = {"Authorization": f"Bearer {server.key}"} if server.key else {}
        # NOTE: one clock for a whole request stands in `_once`: httpx counts each read anew, so a
        # server that sends a byte now and then would hold it for ever.
        self._http = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=_CONNECT_S),
            limits=httpx.Limits(max_connections=server.concurrency),
            trust_env=urlsplit(self._root).hostname not in _HERE,  # a proxy never leads back here
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        mine = asyncio.current_task()
        requests = [task for task in asyncio.all_tasks() if task is not mine]
        for task in requests:
            task.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        await self._http.aclose()

    def ask(
        self, method: str, path: str, payload: object, read: Callable[[Answer], T]
    ) -> Future[T]:
        """Send a request; the future holds what `read` makes of the answer.

        `read` raises `UnusableAnswer` for a body that is not what was asked for. The future raises
        `BackendError` once no further try makes sense.
        """
        body = None if payload is None else json.dumps(payload).encode()
        return asyncio.run_coroutine_threadsafe(self._ask(method, path, body, read), self._loop)

    async def _ask(
        self, method: str, path: str, body: bytes | None, read: Callable[[Answer], T]
    ) -> T:
        server, why = self._server, ""
        for tried in range(server.tries):
            try:
                return read(await self._once(method, path, body))
            except (_Passing, UnusableAnswer) as failure:
                why = self._hidden(str(failure))
                asked_s = failure.asked_wait_s if isinstance(failure, _Passing) else 0.0
            if tried + 1 < server.tries:
                # Half of the wait is drawn, or all that failed together come back together.
                wait_s = server.backoff_s * 2**tried * random.uniform(0.5, 1.0)
                await asyncio.sleep(min(server.longest_wait_s, max(wait_s, asked_s)))
        raise BackendError(
            f"the speech server failed {server.tries} times, at last: {why}",
            where=self._root,
            remedy="look at the server, then run the same command again; what was spoken is kept",
        )

    async def _once(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        request = self._http.build_request(method, self._root + path, content=body, headers=headers)
        try:
            async with asyncio.timeout(self._server.timeout_s):
                response = await self._http.send(request, stream=True)
                try:
                    content = await _body(response)
                finally:
                    await response.aclose()
        except TimeoutError as error:
            raise _Passing(f"no whole answer in {self._server.timeout_s:g} s") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _Passing(str(error) or type(error).__name__) from error
        return self._judged(response, content)

    def _judged(self, response: httpx.Response, content: bytes) -> Answer:
        """Return a good answer; raise `_Passing` or `BackendError` for another status."""
        status = response.status_code
        if status == _OK:
            return Answer(content, dict(response.headers))
        said = _message(content)
        what = f"{status} {response.reason_phrase}".strip() + (f": {said}" if said else "")
        if status in _AGAIN or status >= _SERVER_FAULT:
            raise _Passing(what, _asked_wait_s(response.headers.get("retry-after", "")))
        if response.is_redirect:
            target = response.headers.get("location", "another place")
            raise BackendError(
                "the speech server sends us elsewhere",
                where=f"{self._root} to {target}",
                remedy="give that address with --server",
            )
        raise BackendError(
            f"the speech server refuses: {self._hidden(what)}",
            where=self._root,
            remedy=_REMEDIES.get(status, _REMEDY),
        )

    def _hidden(self, text: str) -> str:
        """Return what a server said, without the key that some servers repeat in it."""
        return text.replace(self._server.key, "***") if self._server.key else text


async def _body(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > _LONGEST_BODY_BYTES:
            raise _Passing(f"an answer of more than {_LONGEST_BODY_BYTES >> 20} MB")
    return b"".join(parts)


def _message(content: bytes) -> str:
    """Find the words in an error's body: OpenAI's form, FastAPI's, or the first line of text."""
    text = content[: 64 << 10].decode("utf-8", "replace")
    try:
        value: object = json.loads(text)
    except ValueError:
        return " ".join(text.split())[:_MOST_OF_A_MESSAGE] if not text.startswith("<") else ""
    for name in ("error", "message", "detail"):
        if isinstance(value, Mapping) and name in value:
            value = value[name]
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(words.split())[:_MOST_OF_A_MESSAGE]


def _asked_wait_s(header: str) -> float:
    """Read a Retry-After: seconds or a date; 0 for one that says nothing."""
    words = header.strip()
    try:
        if words.replace(".", "", 1).isdecimal():
            return float(words)
        return max(0.0, email.utils.parsedate_to_datetime(words).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
