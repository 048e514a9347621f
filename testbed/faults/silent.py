"""Servers that take every request and let the client wait: without an answer, or with one that never ends."""

from __future__ import annotations

import contextlib
import socketserver
import threading

from testbed.loopback import LoopbackServer

CHUNK = 64 * 1024
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"


class SilentServer(LoopbackServer):
    """Accepts connections and reads what comes; a context manager.

    Args:
        drip: seconds between two bytes of an answer that does not come to its end; None: there is no answer at all.
    """

    def __init__(self, *, drip: float | None = None) -> None:
        self._listening = _Server(drip)
        super().__init__(self._listening)

    def __exit__(self, *exception: object) -> None:
        self._listening.closing.set()
        super().__exit__(*exception)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, drip: float | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.closing = threading.Event()
        self.drip = drip


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Take a request; let its client wait until it leaves, or the server is closed."""
        with contextlib.suppress(OSError):
            self.request.recv(CHUNK)
            for byte in ENDLESS if self.server.drip is not None else ():
                self.request.sendall(bytes([byte]))
                if self.server.closing.wait(self.server.drip):
                    return
            while not self.server.closing.wait(self.server.drip or 0.5):
                if self.server.drip is not None:
                    self.request.sendall(b" ")
