"""A wire to a server that a test can cut and mend: a proxy on a loopback port of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_BYTES = 65_536


class Wire:
    """Passes on what comes in on `port` to another port, until it is cut."""

    def __init__(self, to_port: int) -> None:
        self.to_port = to_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.ends: list[socket.socket] = []
        self._listen()

    def cut(self) -> None:
        """End every connection, and refuse new ones."""
        for end in (self.listener, *self.ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends = []

    def mend(self) -> None:
        """Listen again, on the same port."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self._listen()

    def _listen(self) -> None:
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                near = listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.to_port))
                self.ends += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while some := source.recv(_BYTES):
            sink.sendall(some)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wired(to_port: int) -> Iterator[Wire]:
    """Have a wire while the block runs."""
    wire = Wire(to_port)
    try:
        yield wire
    finally:
        wire.cut()
