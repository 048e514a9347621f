"""A proxy for HTTPS_PROXY, whose tunnels all lead to one place."""

from __future__ import annotations

import select
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

from testbed.loopback import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Iterable

CHUNK = 64 * 1024


class TunnelProxy(LoopbackServer):
    """Whatever host is asked for, the tunnel leads to ``upstream``, which is ``HOST:PORT``; a context manager.

    Args:
        upstream: where to.
        refusals: status and reason of the answers to the first requests, for which no tunnel is made.
    """

    def __init__(self, upstream: str, refusals: Iterable[tuple[int, str]] = ()) -> None:
        self._server = _Server(upstream, list(refusals))
        super().__init__(self._server)

    @property
    def requests(self) -> list[tuple[str, str | None]]:
        """For each tunnel, the target that was asked for and the Proxy-Authorization header."""
        return self._server.requests


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False

    def __init__(self, upstream: str, refusals: list[tuple[int, str]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refusals = refusals
        self.upstream = upstream
        self.requests: list[tuple[str, str | None]] = []
        self.closing = threading.Event()

    def server_close(self) -> None:
        """End the tunnels that are open, too."""
        self.closing.set()
        super().server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""

    def tunnel(self) -> None:
        """Answer CONNECT and pass bytes both ways until one side closes."""
        self.server.requests.append((self.path, self.headers.get("Proxy-Authorization")))
        self.close_connection = True
        if self.server.refusals:
            self.send_response_only(*self.server.refusals.pop(0))
            self.end_headers()
            return
        name, _, port = self.server.upstream.rpartition(":")
        with socket.create_connection((name, int(port)), timeout=60) as upstream:
            self.send_response_only(200)
            self.end_headers()
            other = {self.connection: upstream, upstream: self.connection}
            while not self.server.closing.is_set():
                for ready in select.select(list(other), [], [], 0.02)[0]:
                    try:
                        data = ready.recv(CHUNK)
                    except ConnectionResetError:
                        return
                    if not data:
                        return
                    other[ready].sendall(data)


setattr(_Handler, "do_CONNECT", _Handler.tunnel)  # noqa: B010  # http.server's name for it is no name of ours
