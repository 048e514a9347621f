"""The side of a fault proxy that speaks HTTP: it meets requests as its rules say, and passes on the rest."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import re
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from testbed.faults.fault import NO_FAULT, Answer, Drop, Fault
from testbed.faults.marks import BodyMarks, Marks
from testbed.faults.rules import Rule, Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNK = 64 * 1024
DRIPS = 10
"""In how many pieces a body comes that drips."""
READS = "GET|HEAD"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER switched on with no time to linger: closing resets the connection (socket(7))."""
OTHER_DIGEST = f"sha256:{'0' * 64}"
HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"})


class FaultServer(ThreadingHTTPServer):
    """Stands before ``upstream`` (``HOST:PORT``, plain HTTP); speaks TLS with ``tls``, a certificate and its key."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, upstream: str, tls: tuple[Path, Path] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.closing = threading.Event()
        self.marks = Marks({})
        self.watcher: Callable[[Seen], None] | None = None
        self.one_write = threading.Lock()
        self.numbers = itertools.count()
        self._busy = 0
        self._idle = threading.Condition()
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._seen: list[Seen] = []
        self._connections: set[Any] = set()
        self._to_reset: set[Any] = set()
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    @property
    def seen(self) -> tuple[Seen, ...]:
        """All requests so far, in the order in which they were finished."""
        with self._lock:
            return tuple(self._seen)

    def record(self, seen: Seen) -> None:
        """Remember a finished request."""
        with self._lock:
            self._seen.append(seen)

    def add(self, rule: Rule) -> None:
        """Ask this rule too, after those that are there."""
        with self._lock:
            self._rules.append(rule)

    def hide(self, path: str, reads: int) -> None:
        """Answer the next reads of this path 404, whatever the other rules say."""
        answer = Answer.error(http.client.NOT_FOUND, "MANIFEST_UNKNOWN")
        with self._lock:
            self._rules.insert(0, Rule(READS, rf"^{re.escape(path)}$", reads, 0, Fault(answer=answer)))

    def take(self, method: str, path: str) -> Fault:
        """What to do with this request, counted as done."""
        with self._lock:
            for rule in self._rules:
                if not rule.matches(method, path) or rule.times == 0:
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                if rule.times is not None:
                    rule.times -= 1
                return rule.fault
        return NO_FAULT

    def clear(self) -> None:
        """Forget all requests and all rules."""
        with self._lock:
            self._seen.clear()
            self._rules.clear()
            self.numbers = itertools.count()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Count a request as under way until the block ends."""
        with self._idle:
            self._busy += 1
        try:
            yield
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no request is under way; whether that came to be within this time."""
        with self._idle:
            return self._idle.wait_for(lambda: self._busy == 0, seconds)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a client's connection, to end it with the server."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def reset(self, request: Any) -> None:
        """End this connection with a reset once its handler has left it."""
        with self._lock:
            self._to_reset.add(request)

    def shutdown_request(self, request: Any) -> None:
        """Forget a client's connection, and end it."""
        with self._lock:
            self._connections.discard(request)
            is_reset = request in self._to_reset
            self._to_reset.discard(request)
        if not is_reset:
            super().shutdown_request(request)
            return
        with contextlib.suppress(OSError):
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.close_request(request)

    def server_close(self) -> None:
        """End the connections that are open, too."""
        self.closing.set()
        with self._lock:
            connections = tuple(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that leave early are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FaultServer
    number: int
    looked_at: BodyMarks

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""

    def handle_any(self) -> None:
        """Serve one request, whatever its method."""
        with self.server.working():
            self._serve()

    def _serve(self) -> None:
        self.number = next(self.server.numbers)
        self.looked_at = self.server.marks.body()
        fault = self.server.take(self.command, self.path)
        if fault.held is None:
            self._meet(fault)
            return
        try:
            if fault.held.half or fault.held.wait():
                self._meet(fault)
            else:
                self.close_connection = True
        finally:
            fault.held.finished.set()

    def _meet(self, fault: Fault) -> None:
        if fault.seconds:
            self.server.closing.wait(fault.seconds)
        if fault.before is not None:
            fault.before()
        if fault.drop is Drop.BEFORE:
            self._seen(self._swallow(), 0, forwarded=False)
            self._leave(fault)
        elif fault.answer is not None:
            self._seen(self._swallow(), fault.answer.status, forwarded=False)
            self._answer(fault.answer)
        else:
            self._forward(fault)

    def _leave(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.reset:
            self.server.reset(self.connection)

    def _seen(self, received: int, status: int, *, forwarded: bool) -> Seen:
        headers = {name.lower(): value for name, value in self.headers.items()}
        marks = (*self.server.marks.find_in_request(self.path, headers), *self.looked_at.found)
        seen = Seen(self.number, self.command, self.path, headers, received, status, forwarded, marks)
        self.server.record(seen)
        return seen

    def _swallow(self) -> int:
        return sum(len(chunk) for chunk in self._body())

    def _body(self) -> Iterator[bytes]:
        yield from self.looked_at.pass_on(self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", "0"))
        while left > 0:
            chunk = self.rfile.read(min(CHUNK, left))
            if not chunk:
                raise ConnectionError("the client left before its body was whole")
            left -= len(chunk)
            yield chunk

    def _answer(self, answer: Answer) -> None:
        headers = dict(answer.headers)
        if answer.status == http.client.TEMPORARY_REDIRECT and "Location" in headers:
            joiner = "&" if "?" in self.path else "?"
            headers["Location"] += f"{self.path}{joiner}X-Signature=secret-of-the-cdn"
        self.send_response_only(answer.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in headers):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _forward(self, fault: Fault) -> None:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        watched = self.server.watcher is not None and self.command in WRITES
        try:
            with self.server.one_write if watched else contextlib.nullcontext():
                received = self._send(upstream)
                answer = upstream.getresponse()
                dropped = fault.drop is Drop.AFTER
                seen = self._seen(received, 0 if dropped else answer.status, forwarded=True)
                if self.server.watcher is not None:
                    self.server.watcher(seen)
            if fault.lag and answer.status < http.client.BAD_REQUEST:
                self.server.hide(self.path, fault.lag)
            if fault.after is not None:
                fault.after()
            if dropped:
                answer.read()
                self._leave(fault)
            else:
                self._return(answer, fault)
        finally:
            upstream.close()

    def _send(self, upstream: http.client.HTTPConnection) -> int:
        # crane stores a manifest that is cut short; other registries refuse it, so it never gets that far here.
        body = list(self._body()) if "/manifests/" in self.path else self._body()
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "").lower()
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                upstream.putheader(name, value)
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        upstream.endheaders()
        received = 0
        refused = False  # a registry may answer and close before it has read the whole body
        for chunk in body:
            received += len(chunk)
            refused = refused or not self._push(upstream, _framed(chunk) if chunked else chunk)
        if chunked and not refused:
            self._push(upstream, _framed(b""))
        return received

    @staticmethod
    def _push(upstream: http.client.HTTPConnection, data: bytes) -> bool:
        try:
            upstream.send(data)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _return(self, answer: http.client.HTTPResponse, fault: Fault) -> None:
        length = answer.getheader("Content-Length")
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP and name.lower() not in fault.omit:
                self.send_header(name, _told(name.lower(), value, fault))
        if length is None and self.command != "HEAD":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self._return_body(answer, fault, None if length is None else int(length))

    def _return_body(self, answer: http.client.HTTPResponse, fault: Fault, length: int | None) -> None:
        halved = fault.cut or (fault.held is not None and fault.held.half)
        left = length // 2 if halved and length is not None else None
        piece = CHUNK if not fault.drip else max(1, (length or CHUNK) // DRIPS)
        while chunk := answer.read(piece if left is None else min(piece, left)):
            self.wfile.write(bytes(byte ^ 1 for byte in chunk) if fault.corrupt else chunk)
            if fault.drip:
                self.server.closing.wait(fault.drip)
            if left is not None:
                left -= len(chunk)
        if halved or fault.length:
            self._leave(fault)
        if fault.held is not None and fault.held.half:
            self.wfile.flush()
            fault.held.wait()


def _told(name: str, value: str, fault: Fault) -> str:
    """What the client is told a header of the answer is."""
    if name == "content-length" and fault.length:
        return str(max(0, int(value) + fault.length))
    if name == "docker-content-digest" and fault.wrong_digest:
        return OTHER_DIGEST
    return value


def _framed(chunk: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(chunk), chunk)


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler.handle_any)
