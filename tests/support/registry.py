"""Real registries on free loopback ports, and a proxy that stands before one to count requests and inject faults.

Use::

    with crane_registry(tmp_path / "registry") as registry, FaultProxy(registry.host) as proxy:
        proxy.fail(503, method="PUT", path=r"/manifests/", times=2)
        ...                                   # speak to proxy.host
        assert proxy.count("PUT", r"/manifests/") == 3
        assert not proxy.writes
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self, TypeVar

from tests.support.tools import require_tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

USERNAME = "tester"
PASSWORD = "correct horse"  # noqa: S105  # the account of registries that live as long as one test
HTPASSWD = f"{USERNAME}:$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2\n"  # bcrypt of PASSWORD

Found = TypeVar("Found")

READY_SECONDS = 20.0
CHUNK = 64 * 1024
HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"})


@dataclass(frozen=True)
class RunningRegistry:
    """A registry that answers. ``host`` is ``127.0.0.1:PORT``; ``folder`` holds what it stores."""

    host: str
    folder: Path
    pid: int


@contextlib.contextmanager
def crane_registry(folder: Path) -> Iterator[RunningRegistry]:
    """Run ``crane registry serve``: blobs in ``folder``, manifests in memory; ended at the end of the block."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [str(require_tool("crane")), "registry", "serve", "--address", "127.0.0.1:0", "--disk", str(folder)]
    with _serving(command, folder, r"serving on port (\d+)") as registry:
        yield registry


@contextlib.contextmanager
def docker_registry(folder: Path, *, basic: bool = False) -> Iterator[RunningRegistry]:
    """Run Debian's ``docker-registry``; with ``basic`` it wants USERNAME and PASSWORD for everything."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "storage")}, "delete": {"enabled": True}},
        "http": {"addr": "127.0.0.1:0"},
    }
    if basic:
        passwords = folder / "htpasswd"
        passwords.write_text(HTPASSWD)
        configuration["auth"] = {"htpasswd": {"realm": "tests", "path": str(passwords)}}
    file = folder / "config.yml"
    file.write_text(json.dumps(configuration))
    command = [str(require_tool("docker-registry")), "serve", str(file)]
    with _serving(command, folder, r"listening on 127\.0\.0\.1:(\d+)") as registry:
        yield registry


@contextlib.contextmanager
def _serving(command: Sequence[str], folder: Path, port: str) -> Iterator[RunningRegistry]:
    """Start a server on a port of its own choosing, which it says in its output; end it by its process id."""
    log = folder / "server.log"
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        ) as server,
    ):
        try:
            host = f"127.0.0.1:{_poll(lambda: _said(server, log, port))}"
            _poll(lambda: _answers(host))
            yield RunningRegistry(host, folder, server.pid)
        finally:
            server.terminate()
            try:
                server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                server.kill()


def _said(server: subprocess.Popen[bytes], log: Path, pattern: str) -> str | None:
    text = log.read_text(errors="replace")
    found = re.search(pattern, text)
    if found is None and server.poll() is not None:
        raise RuntimeError(f"the registry ended with {server.returncode}:\n{text}")
    return found[1] if found else None


def _answers(host: str) -> bool:
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in {200, 401}
    except OSError:
        return False
    finally:
        connection.close()


def _poll(look: Callable[[], Found]) -> Found:
    deadline = time.monotonic() + READY_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"no answer within {READY_SECONDS:.0f} s")
        time.sleep(0.01)
    return found


@dataclass(frozen=True)
class Seen:
    """One request that reached the proxy.

    ``path`` includes the query. ``headers`` has lower-case names. ``status`` is what the client was answered, 0 where
    the connection was dropped; ``forwarded`` is whether the registry behind saw the request.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    received: int
    status: int
    forwarded: bool


class Held:
    """A request that is held back, before the registry sees it or (``half``) in the middle of its answer.

    ``reached`` is set once it came; it stays until ``let_go`` or the proxy's end.
    """

    def __init__(self, *, half: bool = False) -> None:
        self.half = half
        self.reached = threading.Event()
        self.finished = threading.Event()
        self._decided = threading.Event()
        self._forward = False

    def let_go(self, *, forward: bool) -> None:
        """Let the registry carry the request out after all, or drop it; done when ``finished`` is set."""
        self._forward = forward
        self._decided.set()

    def wait(self) -> bool:
        """Wait for ``let_go``; whether the request is to be carried out."""
        self.reached.set()
        self._decided.wait()
        return self._forward


