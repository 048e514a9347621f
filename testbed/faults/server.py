"""The side of a fault proxy that speaks HTTP: it meets requests as its rules say, and passes on the rest."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from testbed.faults.rules import Rule, Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK = 64 * 1024
HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"})


class FaultServer(ThreadingHTTPServer):
    """Stands before ``upstream`` (``HOST:PORT``, plain HTTP); speaks TLS with ``tls``, a certificate and its key."""

    daemon_threads = False
    request_queue_size = 64

    def __init__(self, upstream: str, tls: tuple[Path, Path] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._seen: list[Seen] = []
        self._connections: set[Any] = set()
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

    def take(self, method: str, path: str) -> Rule | None:
        """The rule for this request, counted as used."""
        with self._lock:
            for rule in self._rules:
                if not rule.matches(method, path) or rule.times == 0:
                    continue
                if rule.skip:
                    rule.skip -= 1
                    continue
                if rule.times is not None:
                    rule.times -= 1
                return rule
        return None

    def clear(self) -> None:
        """Forget all requests and all rules."""
        with self._lock:
            self._seen.clear()
            self._rules.clear()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember a client's connection, to end it with the server."""
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a client's connection."""
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

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

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""

    def handle_any(self) -> None:
        """Serve one request, whatever its method."""
        rule = self.server.take(self.command, self.path) or Rule(".*", "", None, 0)
        if rule.held is None:
            self._meet(rule)
            return
        try:
            if rule.held.half or rule.held.wait():
                self._meet(rule)
            else:
                self.close_connection = True
        finally:
            rule.held.finished.set()

    def _meet(self, rule: Rule) -> None:
        if rule.seconds:
            self.server.closing.wait(rule.seconds)
        if rule.action is not None:
            rule.action()
        if rule.status is not None or rule.drop_before:
            received = sum(len(chunk) for chunk in self._body())
            self._seen(received, rule.status or 0, forwarded=False)
            if rule.drop_before:
                self.close_connection = True
            else:
                self._answer(rule)
            return
        self._forward(rule)

    def _seen(self, received: int, status: int, *, forwarded: bool) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.record(Seen(self.command, self.path, headers, received, status, forwarded))

    def _body(self) -> Iterator[bytes]:
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

    def _answer(self, rule: Rule) -> None:
        headers = dict(rule.headers)
        if rule.status == http.client.TEMPORARY_REDIRECT and "Location" in headers:
            joiner = "&" if "?" in self.path else "?"
            headers["Location"] += f"{self.path}{joiner}X-Signature=secret-of-the-cdn"
        self.send_response_only(rule.status or 0)
        for name, value in headers.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in headers):
            self.send_header("Content-Length", str(len(rule.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(rule.body)

    def _forward(self, rule: Rule) -> None:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            received = self._send(upstream)
            answer = upstream.getresponse()
            self._seen(received, 0 if rule.drop_after else answer.status, forwarded=True)
            if rule.drop_after:
                answer.read()
                self.close_connection = True
            else:
                self._return(answer, rule)
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

    def _return(self, answer: http.client.HTTPResponse, rule: Rule) -> None:
        length = answer.getheader("Content-Length")
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP and name.lower() not in rule.omit:
                self.send_header(name, value)
        if length is None and self.command != "HEAD":
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        halved = rule.cut or (rule.held is not None and rule.held.half)
        left = int(length) // 2 if halved and length is not None else None
        while chunk := answer.read(CHUNK if left is None else min(CHUNK, left)):
            self.wfile.write(bytes(byte ^ 1 for byte in chunk) if rule.corrupt else chunk)
            if left is not None:
                left -= len(chunk)
        if halved:
            self.close_connection = True
        if rule.held is not None and rule.held.half:
            self.wfile.flush()
            rule.held.wait()


def _framed(chunk: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(chunk), chunk)


for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler.handle_any)
