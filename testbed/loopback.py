"""Servers of tests: on a free loopback port, in a thread of their own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import socketserver


class LoopbackServer:
    """Serves as long as its block; a context manager. ``host`` is ``127.0.0.1:PORT``, known before it serves."""

    def __init__(self, server: socketserver.TCPServer) -> None:
        self._served = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        self.host = f"127.0.0.1:{server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._served.shutdown()
        self._thread.join()
        self._served.server_close()