@dataclass
class Rule:
    """What to do with the requests that match; ``skip`` of them pass first, then ``times`` are met (None: all)."""

    method: str
    path: str
    times: int | None
    skip: int
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop_before: bool = False
    drop_after: bool = False
    cut: bool = False
    corrupt: bool = False
    omit: tuple[str, ...] = ()
    seconds: float = 0.0
    action: Callable[[], None] | None = None
    held: Held | None = None

    def matches(self, method: str, path: str) -> bool:
        """Whether this rule is about such a request."""
        return re.fullmatch(self.method, method) is not None and re.search(self.path, path) is not None


class FaultProxy:
    """An HTTP proxy before a registry; a context manager.

    Args:
        upstream: ``HOST:PORT`` of the registry behind, plain HTTP.
        tls: certificate and key to speak TLS with; plain HTTP without.

    Every fault takes ``method`` (a regular expression for the whole method), ``path`` (one that is searched in path
    and query), ``times`` (how many matching requests it meets; None: all of them) and ``skip`` (how many matching
    requests pass before). The first rule that matches and is not used up decides; rules are asked in the order made.
    """

    def __init__(self, upstream: str, *, tls: tuple[Path, Path] | None = None) -> None:
        self.upstream = upstream
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._seen: list[Seen] = []
        self._held: list[Held] = []
        self._sockets: set[socket.socket] = set()
        self.closing = threading.Event()
        self._server = _Server(self, tls)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for held in self._held:
            held.let_go(forward=False)
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            open_sockets = tuple(self._sockets)
        for connection in open_sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    @property
    def requests(self) -> tuple[Seen, ...]:
        """All requests so far, in the order in which they were finished."""
        with self._lock:
            return tuple(self._seen)

    @property
    def writes(self) -> tuple[Seen, ...]:
        """The requests that would change the registry."""
        return tuple(seen for seen in self.requests if seen.method in {"POST", "PUT", "PATCH", "DELETE"})

    def count(self, method: str = ".*", path: str = "") -> int:
        """How many requests matched (see the class for what ``method`` and ``path`` are)."""
        rule = Rule(method, path, None, 0)
        return sum(rule.matches(seen.method, seen.path) for seen in self.requests)

    def clear(self) -> None:
        """Forget all requests and all rules."""
        with self._lock:
            self._seen.clear()
            self._rules.clear()

    def fail(
        self,
        status: int,
        *,
        method: str = ".*",
        path: str = "",
        times: int | None = None,
        skip: int = 0,
        code: str = "UNKNOWN",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer with an error as registries write it, without asking the registry."""
        body = json.dumps({"errors": [{"code": code, "message": "made by the test"}]}).encode()
        kind = {"Content-Type": "application/json"}
        self._add(Rule(method, path, times, skip, status=status, headers={**kind, **(headers or {})}, body=body))

    def answer(
        self,
        status: int,
        *,
        method: str = ".*",
        path: str = "",
        times: int | None = None,
        skip: int = 0,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        """Answer with exactly this, without asking the registry (a 404 without a body, a page of tags …)."""
        self._add(Rule(method, path, times, skip, status=status, headers=headers or {}, body=body))

    def redirect(
        self, host: str, *, method: str = "GET", path: str = r"/blobs/sha256:", times: int | None = None, skip: int = 0
    ) -> None:
        """Answer 307 to the same path and query on another host, with a secret in the query as a CDN has it."""
        self._add(Rule(method, path, times, skip, status=307, headers={"Location": f"http://{host}"}))

    def drop(
        self,
        *,
        method: str = ".*",
        path: str = "",
        times: int | None = None,
        skip: int = 0,
        after: bool = False,
    ) -> None:
        """Close the connection without an answer: before the registry sees the request, or after it has acted."""
        self._add(Rule(method, path, times, skip, drop_before=not after, drop_after=after))

    def cut(self, *, method: str = "GET", path: str = "", times: int | None = None, skip: int = 0) -> None:
        """Announce the whole body, send half of it, close."""
        self._add(Rule(method, path, times, skip, cut=True))

    def corrupt(self, *, method: str = "GET", path: str = "", times: int | None = None, skip: int = 0) -> None:
        """Send a body of the right length with other bytes."""
        self._add(Rule(method, path, times, skip, corrupt=True))

    def omit(self, *names: str, method: str = ".*", path: str = "", times: int | None = None, skip: int = 0) -> None:
        """Leave these headers out of the registry's answer."""
        self._add(Rule(method, path, times, skip, omit=tuple(name.lower() for name in names)))

    def delay(
        self, seconds: float, *, method: str = ".*", path: str = "", times: int | None = None, skip: int = 0
    ) -> None:
        """Wait before the registry sees the request; ends early when the proxy is closed."""
        self._add(Rule(method, path, times, skip, seconds=seconds))

    def intervene(
        self, action: Callable[[], None], *, method: str = ".*", path: str = "", times: int | None = 1, skip: int = 0
    ) -> None:
        """Call a function before the registry sees the request: another writer, a signal."""
        self._add(Rule(method, path, times, skip, action=action))

    def hold(self, *, method: str = ".*", path: str = "", skip: int = 0, half: bool = False) -> Held:
        """Hold one request back: before the registry sees it, or with ``half`` after half of the answer's body."""
        held = Held(half=half)
        self._held.append(held)
        self._add(Rule(method, path, 1, skip, held=held))
        return held

    def _add(self, rule: Rule) -> None:
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

    def record(self, seen: Seen) -> None:
        """Remember a finished request."""
        with self._lock:
            self._seen.append(seen)

    def opened(self, connection: socket.socket) -> None:
        """Remember a client's connection, to end it with the proxy."""
        with self._lock:
            self._sockets.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a client's connection."""
        with self._lock:
            self._sockets.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, proxy: FaultProxy, tls: tuple[Path, Path] | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that leave early are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.proxy.opened(self.connection)

    def finish(self) -> None:
        self.server.proxy.closed(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""

    def handle_any(self) -> None:
        """Serve one request, whatever its method."""
        proxy = self.server.proxy
        rule = proxy.take(self.command, self.path) or Rule(".*", "", None, 0)
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
        proxy = self.server.proxy
        if rule.seconds:
            proxy.closing.wait(rule.seconds)
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
        self.server.proxy.record(Seen(self.command, self.path, headers, received, status, forwarded))

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
        upstream = http.client.HTTPConnection(self.server.proxy.upstream, timeout=60)
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


class TunnelProxy:
    """A proxy for HTTPS_PROXY; a context manager. Whatever host is asked for, the tunnel leads to ``upstream``.

    ``requests`` holds, for each tunnel, the target that was asked for and the Proxy-Authorization header.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.requests: list[tuple[str, str | None]] = []
        self.closing = threading.Event()
        self._server = _TunnelServer(self)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _TunnelServer(socketserver.ThreadingTCPServer):
    daemon_threads = False

    def __init__(self, proxy: TunnelProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.proxy = proxy


class _Tunnel(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _TunnelServer

    def log_message(self, *_: object) -> None:
        """Keep standard error clean."""

    def tunnel(self) -> None:
        """Answer CONNECT and pass bytes both ways until one side closes."""
        self.server.proxy.requests.append((self.path, self.headers.get("Proxy-Authorization")))
        self.close_connection = True
        name, _, port = self.server.proxy.upstream.rpartition(":")
        with socket.create_connection((name, int(port)), timeout=60) as upstream:
            self.send_response_only(200)
            self.end_headers()
            other = {self.connection: upstream, upstream: self.connection}
            while not self.server.proxy.closing.is_set():
                for ready in select.select(list(other), [], [], 0.02)[0]:
                    try:
                        data = ready.recv(CHUNK)
                    except ConnectionResetError:
                        return
                    if not data:
                        return
                    other[ready].sendall(data)


setattr(_Tunnel, "do_CONNECT", _Tunnel.tunnel)  # noqa: B010  # http.server's name for it is no name of ours
