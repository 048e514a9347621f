"""What the servers here share: connections that end with their server, requests read, answers written."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from testbed.ecr_public.recording import Call

if TYPE_CHECKING:
    import http.client
    from collections.abc import Iterator, Mapping

    from testbed.ecr_public.recording import Recorder

CHUNK = 64 * 1024
JSON_TYPE = "application/json; charset=utf-8"
HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "date"})
UPSTREAM_SECONDS = 60
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class WireServer(ThreadingHTTPServer):
    """Serves on a loopback port; connections that are still open end with it."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(self, handler: type[Exchange], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._open: set[Any] = set()
        self._lock = threading.Lock()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a client's connection, to end it with the server."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a client's connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """End the connections that are open, too."""
        with self._lock:
            connections = tuple(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that leave early, which are part of the tests, and all of anything else."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Exchange(BaseHTTPRequestHandler):
    """One connection. Subclasses define ``serve``, which answers one request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    name: str
    """Of the server, as calls are recorded."""
    identity: str | None
    actions: tuple[str, ...]
    kept: bytes
    _recorder: Recorder | None

    def serve(self) -> None:
        """Answer one request, whatever its method.

        A call is recorded before it is answered, so that whoever has the answer finds the call.
        """
        self.identity, self.actions, self.kept = None, (), b""
        self._recorder = self.recorder
        try:
            self.handle_request()
        finally:
            self._record(0)

    @property
    def recorder(self) -> Recorder:
        """Where calls are recorded."""
        raise NotImplementedError

    def handle_request(self) -> None:
        """Answer one request; ``identity``, ``actions`` and ``kept`` (its body) are set before."""
        raise NotImplementedError

    def _record(self, status: int) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            headers, kept = self.sent_headers, self.kept
            recorder.add(Call(self.name, self.command, self.path, headers, kept, self.identity, self.actions, status))

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""

    @property
    def sent_headers(self) -> dict[str, str]:
        """The request's headers, by lower-case names."""
        return {name.lower(): value for name, value in self.headers.items()}

    def read_body(self) -> bytes:
        """Read the request's body whole."""
        return b"".join(self.body())

    def body(self) -> Iterator[bytes]:
        """Read the request's body in pieces.

        Raises:
            ConnectionError: the client left before the end.
        """
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                yield self._read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", "0"))
        while left > 0:
            chunk = self._read(min(CHUNK, left))
            left -= len(chunk)
            yield chunk

    def answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer; a HEAD gets no body but its length."""
        self._record(status)
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(
        self, status: int, document: object, headers: Mapping[str, str] | None = None, kind: str = JSON_TYPE
    ) -> None:
        """Answer with a document."""
        self.answer(status, json.dumps(document).encode(), {"Content-Type": kind, **(headers or {})})

    def relay(self, answer: http.client.HTTPResponse, *, omit: frozenset[str] = frozenset()) -> None:
        """Answer as another server did, but for some headers (by lower-case names)."""
        self._record(answer.status)
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP | omit:
                self.send_header(name, value)
        length = answer.getheader("Content-Length")
        if length is None and self.command != "HEAD":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            while chunk := answer.read(CHUNK):
                self.wfile.write(chunk)

    def _read(self, size: int) -> bytes:
        chunk = self.rfile.read(size)
        if len(chunk) < size:
            raise ConnectionError("the client left before its body was whole")
        return chunk


for _method in METHODS:
    setattr(Exchange, f"do_{_method}", Exchange.serve)
